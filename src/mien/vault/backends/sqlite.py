"""Store the vault's cells in one SQLite file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
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
from mien.vault.backends.sqlite_connection import (
    damaged,
    empty_write_ahead_log,
    limit_steps,
    transaction,
    translated_errors,
)
from mien.vault.backends.sqlite_path import find_vault_file
from mien.vault.backends.sqlite_pool import SqlitePool
from mien.vault.backends.sqlite_schema import SCHEMA_VERSION, migrate
from mien.vault.backends.turns import Turns

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
        self._pool = SqlitePool(self._path, busy_timeout_s)
        self._turns = Turns()
        find_vault_file(self._path)  # raises for a place that cannot be a vault

    can_compare_vectors = False

    @property
    def place(self) -> str:
        return str(self._path)

    @contextmanager
    def reading(self) -> Iterator[Cells]:
        self._leave_parents_connections()
        with self._turns.reading(), self._pool.connection(create=False) as one:
            if one is None:
                with closing(NoCells()) as no_cells:
                    yield no_cells
                return
            cells = _SqliteCells(one.db, self._path, writable=False)
            with translated_errors(self._path), transaction(one.db, "BEGIN"), closing(cells):
                yield cells

    @contextmanager
    def writing(self) -> Iterator[Cells]:
        self._leave_parents_connections()
        with self._turns.writing(), self._pool.connection(create=self._create) as one:
            if one is None:
                raise UsageError(f"there is no vault at {quote(self.place)}; run: mien vault init")
            cells, begin = _SqliteCells(one.db, self._path, writable=True), "BEGIN IMMEDIATE"
            with translated_errors(self._path), transaction(one.db, begin), closing(cells):
                if one.schema < SCHEMA_VERSION:
                    migrate(one.db, self._path)
                yield cells
            if not self._pool.is_in_place(one):
                raise VaultDamaged(
                    f"the vault {quote(self.place)} was replaced while it was changed, and the"
                    " change is in the file that was replaced; try again"
                )
        if cells.dropped:  # so that the write-ahead log keeps nothing of a forgotten person
            self._empty_write_ahead_log()

    def check(self) -> None:
        self._leave_parents_connections()
        with self._turns.reading(), self._pool.connection(create=False) as one:
            if one is None:
                return
            with translated_errors(self._path):
                limit_steps(one.db)
                verdict = one.db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise damaged(self._path, verdict.splitlines()[-1])

    def close(self) -> None:
        self._leave_parents_connections()
        with self._turns.last_turn():
            self._pool.close()

    def _leave_parents_connections(self) -> None:
        if self._turns.is_forked():
            self._pool.abandon()

    def _empty_write_ahead_log(self) -> None:
        """Writers of this process do not wait for it, and it waits for all who read."""
        end_s = time.monotonic() + self._busy_timeout_s
        while True:
            connection = self._pool.connection(create=False)
            with self._turns.reading(), connection as one, translated_errors(self._path):
                is_empty = one is None or empty_write_ahead_log(one.db)
            if is_empty or time.monotonic() >= end_s:
                break
            time.sleep(CHECKPOINT_RETRY_S)
        if not is_empty:
            raise VaultDamaged(
                f"the change was made, but what was removed from the vault {quote(self.place)} is"
                " still in its write-ahead log, which another program reads; end that program,"
                " then run: mien vault verify"
            )


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
