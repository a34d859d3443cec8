"""The checks that every request passes before a route sees it, and what every response gets.

Plain ASGI, so it covers the page, errors and unknown addresses as well. In this order: the
origin of the request, its token, the size of its body.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.datastructures import QueryParams

from mien.errors import MienError, UsageError
from mien.web.asgi import App, Headers, Message, Receive, RequestState, Scope, Send
from mien.web.auth import (
    REQUIRED_SCOPES,
    NotAuthenticated,
    NotPermitted,
    Token,
    TokenStore,
    authorize,
    route_pattern,
)
from mien.web.log import LogClock, WriteLine, log_line, now_utc, write_line
from mien.web.metrics import Metrics, known_method
from mien.web.request_body import BodyLimits, BodyMemory, BodyReader, BodyRefused, too_large
from mien.web.responses import (
    SECURITY_HEADERS,
    OutcomeResponse,
    busy_response,
    internal_error_response,
    message_response,
    token_required_response,
)
from mien.web.usage import Usage

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"  # in the place of bytes that are not UTF-8
NOT_UTF8 = "the address is not UTF-8"
UNREPEATABLE_HEADERS = (b"host", b"origin", b"content-length", b"authorization")
"""With two of one of these, two readers could each take another one."""


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
    body of a POST is then not read. usage: what tokens with limits have used. wall_clock: seconds
    since 1970.
    """

    app: App
    limits: RequestLimits
    metrics: Metrics
    tokens: TokenStore
    clock: Callable[[], float] = time.monotonic
    now: LogClock = now_utc
    log: WriteLine = write_line
    pool_is_full: Callable[[str], bool] = lambda client: False
    usage: Usage = field(default_factory=Usage)
    wall_clock: Callable[[], float] = time.time
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
        if REPLACEMENT in scope["path"]:
            # what two names are made of that are not UTF-8 could be one person
            return message_response("usage", 400, NOT_UTF8)
        return (
            _check_query(scope.get("query_string", b""))
            or self._check_origin(scope, headers)
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
            token = authorize(self.tokens, authorization, required=required)
        except NotAuthenticated:
            return token_required_response()
        except NotPermitted:
            message = f"the token's scope is too small: {required} is required"
            return message_response("forbidden", 403, message)
        except UsageError:  # its message names a file of this machine
            message = "the service's tokens cannot be read; for the reason: mien token list"
            return internal_error_response(message)
        scope["mien"].token_scope = token.scope
        scope["mien"].client = f"token {token.sha256}"
        return self._check_limits(token)

    def _check_limits(self, token: Token) -> OutcomeResponse | None:
        """Count the request of a token that may make so many, over all processes of the service."""
        now = self.wall_clock()
        for most, window_s, word in (
            (token.per_minute, 60, "minute"),
            (token.per_day, 86_400, "day"),
        ):
            try:
                used = self.usage.count(token.sha256, window_s, now) if most else 0
            except MienError:  # its message names a file of this machine
                return internal_error_response("the service cannot count requests; see its log")
            if used > most:
                wait_s = window_s - int(now) % window_s
                message = f"this token may make {most} requests a {word}; try again in {wait_s} s"
                return message_response("over_limit", 429, message, Retry_After=str(wait_s))
        return None

    def _check_body(self, scope: Scope, headers: Headers) -> OutcomeResponse | None:
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 18:
            return message_response("usage", 400, "Content-Length is not a valid number")
        if int(length) > self.limits.body.max_bytes:
            return too_large(self.limits.body)
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


def _check_query(query: bytes) -> OutcomeResponse | None:
    """Refuse what two readers could take differently, as in forms."""
    fields = QueryParams(query).multi_items()  # what is not UTF-8 becomes U+FFFD
    if any(REPLACEMENT in name + value for name, value in fields):
        return message_response("usage", 400, NOT_UTF8)
    names = [name for name, _ in fields]
    if len(set(names)) < len(names):
        return message_response("usage", 400, "a field of the address is given twice; send it once")
    return None


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
