"""What clients have used lately: in one file, so that several processes count together.

Nothing in it is secret or lasting: names of clients are hashes of tokens, or addresses.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mien.errors import MienError, quote_path
from mien.files import fault_of_owner
from mien.settings import Settings

BUSY_TIMEOUT_S = 2.0
_TABLES = (
    "CREATE TABLE IF NOT EXISTS times (client TEXT NOT NULL, at REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS times_of_client ON times (client, at)",
    "CREATE TABLE IF NOT EXISTS counts (client TEXT NOT NULL, window_s INTEGER NOT NULL,"
    " start INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (client, window_s)) WITHOUT ROWID",
)


def usage_path(settings: Settings) -> Path:
    """The file of this user's services."""
    return settings.state_dir / "service-usage.sqlite"


def remove_damaged(path: Path) -> None:
    """Remove a file that is no database, as a power cut may leave it: it has counts of a day alone.

    To be called before the service has begun. A file that cannot be opened stays, and `Usage`
    refuses it.
    """
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as db:
            is_whole = db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    except sqlite3.OperationalError:
        return
    except sqlite3.DatabaseError:
        is_whole = False
    if not is_whole:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


class Usage:
    """path: of the file; None counts in memory, for this process alone. Safe to use from several
    threads. Every method raises MienError if the file cannot be used: then nothing is allowed.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path, self._lock = path, threading.Lock()
        with self._errors():
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
                fault = fault_of_owner(path.stat())
                if fault:  # whoever can write it takes the limits away
                    raise PermissionError(fault)
            self._db = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = OFF")  # counts that a power cut may forget
                for statement in _TABLES:
                    self._db.execute(statement)
            except sqlite3.Error:
                self._db.close()
                raise

    def add_time(self, client: str, at: float, *, window_s: float) -> None:
        """Note that something happened at this time. What is older than the window is dropped."""
        with self._lock, self._errors():
            self._db.execute("DELETE FROM times WHERE at < ?", (at - window_s,))
            self._db.execute("INSERT INTO times VALUES (?, ?)", (client, at))

    def nth_newest(self, client: str, n: int, *, after: float, until: float) -> float | None:
        """Of the times between the two, the n-th newest, 1 or more; None if there are fewer.

        A clock that was set back leaves times in the future, which do not count.
        """
        with self._lock, self._errors():
            row = self._db.execute(
                "SELECT at FROM times WHERE client = ? AND at > ? AND at <= ?"
                " ORDER BY at DESC LIMIT 1 OFFSET ?",
                (client, after, until, n - 1),
            ).fetchone()
        return None if row is None else float(row[0])

    def count(self, client: str, window_s: int, now: float) -> int:
        """Count one more in the window of so many seconds that holds now; how many it then has.

        A time of the window before counts in the newer one, or two processes at the turn of a
        minute would begin it anew with each request; a clock that was set back further begins anew.
        """
        start = int(now) - int(now) % window_s
        with self._lock, self._errors():
            row = self._db.execute(
                "INSERT INTO counts VALUES (?, ?, ?, 1) ON CONFLICT (client, window_s) DO UPDATE"
                " SET used = CASE WHEN start - excluded.start IN (0, window_s) THEN used + 1 ELSE 1"
                " END, start = CASE WHEN start - excluded.start = window_s THEN start"
                " ELSE excluded.start END RETURNING used",
                (client, window_s, start),
            ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            where = "memory" if self._path is None else quote_path(self._path)
            # SQLite says "I/O error" where the disk is full for a file beside its own
            is_full = getattr(error, "errno", 0) == errno.ENOSPC or any(
                words in str(error) for words in ("disk is full", "disk I/O error")
            )
            remedy = "free some space" if is_full else "make it writable, or remove it"
            raise MienError(
                f"the service cannot count what its clients use in {where}"
                f" ({type(error).__name__}); {remedy}"
            ) from error
