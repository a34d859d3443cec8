"""The checks that every request passes before a route sees it, and what every response gets.

Plain ASGI, so it covers the page, errors and unknown addresses as well. In this order: the
origin of the request, its token, the size of its body.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mien.errors import UsageError
from mien.web.auth import (
    REQUIRED_SCOPES,
    NotAuthenticated,
    NotPermitted,
    TokenStore,
    authorize,
    route_pattern,
    token_digest,
)
from mien.web.log import LogClock, WriteLine, log_line, now_utc, write_line
from mien.web.metrics import Metrics, known_method
from mien.web.responses import (
    SECURITY_HEADERS,
    OutcomeResponse,
    busy_response,
    internal_error_response,
    message_response,
    token_required_response,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Headers = dict[bytes, bytes]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MIB = 1024 * 1024
UNREPEATABLE_HEADERS = (b"host", b"origin", b"content-length", b"authorization")
"""With two of one of these, two readers could each take another one."""


@dataclass(slots=True)
class RequestState:
    """What middleware and route tell each other of a request; in its ASGI scope under "mien".

    token_scope: of the token, where the route requires one. outcome: for the log. client: who asks,
    for fair places: the token, or without one the address.
    """

    token_scope: str | None = None
    outcome: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """max_bytes: of one body. total_bytes: of all bodies that are in memory at the same time.

    timeout_s: how long a body may take to arrive.
    """

    max_bytes: int = 32 * MIB
    total_bytes: int = 256 * MIB
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """hosts: the allowed values of the Host header, in lower case, with port."""

    hosts: frozenset[str]
    body: BodyLimits = field(default_factory=BodyLimits)


@dataclass(slots=True)
class Middleware:
    """Wraps the application.

    clock: seconds, monotonic. now: for the log, which gets one line for each request, without
    a picture, embedding, token or name. pool_is_full: whether a call would be refused now; the
    body of a POST is then not read.
    """

    app: App
    limits: RequestLimits
    metrics: Metrics
    tokens: TokenStore
    clock: Callable[[], float] = time.monotonic
    now: LogClock = now_utc
    log: WriteLine = write_line
    pool_is_full: Callable[[str], bool] = lambda client: False
    _memory: BodyMemory = field(init=False)

    def __post_init__(self) -> None:
        self._memory = BodyMemory(self.limits.body.total_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, method = self.clock(), scope["method"]
        # HEAD is answered wherever GET is: the same response without its body
        routed_as = "GET" if method == "HEAD" else method
        scope = {**scope, "mien": RequestState(), "method": routed_as}
        state = scope["mien"]
        body = BodyReader(
            receive, state, limits=self.limits.body, memory=self._memory, clock=self.clock
        )
        sender = ResponseSender(send, without_body=method == "HEAD")
        try:
            await self._respond(scope, receive, body, sender)
        finally:
            body.release()
            self._record(scope, known_method(method), sender.status, self.clock() - started)

    async def _respond(
        self, scope: Scope, receive: Receive, body: BodyReader, sender: ResponseSender
    ) -> None:
        async def send_unless_refused(message: Message) -> None:
            # FastAPI makes a 400 of whatever reading the body raises; ours gives the reason
            if body.refusal is None:
                await sender.send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            # no route reads a body with GET, but a long response listens for a disconnect
            source = receive if scope["method"] == "GET" else body.receive
            with suppress(BodyRefused):
                await self.app(scope, source, send_unless_refused)
            refusal = body.refusal
        if refusal is not None:
            await refusal(scope, receive, sender.send)

    def _record(self, scope: Scope, method: str, status: int, duration_s: float) -> None:
        route = _route_of(scope)
        self.metrics.record_request(method, route, status, duration_s)
        # the page and unknown methods have no outcome of a command
        outcome = scope["mien"].outcome or ("done" if status < 400 else "internal_error")
        fields = {"method": method, "route": route, "status": status, "outcome": outcome}
        self.log(log_line(self.now, **fields, ms=round(duration_s * 1000, 1)))

    def _refusal(self, scope: Scope) -> OutcomeResponse | None:
        """The response to a request that no route may see; None for one that may go on."""
        headers: Headers = {}
        for name, value in scope["headers"]:
            if name in headers and name in UNREPEATABLE_HEADERS:
                message = f"the header {name.decode()} is repeated; send it once"
                return message_response("usage", 400, message)
            headers[name] = value
        return (
            self._check_origin(scope, headers)
            or self._check_token(scope, headers)
            or self._check_body(scope, headers)
        )

    def _check_origin(self, scope: Scope, headers: Headers) -> OutcomeResponse | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host not in self.limits.hosts:
            # another site's name that was made to point to this machine (DNS rebinding)
            message = "unknown host; to allow a name: mien serve --name HOST"
            return message_response("wrong_host", 421, message)
        origin = headers.get(b"origin")
        own_origins = (None, f"http://{host}", f"https://{host}")
        site = headers.get(b"sec-fetch-site", b"same-origin")
        if (origin and origin.decode("latin-1").lower()) not in own_origins or (
            site not in (b"same-origin", b"none") and not _is_link_to_page(scope, headers)
        ):
            return message_response("forbidden", 403, "requests from other sites are refused")
        return None

    def _check_token(self, scope: Scope, headers: Headers) -> OutcomeResponse | None:
        pattern = route_pattern(scope["method"], scope["path"])
        required = REQUIRED_SCOPES[scope["method"], pattern] if pattern else None
        address, _ = scope.get("client") or ("", 0)
        scope["mien"].client = f"address {address}"
        if required is None:
            return None
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        try:
            scope["mien"].token_scope = authorize(self.tokens, authorization, required=required)
        except NotAuthenticated:
            return token_required_response()
        except NotPermitted:
            message = f"the token's scope is too small: {required} is required"
            return message_response("forbidden", 403, message)
        except UsageError:  # its message names a file of this machine
            message = "the service's tokens cannot be read; for the reason: mien token list"
            return internal_error_response(message)
        scope["mien"].client = f"token {token_digest(authorization)}"
        return None

    def _check_body(self, scope: Scope, headers: Headers) -> OutcomeResponse | None:
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 18:
            return message_response("usage", 400, "Content-Length is not a valid number")
        if int(length) > self.limits.body.max_bytes:
            return _too_large(self.limits.body)
        client = scope["mien"].client
        if scope["method"] == "POST" and (
            self.pool_is_full(client) or not self._memory.has_room_for(int(length), client)
        ):
            return busy_response()
        return None


class ResponseSender:
    """Sends a response with the security headers added, and remembers its status.

    without_body: send the headers only, for HEAD.
    """

    def __init__(self, send: Send, *, without_body: bool) -> None:
        self.status = 500  # of a request whose application failed before it responded
        self._send, self._without_body = send, without_body

    async def send(self, message: Message) -> None:
        """Pass one ASGI message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [pair for pair in message.get("headers", []) if pair[0].lower() != b"server"]
            message = {**message, "headers": [*own, *SECURITY_HEADERS]}
        elif self._without_body:
            message = {**message, "body": b""}
        await self._send(message)


class BodyRefused(Exception):
    """The body is not read any further; `BodyReader.refusal` is the response."""


class BodyMemory:
    """The memory for all request bodies together, in bytes; one client gets half of it at most."""

    def __init__(self, size: int) -> None:
        self._free, self._for_each = size, size // 2
        self._taken: Counter[str] = Counter()

    def has_room_for(self, size: int, client: str) -> bool:
        """Whether a body of this size fits now."""
        return size <= self._free and self._taken[client] + size <= self._for_each

    def reserve(self, size: int, client: str) -> None:
        """Take this much; the caller asks `has_room_for` first."""
        self._free -= size
        self._taken[client] += size

    def release(self, size: int, client: str) -> None:
        """Give this much back."""
        self._free += size
        self._taken[client] -= size
        if not self._taken[client]:
            del self._taken[client]  # clients come and go


class BodyReader:
    """Receives the body of one request within the limits. clock: seconds, monotonic.

    refusal: the response, once the body was refused. A framework may already have made a
    response of its own from the BodyRefused that `receive` raised; this one is sent instead.
    """

    def __init__(
        self,
        receive: Receive,
        state: RequestState,
        *,
        limits: BodyLimits,
        memory: BodyMemory,
        clock: Callable[[], float],
    ) -> None:
        self.refusal: OutcomeResponse | None = None
        self._receive, self._state = receive, state
        self._limits, self._memory, self._clock = limits, memory, clock
        self._deadline = clock() + limits.timeout_s
        self._reserved, self._complete = 0, False

    async def receive(self) -> Message:
        """The next ASGI message. Raises BodyRefused."""
        if self._complete:  # only the disconnect can follow, and it has no deadline
            return await self._receive()
        try:
            left_s = max(0.0, self._deadline - self._clock())
            message = await asyncio.wait_for(self._receive(), left_s)
        except asyncio.TimeoutError as error:  # not the builtin one before Python 3.11
            self.refusal = _too_slow(self._limits)
            raise BodyRefused from error
        self._reserve(len(message.get("body", b"")))
        self._complete = not message.get("more_body", False)
        return message

    def release(self) -> None:
        """Free the memory of this body, at the end of the request."""
        self._memory.release(self._reserved, self._state.client)
        self._reserved = 0

    def _reserve(self, size: int) -> None:
        if self._reserved + size > self._limits.max_bytes:
            self.refusal = _too_large(self._limits)
            raise BodyRefused
        if not self._memory.has_room_for(size, self._state.client):
            self.refusal = busy_response()
            raise BodyRefused
        self._memory.reserve(size, self._state.client)
        self._reserved += size


def _too_large(limits: BodyLimits) -> OutcomeResponse:
    message = f"the request is larger than {limits.max_bytes} bytes; send fewer or smaller photos"
    return message_response("too_large", 413, message)


def _too_slow(limits: BodyLimits) -> OutcomeResponse:
    message = f"the request did not arrive within {limits.timeout_s:g} s"
    # the rest of the body is not waited for
    return message_response("too_slow", 408, message, Connection="close")


def _is_link_to_page(scope: Scope, headers: Headers) -> bool:
    """Whether a link was followed to the page, which holds no secret; not a frame, not the API."""
    return (
        (scope["method"], scope["path"]) == ("GET", "/")
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and headers.get(b"sec-fetch-dest") == b"document"
    )


def _route_of(scope: Scope) -> str:
    """The route's pattern, never the path, which may contain a person's name."""
    known = route_pattern(scope["method"], scope["path"])
    return known or str(getattr(scope.get("route"), "path", "none"))
