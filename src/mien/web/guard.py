"""What every request has to pass before a route sees it, and what every answer carries.

Pure ASGI: it holds for pages, for errors and for what no route knows, too.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from mien.web.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
        b" connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none';"
        b" frame-ancestors 'none'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)


BUSY = "too many calls at once; try again in a second"


@dataclass(frozen=True, slots=True)
class Limits:
    """hosts: what the Host header may be, with port. body_bytes: of one request.

    body_s: how long a body may take to arrive.
    """

    hosts: frozenset[str]
    body_bytes: int = 32 * 1024 * 1024
    body_s: float = 30.0


def write_line(line: str) -> None:
    """A line of the log on standard error."""
    print(line, file=sys.stderr, flush=True)


@dataclass(slots=True)
class Guard:
    """Wraps the application.

    clock: seconds that only rise. log: takes one JSON line for each request, with method,
    route, status and time: no picture, no embedding, no token, no name. full: whether a
    call would find no place; its body is then not read.
    """

    app: App
    limits: Limits
    metrics: Metrics
    clock: Callable[[], float] = time.monotonic
    log: Callable[[str], None] = field(default=write_line)
    full: Callable[[], bool] = lambda: False

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = self.clock(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [pair for pair in message.get("headers", []) if pair[0].lower() != b"server"]
                message = {**message, "headers": [*own, *HEADERS]}
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await self.app(scope, self._bounded(receive), answer)
            else:
                await plain_answer(answer, *refusal)
        except TooLarge:
            await plain_answer(answer, 413, f"a request has at most {self.limits.body_bytes} bytes")
        except asyncio.TimeoutError:  # before Python 3.11 not the builtin one
            await plain_answer(answer, 408, f"a body has {self.limits.body_s:g} s to arrive")
        finally:
            took_s = self.clock() - started
            route = route_of(scope)
            self.metrics.note(scope["method"], route, status, took_s)
            line = {"method": scope["method"], "route": route, "status": status}
            self.log(json.dumps({**line, "ms": round(took_s * 1000, 1)}))

    def _refusal(self, scope: MutableMapping[str, Any]) -> tuple[int, str] | None:
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in headers and name in (b"host", b"origin", b"content-length"):
                return 400, "a header is there twice"
            headers[name] = value
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host not in self.limits.hosts:
            # a page of another site whose name was made to point here (DNS rebinding)
            return 421, "this is not the host that you asked for"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() not in self._origins(host):
            return 403, "pages of other sites may not ask"
        if headers.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none"):
            return 403, "pages of other sites may not ask"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 18:
            return 400, "the length of the body is no number"
        if int(length) > self.limits.body_bytes:
            return 413, f"a request has at most {self.limits.body_bytes} bytes"
        if scope["method"] == "POST" and self.full():
            return 503, BUSY
        return None

    @staticmethod
    def _origins(host: str) -> tuple[str, str]:
        return f"http://{host}", f"https://{host}"

    def _bounded(self, receive: Receive) -> Receive:
        """The body, as long as it is not too large or slow; its length may not have been told."""
        left, ended = self.limits.body_bytes, False
        until = self.clock() + self.limits.body_s

        async def bounded() -> Message:
            nonlocal left, ended
            if ended:  # what comes now is the news that the caller left: no hurry
                return await receive()
            message = await asyncio.wait_for(receive(), max(0.0, until - self.clock()))
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLarge
            ended = not message.get("more_body", False)
            return message

        return bounded


class TooLarge(Exception):
    """The body is larger than it may be."""


def route_of(scope: MutableMapping[str, Any]) -> str:
    """The route's pattern, never the path: a path has names in it."""
    route = scope.get("route")
    return str(getattr(route, "path", "none"))


async def plain_answer(send: Send, status: int, words: str) -> None:
    """An answer of the guard itself."""
    outcomes = {413: "too_large", 421: "wrong_host", 403: "forbidden", 503: "busy"}
    data = {"outcome": outcomes.get(status, "usage"), "error": words}
    body = json.dumps(data).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
