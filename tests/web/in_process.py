"""The service's application without a socket, so that a test says what arrives and when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mien.app.pipeline import Pipeline
from mien.results import ModelId
from mien.vault.open import open_memory_vault
from mien.vault.vault import Vault
from mien.web.app import create_app
from mien.web.auth import TokenStore
from mien.web.dependencies import ServiceParts
from mien.web.middleware import BodyLimits, Middleware, RequestLimits
from mien.web.pool import WorkerPool

HOST = "127.0.0.1:8437"
FORM = "multipart/form-data; boundary=x"
Arrives = Callable[[], Awaitable[dict[str, Any]]]


def no_pipeline(model: ModelId | None) -> Pipeline:
    raise AssertionError("no call was to be worked on")


@dataclass
class Inside:
    """guard: the whole application. lines: of its log. admin: a token that may do everything."""

    guard: Middleware
    tokens: TokenStore
    lines: list[str]
    admin: str


@contextmanager
def inside(
    folder: Path, *, vault: Vault | None = None, body: BodyLimits | None = None, **more: Any
) -> Iterator[Inside]:
    """more: for Parts."""
    tokens, lines, pool = TokenStore(folder / "tokens.json"), [], WorkerPool(1)
    limits = RequestLimits(hosts=frozenset({HOST}), body=body or BodyLimits())
    with vault or open_memory_vault() as opened:
        parts = ServiceParts(
            vault=opened, pipeline_of=no_pipeline, tokens=tokens, pool=pool, limits=limits, **more
        )
        guard = create_app(parts, log=lines.append)
        yield Inside(guard, tokens, lines, tokens.create_temporary("test", "admin"))
        pool.close()


@dataclass
class Asked:
    """What one request was answered, and how many messages of its body were read."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reads: int = 0

    @property
    def data(self) -> Any:
        return json.loads(self.body)


async def silence() -> dict[str, Any]:
    """Nothing ever arrives."""
    await asyncio.Event().wait()
    raise AssertionError("silence does not end")


def _one_by_one(left: list[dict[str, Any]], then: Arrives) -> Arrives:
    async def arrives() -> dict[str, Any]:
        return left.pop(0) if left else await then()

    return arrives


def pieces(*parts: bytes, then: Arrives | None = None) -> Arrives:
    """These arrive one after the other and are not the end; then what `then` says, or silence."""
    left = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    return _one_by_one(left, then or silence)


def whole(body: bytes = b"") -> Arrives:
    """All of it at once; then the caller stays for the answer, and says nothing."""
    left = [{"type": "http.request", "body": body, "more_body": False}]
    return _one_by_one(left, silence)


async def ask(
    guard: Middleware,
    method: str,
    path: str,
    *,
    token: str = "",
    headers: Sequence[tuple[str, str]] = (),
    arrives: Arrives | None = None,
) -> Asked:
    """One request to the application."""
    asked = Asked()
    sent = [("host", HOST), *headers]
    if token:
        sent.append(("authorization", f"Bearer {token}"))
    source = arrives or whole()

    async def receive() -> dict[str, Any]:
        asked.reads += 1
        return await source()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            asked.status = message["status"]
            asked.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            asked.body += message.get("body", b"")

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8437),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent],
    }  # fmt: skip
    await guard(scope, receive, send)
    return asked
