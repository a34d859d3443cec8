"""The vault's cells in one SQLite file."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import UsageError, VaultDamaged
from mien.vault.place import create_vault_file, find_vault_file
from mien.vault.record import shown
from mien.vault.schema import migrate, schema_version
from mien.vault.store import Cells, Space, check_key, check_value

if TYPE_CHECKING:  # sqlite3 is imported where a vault is opened, for a quick start
    import sqlite3

_PLAIN_WORDS = (
    ("is locked", "is in use by another program; try again in a moment"),
    ("disk is full", "has no room left on its disk; free some space and try again"),
    ("readonly database", "is read-only, or its folder is; mend the permissions and try again"),
    ("unable to open", "cannot be opened; mend the permissions of the file and its folder"),
    ("disk I/O error", "cannot be read or written by its disk; check the disk and its quota"),
)
_PLAIN_SCHEMA = 1  # kept templates in the clear


class SqliteStore:
    """A `Store` in one SQLite file; the file and the folders made for it are private to us.

    path: the file. create: make it at the first change; otherwise an absent file reads
    as empty, and cannot be changed. busy_timeout_s: how long to wait for another process
    that is writing.

    A write-ahead log lies beside the file while it is in use. Every change is on the
    disk before it counts (`synchronous = FULL`).
    """

    def __init__(
        self, path: str | os.PathLike[str], *, create: bool, busy_timeout_s: float = 5.0
    ) -> None:
        self._path = Path(path).absolute()
        self._create = create
        self._busy_timeout_s = busy_timeout_s
        self._db: sqlite3.Connection | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._busy_thread: int | None = None
        find_vault_file(self._path)  # a place that cannot be a vault is refused now

    @property
    def place(self) -> str:
        return str(self._path)

    @contextmanager
    def reading(self) -> Iterator[Cells]:
        with self._alone():
            db = self._opened(create=False)
            if db is None:
                yield _NoCells()
                return
            with _plain_words(self._path), _transaction(db, "BEGIN"):
                # the snapshot is taken by the first read
                cells = schema_version(db, self._path) > _PLAIN_SCHEMA
                yield _SqliteCells(db, self._path, writable=False) if cells else _NoCells()

    @contextmanager
    def writing(self) -> Iterator[Cells]:
        with self._alone():
            db = self._opened(create=self._create)
            if db is None:
                raise UsageError(
                    f"there is no vault at {shown(self.place)}; run: mien enroll NAME PHOTO..."
                )
            with _plain_words(self._path), _transaction(db, "BEGIN IMMEDIATE"):
                migrate(db, self._path)
                yield _SqliteCells(db, self._path, writable=True)

    def check(self) -> None:
        with self._alone():
            db = self._opened(create=False)
            if db is None:
                return
            with _plain_words(self._path):
                verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise _damaged(self._path, verdict.splitlines()[-1])

    def old_rows(self) -> list[tuple[Any, ...]]:
        """The rows that schema 1 kept in the clear. Outside a transaction, or in `writing`."""
        if self._busy_thread == threading.get_ident():
            return self._rows_of_schema_1(self._db)
        with self._alone():
            return self._rows_of_schema_1(self._opened(create=False))

    def drop_old_rows(self) -> None:
        """Remove what schema 1 kept in the clear. Within `writing` only."""
        if self._db is None or self._busy_thread != threading.get_ident():
            raise ValueError("old rows are dropped within `writing`")
        self._db.execute("DELETE FROM templates")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._db is not None:
                import sqlite3

                with suppress(sqlite3.Error):  # a reader elsewhere keeps the log; no harm
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._db.close()
                self._db = None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._busy_thread == threading.get_ident():
            raise ValueError("a store has one transaction at a time; end the first one")
        with self._lock:
            if self._closed:
                raise ValueError("the store is closed")
            self._busy_thread = threading.get_ident()
            try:
                yield
            finally:
                self._busy_thread = None

    def _opened(self, *, create: bool) -> sqlite3.Connection | None:
        if self._db is not None:
            return self._db
        real = find_vault_file(self._path)
        if real is None and create:
            create_vault_file(self._path)
            real = find_vault_file(self._path)
        if real is None:
            return None
        with _plain_words(self._path):
            db = _connect(real, self._busy_timeout_s)
            try:
                if schema_version(db, self._path) == 0:
                    if not create:
                        db.close()
                        return None
                    with _transaction(db, "BEGIN IMMEDIATE"):
                        migrate(db, self._path)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA secure_delete = ON")  # a forgotten face becomes zeros
            except BaseException:
                db.close()
                raise
        self._db = db
        return db

    def _rows_of_schema_1(self, db: sqlite3.Connection | None) -> list[tuple[Any, ...]]:
        if db is None:
            return []
        with _plain_words(self._path):
            if not schema_version(db, self._path):
                return []
            columns = "user, model_name, model_sha256, created_at, payload, checksum"
            return db.execute(f"SELECT {columns} FROM templates ORDER BY user").fetchall()


class _NoCells:
    """The view of a store that is not there."""

    def get(self, space: Space, key: bytes) -> bytes | None:
        return None

    def scan(self, space: Space, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        return []

    def put(self, space: Space, key: bytes, value: bytes) -> None:
        raise ValueError("this view only reads; change cells in `writing`")

    def drop(self, space: Space, key: bytes) -> bool:
        raise ValueError("this view only reads; change cells in `writing`")


class _SqliteCells:
    def __init__(self, db: sqlite3.Connection, path: Path, *, writable: bool) -> None:
        self._db = db
        self._path = path
        self._writable = writable

    def get(self, space: Space, key: bytes) -> bytes | None:
        query = f"SELECT value FROM cell_{space.value} WHERE key = ?"
        row = self._db.execute(query, (key,)).fetchone()
        return None if row is None else self._bytes(row[0])

    def scan(self, space: Space, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        query = f"SELECT key, value FROM cell_{space.value} WHERE key > ? ORDER BY key LIMIT ?"
        rows = self._db.execute(query, (after, limit)).fetchall()
        return [(self._bytes(key), self._bytes(value)) for key, value in rows]

    def put(self, space: Space, key: bytes, value: bytes) -> None:
        self._expect_writable()
        row = (check_key(key), check_value(value))
        self._db.execute(f"REPLACE INTO cell_{space.value} (key, value) VALUES (?, ?)", row)

    def drop(self, space: Space, key: bytes) -> bool:
        self._expect_writable()
        query = f"DELETE FROM cell_{space.value} WHERE key = ?"
        return self._db.execute(query, (key,)).rowcount > 0

    def _bytes(self, value: object) -> bytes:
        if not isinstance(value, bytes):  # SQLite keeps any type in any column
            raise _damaged(self._path, "a cell is not bytes")
        return value

    def _expect_writable(self) -> None:
        if not self._writable:
            raise ValueError("this view only reads; change cells in `writing`")


def _connect(real: Path, busy_timeout_s: float) -> sqlite3.Connection:
    import sqlite3

    # mode=rw never makes a file; isolation_level=None leaves BEGIN and COMMIT to us; the
    # lock of the store keeps its threads apart
    return sqlite3.connect(
        real.as_uri() + "?mode=rw",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )


@contextmanager
def _transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    import sqlite3

    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the first error is the one to tell
            if db.in_transaction:  # SQLite has rolled back by itself on a full disk
                db.execute("ROLLBACK")
        raise


@contextmanager
def _plain_words(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into VaultDamaged."""
    import sqlite3

    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a fault in the calling code and not in the file
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # UnicodeDecodeError: SQLite quotes a damaged schema, and Python cannot read the quote
        raise _worded(error, path) from error


def _worded(error: Exception, path: Path) -> VaultDamaged:
    for said, words in _PLAIN_WORDS:
        if said in str(error):
            return VaultDamaged(f"the vault {shown(str(path))} {words}")
    return _damaged(path, str(error))


def _damaged(path: Path, why: str) -> VaultDamaged:
    return VaultDamaged(
        f"{shown(str(path))} is damaged, or not a vault ({shown(why)});"
        " restore it from a backup, or move it away and enrol again"
    )
