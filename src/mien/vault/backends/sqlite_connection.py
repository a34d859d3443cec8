"""Connections to a vault's SQLite file: what its statements may cost, and mien's own errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import VaultDamaged, quote

if TYPE_CHECKING:  # sqlite3 is imported where a vault is opened, for a quick start
    import sqlite3

_MESSAGES = (
    ("is locked", "is in use by another program; try again in a moment"),
    ("disk is full", "has no space left on its disk; free some space and try again"),
    ("readonly database", "is read-only, or its folder is; make both writable and try again"),
    ("unable to open", "cannot be opened; make the file and its folder readable and writable"),
    ("interrupted", "takes too long to read: it is damaged; restore it from a backup"),
    ("disk I/O error", "is on a disk that is full or failing; free some space, or check the disk"),
)

# a transaction ends after so many steps of SQLite's virtual machine, about 10 s; to read all of
# 100,000 people takes a hundredth of it
STEPS_PER_CALL = 1_000_000
MAX_CALLS = 1_000
JOURNAL_RETRY_S = 0.01


class _StepLimit:
    """SQLite's progress handler: it stops the statement once it returns true."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self) -> bool:
        self._calls += 1
        return self._calls > MAX_CALLS


def connect(real: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Connect to an existing file. The caller must keep threads apart."""
    import sqlite3

    # mode=rw never makes a file; isolation_level=None leaves BEGIN and COMMIT to the caller
    db = sqlite3.connect(
        real.as_uri() + "?mode=rw",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    db.execute("PRAGMA trusted_schema = OFF")  # no function of a view or trigger is trusted
    limit_steps(db)
    return db


def limit_steps(db: sqlite3.Connection) -> None:
    """Bound the work of what is executed from here on, until this is called again."""
    db.set_progress_handler(_StepLimit(), STEPS_PER_CALL)


def keep_write_ahead_log(db: sqlite3.Connection, wait_s: float) -> None:
    """Have the file keep a write-ahead log. Raises sqlite3.OperationalError.

    SQLite waits for a lock before other statements, and not before this one; so whoever opens a
    new file while another program makes it would be refused.
    """
    import sqlite3

    end_s = time.monotonic() + wait_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "is locked" not in str(error) or time.monotonic() >= end_s:
                raise
        time.sleep(JOURNAL_RETRY_S)


def empty_write_ahead_log(db: sqlite3.Connection) -> bool:
    """Copy all of it into the file, so that it keeps nothing. False at once if somebody uses it."""
    [wait_ms] = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute("PRAGMA busy_timeout = 0")  # while SQLite waits for a reader, nobody can write
    try:
        [is_busy, *_] = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.execute(f"PRAGMA busy_timeout = {wait_ms}")
    return not is_busy


@contextmanager
def transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    """A transaction, committed when the block ends without an error."""
    import sqlite3

    limit_steps(db)
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # raise the first error, not a later one
            if db.in_transaction:  # on a full disk SQLite rolls back by itself
                db.execute("ROLLBACK")
        raise


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Raise VaultDamaged for SQLite's errors."""
    import sqlite3

    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # an error of the calling code, not of the file
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # UnicodeDecodeError: SQLite quotes bytes of a damaged schema in its message
        raise _translated(error, path) from error
    except MemoryError as error:
        # SQLite allocates the sizes that a damaged schema names
        raise VaultDamaged(
            f"the vault {quote(str(path))} needs more memory than there is: close other"
            " programs; if it still does, it is damaged: restore it from a backup"
        ) from error


def _translated(error: Exception, path: Path) -> VaultDamaged:
    for text, message in _MESSAGES:
        if text in str(error):
            return VaultDamaged(f"the vault {quote(str(path))} {message}")
    return damaged(path, str(error))


def damaged(path: Path, why: str) -> VaultDamaged:
    """The error for a file whose content is not a vault's."""
    return VaultDamaged(
        f"{quote(str(path))} is damaged, or not a vault ({quote(why)});"
        " restore it from a backup, or move it away and enroll again"
    )
