"""API tokens: who may ask the service for what. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from mien.errors import UsageError
from mien.files import exclusive_lock, write_whole

SCOPES = ("unlock", "enroll", "admin")
"""Each may do what the one before it may, and more."""

PREFIX = "mien_"
SECRET_BYTES = 32
MAX_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Token:
    """sha256: of the secret, in hexadecimal; 256 random bits need no salt. created_at: UTC."""

    name: str
    scope: str
    sha256: str
    created_at: str


class Tokens:
    """The tokens of one file, mode 0600, and those that live as long as the process.

    Raises UsageError for a file that mien did not write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._passing: list[Token] = []

    def create(self, name: str, scope: str, *, created_at: str) -> str:
        """A new token. Returns the secret, which cannot be had again."""
        if not _NAME.fullmatch(name):
            raise UsageError("a token's name has up to 64 letters, digits, dots and dashes")
        secret, token = _new(name, scope, created_at)
        with self._alone():
            kept = self._read()
            if any(one.name == name for one in kept):
                raise UsageError(
                    f"there is a token {name!r} already; revoke it, or take a new name"
                )
            self._write([*kept, token])
        return secret

    def create_passing(self, name: str, scope: str) -> str:
        """A token of this process exclusive_lock, such as that of the page."""
        secret, token = _new(name, scope, "")
        self._passing.append(token)
        return secret

    def revoke(self, name: str) -> None:
        """UsageError where there is none of this name."""
        with self._alone():
            kept = self._read()
            left = [one for one in kept if one.name != name]
            if len(left) == len(kept):
                raise UsageError(f"there is no token {name[:64]!r}; mien token list shows them")
            self._write(left)

    def all(self) -> list[Token]:
        """Those of the file, in the order they were made."""
        return self._read()

    def scope_of(self, secret: str) -> str | None:
        """What this secret may do; None for one that is not known. Compares with all of them."""
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
        found = None
        for token in (*self._passing, *self._read()):
            if hmac.compare_digest(token.sha256, digest):
                found = token.scope
        return found

    def _read(self) -> list[Token]:
        try:
            with open(self._path, "rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read") from error
        try:
            table = json.loads(content)
            if not isinstance(table, list):
                raise ValueError("no list")
            tokens = [Token(**one) for one in table]
            if any(one.scope not in SCOPES or len(one.sha256) != 64 for one in tokens):
                raise ValueError("unknown scope")
        except (ValueError, TypeError, RecursionError) as error:
            raise self._unusable("it is not as mien writes it; move it away") from error
        return tokens

    def _write(self, tokens: list[Token]) -> None:
        content = json.dumps([asdict(one) for one in tokens], indent=1).encode()
        try:
            write_whole(self._path, content, durable=True)
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be written") from error

    def _alone(self) -> AbstractContextManager[None]:
        return exclusive_lock(self._path.with_name(self._path.name + ".lock"), self._unusable)

    def _unusable(self, why: str) -> UsageError:
        return UsageError(f"cannot use the tokens in {str(self._path)!r}: {why}")


def allows(scope: str, wanted: str) -> bool:
    """Whether a token of this scope may do what needs the other."""
    return SCOPES.index(scope) >= SCOPES.index(wanted)


def _new(
    name: str, scope: str, created_at: str, random: Callable[[int], str] = secrets.token_urlsafe
) -> tuple[str, Token]:
    if scope not in SCOPES:
        raise UsageError(f"a scope is one of {', '.join(SCOPES)}")
    secret = PREFIX + random(SECRET_BYTES)
    return secret, Token(name, scope, hashlib.sha256(secret.encode()).hexdigest(), created_at)
