"""What every request has to pass before a route sees it, and what every answer carries.

Pure ASGI: it holds for pages, for errors and for what no route knows, too.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mien.errors import UsageError
from mien.web.access import NEEDS, Note, admitted, pattern_of
from mien.web.body import Body, BodyLimits, BodyRefused, Message, Receive, Room, too_large
from mien.web.log import Now, Write, line_of, now_utc, write_line
from mien.web.metrics import Metrics, known_method
from mien.web.responses import OutcomeResponse, busy, told
from mien.web.tokens import Tokens

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


ONCE = (b"host", b"origin", b"content-length", b"authorization")
"""Headers that may not be there twice: two readers could take two of them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """hosts: what the Host header may be, with port. body: of what clients send."""

    hosts: frozenset[str]
    body: BodyLimits = field(default_factory=BodyLimits)


@dataclass(slots=True)
class Guard:
    """Wraps the application.

    clock: seconds that only rise. now: for the log, which takes one JSON line for each
    request: no picture, no embedding, no token, no name. full: whether a call would find
    no place; its body is then not read.
    """

    app: App
    limits: Limits
    metrics: Metrics
    tokens: Tokens
    clock: Callable[[], float] = time.monotonic
    now: Now = now_utc
    log: Write = write_line
    full: Callable[[], bool] = lambda: False
    room: Room = field(init=False)

    def __post_init__(self) -> None:
        self.room = Room(self.limits.body.of_all)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, method = self.clock(), 500, scope["method"]
        note = Note()
        # whatever may be asked with GET may be asked with HEAD: the same without its body
        scope = {**scope, "mien": note, "method": "GET" if method == "HEAD" else method}
        body = Body(receive, limits=self.limits.body, room=self.room, clock=self.clock)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _with_ours(message.get("headers", []))}
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        async def of_app(message: Message) -> None:
            # FastAPI makes a 400 of whatever reading the body raises: ours says what it was
            if body.refusal is None:
                await answer(message)

        try:
            refusal = self._refusal(scope, note)
            if refusal is None:
                # with GET no route reads a body, but a long answer listens for who leaves
                source = receive if scope["method"] == "GET" else body.receive
                with suppress(BodyRefused):
                    await self.app(scope, source, of_app)
                refusal = body.refusal
            if refusal is not None:
                await refusal(scope, receive, answer)
        finally:
            body.forget()
            self._told(scope, known_method(method), status, self.clock() - started)

    def _told(
        self, scope: MutableMapping[str, Any], method: str, status: int, took_s: float
    ) -> None:
        route = route_of(scope)
        self.metrics.note(method, route, status, took_s)
        # a page, a method that is none: no command has such an outcome
        outcome = scope["mien"].outcome or ("done" if status < 400 else "fault")
        line = {"method": method, "route": route, "status": status, "outcome": outcome}
        self.log(line_of(self.now, **line, ms=round(took_s * 1000, 1)))

    def _refusal(self, scope: MutableMapping[str, Any], note: Note) -> OutcomeResponse | None:
        """In this order: who asks from where, with which token, and only then with how much."""
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in headers and name in ONCE:
                return told("usage", 400, "a header is there twice")
            headers[name] = value
        return (
            self._of_elsewhere(scope, headers)
            or self._of_token(scope, headers, note)
            or self._of_body(scope, headers)
        )

    def _of_elsewhere(
        self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]
    ) -> OutcomeResponse | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host not in self.limits.hosts:
            # a page of another site whose name was made to point here (DNS rebinding)
            return told("wrong_host", 421, "this is not the host that you asked for")
        origin = headers.get(b"origin")
        ours = (None, f"http://{host}", f"https://{host}")
        site = headers.get(b"sec-fetch-site", b"same-origin")
        if (origin and origin.decode("latin-1").lower()) not in ours or (
            site not in (b"same-origin", b"none") and not _is_link_to_page(scope, headers)
        ):
            return told("forbidden", 403, "pages of other sites may not ask")
        return None

    def _of_token(
        self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes], note: Note
    ) -> OutcomeResponse | None:
        pattern = pattern_of(scope["method"], scope["path"])
        wanted = NEEDS[scope["method"], pattern] if pattern else None
        if wanted is None:
            return None
        shown = headers.get(b"authorization", b"").decode("latin-1")
        try:
            note.may, refusal = admitted(self.tokens, wanted, shown)
        except UsageError:  # its words name a file of this machine
            words = "the tokens of this service cannot be used; mien token list says why"
            return told("fault", 500, words)
        return refusal

    def _of_body(
        self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]
    ) -> OutcomeResponse | None:
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 18:
            return told("usage", 400, "the length of the body is no number")
        if int(length) > self.limits.body.of_one:
            return too_large(self.limits.body)
        if scope["method"] == "POST" and (self.full() or not self.room.has(int(length))):
            return busy()
        return None


def _is_link_to_page(scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> bool:
    """Somebody follows a link to the page, which holds no secret; in no frame, and no API."""
    return (
        (scope["method"], scope["path"]) == ("GET", "/")
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and headers.get(b"sec-fetch-dest") == b"document"
    )


def _with_ours(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [*(pair for pair in headers if pair[0].lower() != b"server"), *HEADERS]


def route_of(scope: MutableMapping[str, Any]) -> str:
    """The route's pattern, never the path: a path has names in it."""
    known = pattern_of(scope["method"], scope["path"])
    return known or str(getattr(scope.get("route"), "path", "none"))
