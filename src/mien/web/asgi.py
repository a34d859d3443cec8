"""What the parts of the service that speak ASGI share: its types, and the state of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Headers = dict[bytes, bytes]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class RequestState:
    """What middleware and route tell each other of a request; in its ASGI scope under "mien".

    token_scope: of the token, where the route requires one. outcome: for the log. client: who asks,
    for fair places: the token, or without one the address.
    """

    token_scope: str | None = None
    outcome: str = ""
    client: str = ""
