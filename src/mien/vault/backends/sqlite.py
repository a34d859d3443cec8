"""The vault's cells in one SQLite file."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import UsageError, VaultDamaged, quote
from mien.vault.backends.base import (
    MAX_VALUE_BYTES,
    Cells,
    DictCells,
    Section,
    View,
    check_key,
    check_limit,
    check_value,
)
from mien.vault.backends.sqlite_path import create_vault_file, find_vault_file
from mien.vault.backends.sqlite_schema import PLAIN_SCHEMA, migrate, schema_version

if TYPE_CHECKING:  # sqlite3 is imported where a vault is opened, for a quick start
    import sqlite3

_PLAIN_WORDS = (
    ("is locked", "is in use by another program; try again in a moment"),
    ("disk is full", "has no room left on its disk; free some space and try again"),
    ("readonly database", "is read-only, or its folder is; mend the permissions and try again"),
    ("unable to open", "cannot be opened; mend the permissions of the file and its folder"),
    ("disk I/O error", "is on a disk that is full or failing; free some space, or check the disk"),
)
# the file may have been made to eat the memory: what is too large is not read
_VALUE = f"CASE WHEN length(value) <= {MAX_VALUE_BYTES} THEN value END"


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
                with closing(DictCells({}, writable=False)) as nothing:
                    yield nothing
                return
            cells = _SqliteCells(db, self._path, writable=False)
            with plain_words(self._path), _transaction(db, "BEGIN"), closing(cells):
                yield cells

    @contextmanager
    def writing(self) -> Iterator[Cells]:
        with self._alone():
            db = self._opened(create=self._create)
            if db is None:
                raise UsageError(
                    f"there is no vault at {quote(self.place)}; run: mien enroll NAME PHOTO..."
                )
            cells = _SqliteCells(db, self._path, writable=True)
            with plain_words(self._path), _transaction(db, "BEGIN IMMEDIATE"), closing(cells):
                yield cells
            if cells.dropped:  # what was forgotten is not to wait in the log for the next start
                with plain_words(self._path):
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def check(self) -> None:
        with self._alone():
            db = self._opened(create=False)
            if db is None:
                return
            with plain_words(self._path):
                verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise _damaged(self._path, verdict.splitlines()[-1])

    def close(self) -> None:
        if self._busy_thread == threading.get_ident():
            raise ValueError("end the transaction before the store is closed")
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
        with plain_words(self._path):
            db = connect(real, self._busy_timeout_s)
            try:
                version = schema_version(db, self._path)
                if version == PLAIN_SCHEMA:
                    raise UsageError(
                        f"the vault {quote(self.place)} was made by an older mien and is not"
                        " sealed; run: mien vault init"
                    )
                if version == 0:
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


class _SqliteCells(View):
    def __init__(self, db: sqlite3.Connection, path: Path, *, writable: bool) -> None:
        super().__init__(writable=writable)
        self._db = db
        self._path = path
        self.dropped = False

    def get(self, space: Section, key: bytes) -> bytes | None:
        self._expect_open()
        query = f"SELECT {_VALUE} FROM cell_{space.value} WHERE key = ?"
        row = self._db.execute(query, (key,)).fetchone()
        return None if row is None else self._bytes(row[0])

    def scan(self, space: Section, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        self._expect_open()
        check_limit(limit)
        query = f"SELECT key, {_VALUE} FROM cell_{space.value} WHERE key > ? ORDER BY key LIMIT ?"
        rows = self._db.execute(query, (after, limit)).fetchall()
        return [(self._bytes(key), self._bytes(value)) for key, value in rows]

    def put(self, space: Section, key: bytes, value: bytes) -> None:
        self._expect_writable()
        row = (check_key(key), check_value(value))
        self._db.execute(f"REPLACE INTO cell_{space.value} (key, value) VALUES (?, ?)", row)

    def drop(self, space: Section, key: bytes) -> bool:
        self._expect_writable()
        query = f"DELETE FROM cell_{space.value} WHERE key = ?"
        found = self._db.execute(query, (key,)).rowcount > 0
        self.dropped = self.dropped or found
        return found

    def clear(self, space: Section) -> None:
        self._expect_writable()
        self.dropped = self._db.execute(f"DELETE FROM cell_{space.value}").rowcount > 0 or (
            self.dropped
        )

    def _bytes(self, value: object) -> bytes:
        if value is None:
            raise _damaged(self._path, "a cell is too large, or empty")
        if not isinstance(value, bytes):  # SQLite keeps any type in any column
            raise _damaged(self._path, "a cell is not bytes")
        return value


def connect(real: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection to a file that is there. Whoever opens keeps its threads apart."""
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
def plain_words(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into VaultDamaged."""
    import sqlite3

    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a fault in the calling code and not in the file
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # UnicodeDecodeError: SQLite quotes a damaged schema, and Python cannot read the quote
        raise _worded(error, path) from error
    except MemoryError as error:
        # SQLite believes the sizes in a damaged schema and asks for as much
        raise VaultDamaged(
            f"the vault {quote(str(path))} asks for more memory than there is: close other"
            " programs; if it still does, it is damaged: restore it from a backup"
        ) from error


def _worded(error: Exception, path: Path) -> VaultDamaged:
    for said, words in _PLAIN_WORDS:
        if said in str(error):
            return VaultDamaged(f"the vault {quote(str(path))} {words}")
    return _damaged(path, str(error))


def _damaged(path: Path, why: str) -> VaultDamaged:
    return VaultDamaged(
        f"{quote(str(path))} is damaged, or not a vault ({quote(why)});"
        " restore it from a backup, or move it away and enroll again"
    )
