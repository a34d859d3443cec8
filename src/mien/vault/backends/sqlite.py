"""Store the vault's cells in one SQLite file."""

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
    NoCells,
    VaultTable,
    View,
    check_key,
    check_limit,
    check_value,
)
from mien.vault.backends.sqlite_path import create_vault_file, find_vault_file
from mien.vault.backends.sqlite_schema import PLAIN_SCHEMA, migrate, schema_version

if TYPE_CHECKING:  # sqlite3 is imported where a vault is opened, for a quick start
    import sqlite3

_MESSAGES = (
    ("is locked", "is in use by another program; try again in a moment"),
    ("disk is full", "has no space left on its disk; free some space and try again"),
    ("readonly database", "is read-only, or its folder is; make both writable and try again"),
    ("unable to open", "cannot be opened; make the file and its folder readable and writable"),
    ("disk I/O error", "is on a disk that is full or failing; free some space, or check the disk"),
)
# a crafted file could exhaust the memory: a value that is too large is not read
_VALUE = f"CASE WHEN length(value) <= {MAX_VALUE_BYTES} THEN value END"


class SqliteStore:
    """A `Store` in one SQLite file; only this user can read the file and the folders made for it.

    path: the file. create: make it at the first change; otherwise an absent file reads
    as empty, and cannot be changed. busy_timeout_s: how long to wait for another process
    that is writing.

    A write-ahead log is beside the file while it is in use. Every change is on the disk
    when its transaction ends (`synchronous = FULL`).
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
        find_vault_file(self._path)  # raises for a place that cannot be a vault

    @property
    def place(self) -> str:
        return str(self._path)

    @contextmanager
    def reading(self) -> Iterator[Cells]:
        with self._exclusive():
            db = self._connect(create=False)
            if db is None:
                with closing(NoCells()) as no_cells:
                    yield no_cells
                return
            cells = _SqliteCells(db, self._path, writable=False)
            with translated_errors(self._path), _transaction(db, "BEGIN"), closing(cells):
                yield cells

    @contextmanager
    def writing(self) -> Iterator[Cells]:
        with self._exclusive():
            db = self._connect(create=self._create)
            if db is None:
                raise UsageError(f"there is no vault at {quote(self.place)}; run: mien vault init")
            cells = _SqliteCells(db, self._path, writable=True)
            with translated_errors(self._path), _transaction(db, "BEGIN IMMEDIATE"), closing(cells):
                yield cells
            if cells.dropped:  # so that the write-ahead log keeps nothing of a forgotten person
                with translated_errors(self._path):
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def check(self) -> None:
        with self._exclusive():
            db = self._connect(create=False)
            if db is None:
                return
            with translated_errors(self._path):
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

                with suppress(sqlite3.Error):  # another process may be reading the log; it can stay
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._db.close()
                self._db = None

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
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

    def _connect(self, *, create: bool) -> sqlite3.Connection | None:
        if self._db is not None:
            return self._db
        real = find_vault_file(self._path)
        if real is None and create:
            create_vault_file(self._path)
            real = find_vault_file(self._path)
        if real is None:
            return None
        with translated_errors(self._path):
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
                db.execute("PRAGMA secure_delete = ON")  # overwrite what is deleted with zeros
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

    def get(self, section: VaultTable, key: bytes) -> bytes | None:
        self._expect_open()
        query = f"SELECT {_VALUE} FROM cell_{section.value} WHERE key = ?"
        row = self._db.execute(query, (key,)).fetchone()
        return None if row is None else self._bytes(row[0])

    def scan(self, section: VaultTable, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        self._expect_open()
        check_limit(limit)
        query = f"SELECT key, {_VALUE} FROM cell_{section.value} WHERE key > ? ORDER BY key LIMIT ?"
        rows = self._db.execute(query, (after, limit)).fetchall()
        return [(self._bytes(key), self._bytes(value)) for key, value in rows]

    def put(self, section: VaultTable, key: bytes, value: bytes) -> None:
        self._expect_writable()
        row = (check_key(key), check_value(value))
        self._db.execute(f"REPLACE INTO cell_{section.value} (key, value) VALUES (?, ?)", row)

    def drop(self, section: VaultTable, key: bytes) -> bool:
        self._expect_writable()
        query = f"DELETE FROM cell_{section.value} WHERE key = ?"
        found = self._db.execute(query, (key,)).rowcount > 0
        self.dropped = self.dropped or found
        return found

    def clear(self, section: VaultTable) -> None:
        self._expect_writable()
        self.dropped = self._db.execute(f"DELETE FROM cell_{section.value}").rowcount > 0 or (
            self.dropped
        )

    def _bytes(self, value: object) -> bytes:
        if value is None:
            raise _damaged(self._path, "a cell is too large, or empty")
        if not isinstance(value, bytes):  # SQLite stores any type in any column
            raise _damaged(self._path, "a cell is not bytes")
        return value


def connect(real: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Connect to an existing file. The caller must keep threads apart."""
    import sqlite3

    # mode=rw never makes a file; isolation_level=None leaves BEGIN and COMMIT to the caller
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
    return _damaged(path, str(error))


def _damaged(path: Path, why: str) -> VaultDamaged:
    return VaultDamaged(
        f"{quote(str(path))} is damaged, or not a vault ({quote(why)});"
        " restore it from a backup, or move it away and enroll again"
    )
