"""Which scope each route needs. The guard asks before it reads a body."""

from __future__ import annotations

from dataclasses import dataclass

from mien.web.responses import OutcomeResponse, told
from mien.web.tokens import Tokens, allows

PEOPLE = "/v1/people/"

NEEDS: dict[tuple[str, str], str | None] = {
    ("POST", "/v1/unlock"): "unlock",
    ("POST", "/v1/identify"): "unlock",
    ("POST", "/v1/compare"): "enroll",
    ("POST", "/v1/look"): "enroll",
    ("POST", "/v1/explore"): "enroll",
    ("GET", "/v1/people"): "enroll",
    ("POST", PEOPLE + "{user}"): "enroll",
    ("DELETE", PEOPLE + "{user}"): "admin",
    ("GET", "/v1/log"): "admin",
    ("GET", "/metrics"): "admin",
    ("GET", "/v1/health"): None,
    ("GET", "/v1/ready"): None,
}
"""The only place that says so; None needs no token. A route that is not here gets none, and
every route that asks what the token may do refuses then."""


@dataclass(slots=True)
class Note:
    """What guard and route tell each other of one request, in its scope under "mien".

    may: scope of the token that was shown, where the route needs one. outcome: for the log.
    """

    may: str | None = None
    outcome: str = ""


def pattern_of(method: str, path: str) -> str | None:
    """The pattern of the route that a request is for; None where the table has none."""
    pattern = PEOPLE + "{user}" if path.startswith(PEOPLE) else path
    return pattern if (method, pattern) in NEEDS else None


def admitted(
    tokens: Tokens, wanted: str, authorization: str
) -> tuple[str, None] | tuple[None, OutcomeResponse]:
    """The scope of the token in this header, or the answer to who has none that is enough.

    Raises UsageError where the file of tokens cannot be used.
    """
    kind, _, secret = authorization.partition(" ")
    scope = tokens.scope_of(secret.strip()) if kind.lower() == "bearer" else None
    if scope is None:
        return None, no_token()
    if not allows(scope, wanted):
        words = "this token may not do that; mien token list shows scopes"
        return None, told("forbidden", 403, words)
    return scope, None


def no_token() -> OutcomeResponse:
    """401, and how to make one."""
    words = "a token is needed; mien token create NAME makes one"
    return told("no_token", 401, words, WWW_Authenticate="Bearer")
