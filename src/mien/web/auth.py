"""Who may ask the service for what: API tokens, and the scope that each route requires.

Only hashes of tokens are stored. Needs no web framework: `mien token` works in the base install.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mien.errors import UsageError, quote, quote_path
from mien.files import exclusive_lock, fault_of_owner, read_regular, write_whole
from mien.settings import Settings

NESTED_SCOPES = ("camera", "unlock", "enroll", "admin")
"""Each may do what the one before it may, and more. With "camera" a device may only take part in
challenges: its token opens nothing with a saved photo."""
METRICS = "metrics"
SCOPES = (*NESTED_SCOPES, METRICS)
"""With "metrics" a program may read the metrics and do nothing else."""

TOKEN_PREFIX = "mien_"
TICKET_PREFIX = "ticket_"
SECRET_BYTES = 32
MAX_FILE_BYTES = 1 << 20
_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

PEOPLE_PREFIX = "/v1/people/"
PERSON_PATTERN = PEOPLE_PREFIX + "{user}"
NAME_PATTERN = PERSON_PATTERN + "/name"
PICTURE_PATTERN = PERSON_PATTERN + "/picture"
FOLLOW_PATTERN = PERSON_PATTERN + "/follow"
LEARNED_PATTERN = PERSON_PATTERN + "/learned"
NOT_ME_PATTERN = PERSON_PATTERN + "/not-me"
BELOW_PERSON = (NAME_PATTERN, PICTURE_PATTERN, FOLLOW_PATTERN, LEARNED_PATTERN, NOT_ME_PATTERN)

REQUIRED_SCOPES: dict[tuple[str, str], str | None] = {
    ("POST", "/v1/unlock"): "unlock",
    ("POST", "/v1/unlock/frames"): "unlock",
    ("POST", "/v1/identify"): "unlock",
    ("POST", "/v1/challenge"): "camera",
    ("POST", "/v1/challenge/frame"): "camera",
    ("POST", "/v1/compare"): "enroll",
    ("POST", "/v1/look"): "enroll",
    ("POST", "/v1/explore"): "enroll",
    ("GET", "/v1/people"): "enroll",
    ("POST", "/v1/people"): "enroll",
    ("POST", PERSON_PATTERN): "enroll",
    ("POST", NAME_PATTERN): "enroll",
    ("DELETE", PICTURE_PATTERN): "enroll",
    ("POST", FOLLOW_PATTERN): "enroll",
    ("DELETE", LEARNED_PATTERN): "enroll",
    ("POST", NOT_ME_PATTERN): "enroll",
    ("DELETE", NOT_ME_PATTERN): "enroll",
    ("DELETE", PERSON_PATTERN): "admin",
    ("GET", "/v1/log"): "admin",
    ("GET", "/metrics"): METRICS,
    ("GET", "/v1/health"): None,
    ("GET", "/v1/ready"): None,
    ("POST", "/v1/session"): None,  # swaps the page's ticket for a token
}
"""(method, route pattern) -> scope; None needs no token. This is the only table of scopes. A route
that is missing here gets no scope, and every route that depends on a scope then refuses."""


class NotAuthenticated(Exception):
    """The request carries no known token."""


class NotPermitted(Exception):
    """The token is known, and its scope is too small for the route."""


@dataclass(frozen=True, slots=True)
class Token:
    """sha256: of the secret, in hexadecimal; 256 random bits need no salt. created_at: UTC.

    per_minute, per_day: how many requests it may make; 0 for any number.
    """

    name: str
    scope: str
    sha256: str
    created_at: str
    per_minute: int = 0
    per_day: int = 0

    def to_dict(self) -> dict[str, object]:
        """As it is stored: without limits as every version of mien reads it."""
        return {name: value for name, value in asdict(self).items() if value != 0}


class TokenStore:
    """The tokens in one file, mode 0600, and those that live as long as the process.

    Every method raises UsageError for a file that mien did not write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary: list[Token] = []

    def create(
        self, name: str, scope: str, *, created_at: str, per_minute: int = 0, per_day: int = 0
    ) -> str:
        """Store a new token and return its secret, which is stored nowhere."""
        if per_minute < 0 or per_day < 0:
            raise UsageError("a token's limit is a number of requests, 1 or more; 0 for none")
        if not _TOKEN_NAME.fullmatch(name):
            raise UsageError(
                "a token's name has up to 64 letters, digits, dots, dashes and underscores,"
                " and starts with a letter or digit"
            )
        secret, token = _new_token(name, scope, created_at)
        token = replace(token, per_minute=per_minute, per_day=per_day)
        with self._exclusive():
            stored = self._read()
            if any(one.name == name for one in stored):
                raise UsageError(
                    f"a token named {name!r} exists already; choose another name, or revoke it:"
                    f" mien token revoke {name}"
                )
            self._write([*stored, token])
        return secret

    def create_temporary(self, name: str, scope: str) -> str:
        """A token that only this process knows, such as the page's. Returns its secret."""
        secret, token = _new_token(name, scope, "")
        self._temporary.append(token)
        return secret

    def revoke(self, name: str) -> None:
        """Delete the token of this name. UsageError if there is none."""
        with self._exclusive():
            stored = self._read()
            kept = [one for one in stored if one.name != name]
            if len(kept) == len(stored):
                raise UsageError(f"there is no token {quote(name)}; to see all: mien token list")
            self._write(kept)

    def stored(self) -> list[Token]:
        """The tokens in the file, oldest first."""
        return self._read()

    def scope_of(self, secret: str) -> str | None:
        """The scope of the token with this secret; None if it is unknown."""
        token = self.find(secret)
        return None if token is None else token.scope

    def find(self, secret: str) -> Token | None:
        """The token with this secret; None if it is unknown.

        Every known token is compared, so the time does not tell which one matched.
        """
        digest, found = _digest(secret), None
        for token in (*self._temporary, *self._read()):
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found

    def _read(self) -> list[Token]:
        try:
            content = read_regular(self._path, MAX_FILE_BYTES + 1, expect=self._expect_own)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error.strerror or "the file cannot be read") from error
        try:
            table = json.loads(content)
            if not isinstance(table, list):
                raise ValueError("not a list")
            tokens = [Token(**one) for one in table]
            if any(one.scope not in SCOPES or len(one.sha256) != 64 for one in tokens):
                raise ValueError("unknown scope or hash")
            if any(type(n) is not int or n < 0 for t in tokens for n in (t.per_minute, t.per_day)):
                raise ValueError("a limit is no number")
        except (ValueError, TypeError, RecursionError) as error:
            raise self._unusable("mien did not write this file; move it away") from error
        return tokens

    def _expect_own(self, status: os.stat_result) -> None:
        fault = fault_of_owner(status)
        if fault:  # whoever can write it can add a token of their own
            raise self._unusable(fault)

    def _write(self, tokens: list[Token]) -> None:
        content = json.dumps([one.to_dict() for one in tokens], indent=1).encode()
        try:
            write_whole(self._path, content, durable=True)
        except OSError as error:
            raise self._unusable(error.strerror or "the file cannot be written") from error

    def _exclusive(self) -> AbstractContextManager[None]:
        return exclusive_lock(self._path.with_name(self._path.name + ".lock"), self._unusable)

    def _unusable(self, reason: str) -> UsageError:
        return UsageError(f"cannot use the tokens in {quote_path(self._path)}: {reason}")


class PageTicket:
    """The secret in the printed address: it is worth one token of scope admin, once.

    An address stays in the browser's history, where a used ticket is worth nothing. announce: gets
    a new ticket at the start and after each use.
    """

    def __init__(self, tokens: TokenStore, announce: Callable[[str], None]) -> None:
        self._tokens, self._announce = tokens, announce
        self._sha256 = ""

    def issue(self) -> None:
        """Announce a new ticket; the one before is worth nothing any more."""
        secret = TICKET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        self._sha256 = _digest(secret)
        self._announce(secret)

    def redeem(self, authorization: str) -> str:
        """The token for the ticket in an Authorization header of the scheme "Ticket".

        Raises NotAuthenticated for a ticket that is unknown or was used.
        """
        scheme, secret = _split(authorization)
        if scheme != "ticket" or not hmac.compare_digest(_digest(secret), self._sha256):
            raise NotAuthenticated
        token = self._tokens.create_temporary("page", "admin")
        self.issue()
        return token


def tokens_path(settings: Settings) -> Path:
    """Where the tokens of this user's service are stored."""
    return settings.data_dir / "tokens.json"


def allows(scope: str, required: str) -> bool:
    """Whether a token of this scope may use a route that requires the other scope."""
    if METRICS in (scope, required):
        return scope in (required, "admin")
    return NESTED_SCOPES.index(scope) >= NESTED_SCOPES.index(required)


def route_pattern(method: str, path: str) -> str | None:
    """The pattern of the route that a request is for; None if the table has no such route."""
    patterns = [path]
    if path.startswith(PEOPLE_PREFIX):
        # no name has a slash
        endings = [(one, one.removeprefix(PERSON_PATTERN)) for one in BELOW_PERSON]
        patterns = [one for one, ending in endings if path.endswith(ending)]
        patterns.append(PERSON_PATTERN)
    return next((one for one in patterns if (method, one) in REQUIRED_SCOPES), None)


def authorize(tokens: TokenStore, authorization: str, *, required: str) -> Token:
    """The token in an Authorization header, if its scope is enough for the required one.

    Raises NotAuthenticated, NotPermitted, and UsageError if the token file cannot be used.
    """
    scheme, secret = _split(authorization)
    token = tokens.find(secret) if scheme == "bearer" else None
    if token is None:
        raise NotAuthenticated
    if not allows(token.scope, required):
        raise NotPermitted
    return token


def token_digest(authorization: str) -> str:
    """SHA-256 of the token in an Authorization header, however the header is spelled."""
    return _digest(_split(authorization)[1])


def _split(authorization: str) -> tuple[str, str]:
    scheme, _, secret = authorization.partition(" ")
    return scheme.lower(), secret.strip()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _new_token(
    name: str, scope: str, created_at: str, random: Callable[[int], str] = secrets.token_urlsafe
) -> tuple[str, Token]:
    if scope not in SCOPES:
        raise UsageError(f"unknown scope {quote(scope)}; choose one of {', '.join(SCOPES)}")
    secret = TOKEN_PREFIX + random(SECRET_BYTES)
    return secret, Token(name, scope, _digest(secret), created_at)
