"""Store the vault's cells in one SQLite file."""

from __future__ import annotations

import os
import time
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
from mien.vault.backends.one_transaction import OneTransaction
from mien.vault.backends.sqlite_connection import (
    connect,
    damaged,
    limit_steps,
    transaction,
    translated_errors,
)
from mien.vault.backends.sqlite_path import create_vault_file, find_vault_file
from mien.vault.backends.sqlite_schema import (
    PLAIN_SCHEMA,
    check_schema,
    migrate,
    schema_version,
)

if TYPE_CHECKING:  # sqlite3 is imported where a vault is opened, for a quick start
    import sqlite3

CHECKPOINT_RETRY_S = 0.02
_WITH_TEMPLATES = (VaultTable.RECORD, VaultTable.CENTROIDS)
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
        self._identity = (0, 0)  # device and inode of the open file
        self._log_inode = 0  # of its write-ahead log
        self._inherited: list[object] = []  # of a forked process: never closed here
        self._one = OneTransaction()
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
            with translated_errors(self._path), transaction(db, "BEGIN"), closing(cells):
                yield cells

    @contextmanager
    def writing(self) -> Iterator[Cells]:
        with self._exclusive():
            db = self._connect(create=self._create)
            if db is None:
                raise UsageError(f"there is no vault at {quote(self.place)}; run: mien vault init")
            cells = _SqliteCells(db, self._path, writable=True)
            with translated_errors(self._path), transaction(db, "BEGIN IMMEDIATE"), closing(cells):
                yield cells
            if not self._is_in_place():
                raise VaultDamaged(
                    f"the vault {quote(self.place)} was replaced while it was changed, and the"
                    " change is in the file that was replaced; try again"
                )
            if cells.dropped:  # so that the write-ahead log keeps nothing of a forgotten person
                self._empty_write_ahead_log(db)

    def check(self) -> None:
        with self._exclusive():
            db = self._connect(create=False)
            if db is None:
                return
            with translated_errors(self._path):
                limit_steps(db)
                verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise damaged(self._path, verdict.splitlines()[-1])

    def close(self) -> None:
        self._leave_parents_connection()
        with self._one.last_turn():
            if self._db is not None:
                import sqlite3

                with suppress(sqlite3.Error):  # another process may be reading the log; it can stay
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._db.close()
                self._db = None

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self._leave_parents_connection()
        with self._one.turn():
            yield

    def _leave_parents_connection(self) -> None:
        """In a forked child: closing the connection would release the locks of the parent."""
        if self._one.is_forked() and self._db is not None:
            self._inherited.append(self._db)
            self._db = None

    def _empty_write_ahead_log(self, db: sqlite3.Connection) -> None:
        end_s = time.monotonic() + self._busy_timeout_s
        while True:
            with translated_errors(self._path):
                # waits for readers as long as for writers
                [is_busy, *_] = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not is_busy or time.monotonic() >= end_s:
                break
            time.sleep(CHECKPOINT_RETRY_S)  # another process is emptying it: SQLite does not wait
        if is_busy:
            raise VaultDamaged(
                f"the change was made, but what was removed from the vault {quote(self.place)} is"
                " still in its write-ahead log, which another program reads; end that program,"
                " then run: mien vault verify"
            )

    def _remove_old_write_ahead_log(self) -> None:
        """Remove that of a file that was replaced: SQLite would copy it into the new file."""
        log = Path(f"{os.path.realpath(self._path)}-wal")
        with suppress(FileNotFoundError):
            if os.stat(log).st_ino == self._log_inode:
                log.unlink()
                log.with_name(log.name.removesuffix("wal") + "shm").unlink()

    def _is_in_place(self) -> bool:
        """Whether the open file is still the one at its path."""
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def _connect(self, *, create: bool) -> sqlite3.Connection | None:
        if self._db is not None and self._is_in_place():
            return self._db
        if self._db is not None:  # its file was deleted or replaced since
            self._db.close()
            self._db = None
            self._remove_old_write_ahead_log()
        real = find_vault_file(self._path)
        if real is None and create:
            create_vault_file(self._path)
            real = find_vault_file(self._path)
        if real is None:
            return None
        with translated_errors(self._path):
            status = os.stat(real)
            db = self._open(real, create=create)
        if db is None:
            return None
        self._db, self._identity = db, (status.st_dev, status.st_ino)
        with suppress(FileNotFoundError):
            self._log_inode = os.stat(f"{real}-wal").st_ino
        return db

    def _open(self, real: Path, *, create: bool) -> sqlite3.Connection | None:
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
                with transaction(db, "BEGIN IMMEDIATE"):
                    migrate(db, self._path)
            check_schema(db, self._path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")  # overwrite what is deleted with zeros
            # a process that was killed may have left what it removed; it can wait for readers
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except BaseException:
            db.close()
            raise
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
        self.dropped = self.dropped or (found and section in _WITH_TEMPLATES)
        return found

    def clear(self, section: VaultTable) -> None:
        self._expect_writable()
        found = self._db.execute(f"DELETE FROM cell_{section.value}").rowcount > 0
        self.dropped = self.dropped or (found and section in _WITH_TEMPLATES)

    def _bytes(self, value: object) -> bytes:
        if value is None:
            raise damaged(self._path, "a cell is too large, or empty")
        if not isinstance(value, bytes):  # SQLite stores any type in any column
            raise damaged(self._path, "a cell is not bytes")
        return value
