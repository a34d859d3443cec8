"""The service's application without a socket, so that a test decides what arrives and when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.vault.memory import open_memory_vault

from mien.app.pipeline import Pipeline
from mien.results import ModelId
from mien.vault.vault import Vault
from mien.web.app import create_app
from mien.web.auth import TokenStore
from mien.web.dependencies import ServiceParts
from mien.web.middleware import Middleware, RequestLimits
from mien.web.pool import WorkerPool
from mien.web.request_body import BodyLimits

HOST = "127.0.0.1:8437"
FORM = "multipart/form-data; boundary=x"
NextMessage = Callable[[], Awaitable[dict[str, Any]]]


def no_pipeline(model: ModelId | None) -> Pipeline:
    raise AssertionError("no call was expected to run")


@dataclass
class InProcessService:
    """app: the whole application. lines: of its log. admin: a token of scope admin."""

    app: Middleware
    pool: WorkerPool
    tokens: TokenStore
    lines: list[str]
    admin: str


@contextmanager
def run_in_process(
    folder: Path, *, vault: Vault | None = None, body: BodyLimits | None = None, **parts: Any
) -> Iterator[InProcessService]:
    """parts: further ones of ServiceParts."""
    tokens, lines, pool = TokenStore(folder / "tokens.json"), [], WorkerPool(1)
    limits = RequestLimits(hosts=frozenset({HOST}), body=body or BodyLimits())
    with vault or open_memory_vault() as opened:
        app = create_app(
            ServiceParts(
                vault=opened,
                tokens=tokens,
                pool=pool,
                limits=limits,
                **{"pipeline_of": no_pipeline, **parts},
            ),
            log=lines.append,
        )
        admin = tokens.create_temporary("test", "admin")
        yield InProcessService(app, pool, tokens, lines, admin)
        pool.close()


@dataclass
class Response:
    """The response to one request. reads: how many messages of its body were read."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reads: int = 0

    @property
    def data(self) -> Any:
        return json.loads(self.body)


async def nothing_more() -> dict[str, Any]:
    """Nothing arrives any more, and the client stays connected."""
    await asyncio.Event().wait()
    raise AssertionError("this wait does not end")


def body_parts(*parts: bytes, then: NextMessage = nothing_more) -> NextMessage:
    """A body that arrives in these parts and has not ended after them; then what `then` gives."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    return _one_by_one(messages, then)


def whole_body(body: bytes = b"") -> NextMessage:
    """A body that arrives at once; the client then waits for the response."""
    return _one_by_one([{"type": "http.request", "body": body, "more_body": False}], nothing_more)


def _one_by_one(messages: list[dict[str, Any]], then: NextMessage) -> NextMessage:
    async def next_message() -> dict[str, Any]:
        return messages.pop(0) if messages else await then()

    return next_message


async def send_request(
    app: Middleware,
    method: str,
    path: str,
    *,
    token: str = "",
    headers: Sequence[tuple[str, str]] = (),
    body: NextMessage | None = None,
    into: Response | None = None,
) -> Response:
    """One request to the application; the Host header is added, and the token if there is one.

    into: gets the response even if the application raises after it.
    """
    response = into or Response()
    all_headers = [("host", HOST), *headers]
    if token:
        all_headers.append(("authorization", f"Bearer {token}"))
    next_message = body or whole_body()

    async def receive() -> dict[str, Any]:
        response.reads += 1
        return await next_message()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            pairs = message["headers"]
            response.headers = {name.decode(): value.decode() for name, value in pairs}
        else:
            response.body += message.get("body", b"")

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8437),
        "headers": [(name.lower().encode(), value.encode()) for name, value in all_headers],
    }  # fmt: skip
    await app(scope, receive, send)
    return response
