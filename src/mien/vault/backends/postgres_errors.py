"""What goes wrong with a PostgreSQL server, in mien's words: one line, without the password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mien.errors import VaultDamaged, missing_extra, quote

READERS = 4  # connections of one process beside that of the writer
LOCK, STATEMENT, IDLE = (
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
)
TIMEOUTS = {LOCK: 10.0, STATEMENT: 30.0, IDLE: 60.0}
"""Seconds by the server's setting. The last one ends a transaction that asks nothing, so that
whoever waits for its lock goes on."""

_MISSING = (
    ('database "', "has no database of that name; create it with createdb"),
    ('role "', "does not know that user; create it with createuser, or correct MIEN_VAULT"),
)
"""Parts of the server's messages that say `does not exist`, and ours: its text is never quoted."""
_NO_PASSWORD = ("password authentication", "no password")
_NO_CONNECTION = ("too many connections", "too many clients", "remaining connection slots")


def driver() -> Any:
    """The module psycopg. Raises MissingExtra."""
    try:
        import psycopg
    except ImportError as error:
        raise missing_extra("a vault in PostgreSQL needs psycopg", "postgres") from error
    return psycopg


@contextmanager
def translated_errors(place: str) -> Iterator[None]:
    """Raise VaultDamaged for psycopg's errors. place: of the vault, without the password."""
    psycopg = driver()
    try:
        yield
    except psycopg.Error as error:
        words = _words_by_class(error) or _words_by_text(error)
        if words is None:
            raise damaged(place, _class_of(error)) from error
        raise VaultDamaged(words.format(place=quote(place))) from error


def damaged(place: str, why: str) -> VaultDamaged:
    """The error for a database whose content is not a vault's."""
    return VaultDamaged(
        f"the vault {quote(place)} is damaged, or not a vault ({why}); restore it from a backup"
    )


def _words_by_class(error: Exception) -> str | None:
    errors = driver().errors
    words = {
        errors.LockNotAvailable: (
            "the vault {place} is in use by another program; try again in a moment"
        ),
        errors.QueryCanceled: (
            f"a statement on the vault {{place}} took longer than {TIMEOUTS[STATEMENT]:.0f}"
            " seconds; look for what slows the server down, or for tables that mien did not make"
        ),
        errors.IdleInTransactionSessionTimeout: (
            "the server of the vault {place} ended a transaction that asked nothing for"
            f" {TIMEOUTS[IDLE]:.0f} seconds; nothing was changed: try again"
        ),
        errors.ReadOnlySqlTransaction: (
            "the server of the vault {place} takes no changes: it is a standby, or set to read"
            " only; set MIEN_VAULT to the primary server"
        ),
        errors.UndefinedTable: (
            "the vault {place} is damaged, or not a vault (one of its tables is missing); restore"
            " it from a backup"
        ),
        errors.InsufficientPrivilege: (
            "the database {place} does not give this role access; grant it the schema mien"
        ),
    }
    return next((line for kind, line in words.items() if isinstance(error, kind)), None)


def _words_by_text(error: Exception) -> str | None:
    """Of an error of the connection, which has no class of its own; None for another error."""
    if not isinstance(error, driver().OperationalError):
        return None
    text = str(error)
    for part, words in _MISSING:
        if part in text and "does not exist" in text:
            return f"the server of {{place}} {words}"
    if any(part in text for part in _NO_PASSWORD):
        return "the database {place} refuses that user or password; correct MIEN_VAULT"
    if any(part in text for part in _NO_CONNECTION):
        return (
            "the server of {place} gives no further connection to this role; a process of mien uses"
            f" up to {READERS + 1}: raise the role's CONNECTION LIMIT or the server's"
            " max_connections, or start fewer processes"
        )
    return (
        f"the database {{place}} does not answer ({_class_of(error)}); start it, or correct"
        " MIEN_VAULT"
    )


def _class_of(error: Exception) -> str:
    """The class of an error: its text may quote the URL or a value."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__
