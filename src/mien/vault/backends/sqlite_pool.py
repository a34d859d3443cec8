"""The open connections to a vault's SQLite file: one for each thread that uses it at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import UsageError, VaultDamaged, quote
from mien.records import dataclass
from mien.vault.backends.sqlite_connection import (
    connect,
    empty_write_ahead_log,
    keep_write_ahead_log,
    transaction,
    translated_errors,
)
from mien.vault.backends.sqlite_path import create_vault_file, find_vault_file
from mien.vault.backends.sqlite_schema import (
    PLAIN_SCHEMA,
    SCHEMA_VERSION,
    check_schema,
    migrate,
    schema_version,
)

if TYPE_CHECKING:  # sqlite3 is imported where a vault is opened, for a quick start
    import sqlite3


@dataclass(frozen=True, slots=True, eq=False)
class OpenFile:
    """A connection. identity: device and inode of the file. log_inode: of its write-ahead log.

    schema: that the file had when it was opened.
    """

    db: sqlite3.Connection
    identity: tuple[int, int]
    log_inode: int
    schema: int


class SqlitePool:
    """path: of the vault's file. A connection is given to one thread at a time, and kept after."""

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self._path, self._busy_timeout_s = path, busy_timeout_s
        self._lock = threading.Lock()
        self._idle: list[OpenFile] = []
        self._in_use = 0
        self._abandoned: list[OpenFile] = []  # never closed

    @contextmanager
    def connection(self, *, create: bool) -> Iterator[OpenFile | None]:
        """A connection to the file that is now at the path; None where there is none.

        create: make the file, and its tables. Raises VaultDamaged, UsageError.
        """
        with self._lock:
            one = self._take(create=create)
            self._in_use += one is not None
        try:
            yield one
        finally:
            if one is not None:
                with self._lock:
                    self._in_use -= 1
                    self._idle.append(one)

    def is_in_place(self, one: OpenFile) -> bool:
        """Whether the open file is still the one at the path."""
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == one.identity

    def abandon(self) -> None:
        """In a forked child: closing a connection would release the locks of the parent."""
        self._lock = threading.Lock()
        self._abandoned += self._idle
        self._idle, self._in_use = [], 0

    def close(self) -> None:
        """Close the connections, none of which is in use."""
        while self._idle:
            one = self._idle.pop()
            if not self._idle:
                with suppress(VaultDamaged), translated_errors(self._path):
                    empty_write_ahead_log(one.db)  # another process may be reading it: it can stay
            one.db.close()

    def _take(self, *, create: bool) -> OpenFile | None:
        self._leave_replaced()
        if self._idle:
            return self._idle.pop()
        real = find_vault_file(self._path)
        if real is None and create:
            create_vault_file(self._path)
            real = find_vault_file(self._path)
        if real is None:
            return None
        with translated_errors(self._path):
            status = os.stat(real)
            db, schema = self._open(real, create=create)
        if db is None:
            return None
        log_inode = 0
        with suppress(FileNotFoundError):
            log_inode = os.stat(f"{real}-wal").st_ino
        return OpenFile(db, (status.st_dev, status.st_ino), log_inode, schema)

    def _open(self, real: Path, *, create: bool) -> tuple[sqlite3.Connection | None, int]:
        """The connection, None for an empty file, and the schema of the file."""
        db = connect(real, self._busy_timeout_s)
        try:
            version = schema_version(db, self._path)
            if version == PLAIN_SCHEMA:
                raise UsageError(
                    f"the vault {quote(str(self._path))} was made by an older mien and is not"
                    " sealed; run: mien vault init"
                )
            if version == 0:
                if not create:
                    db.close()
                    return None, 0
                with transaction(db, "BEGIN IMMEDIATE"):
                    migrate(db, self._path)
                version = SCHEMA_VERSION
            check_schema(db, self._path, version)
            keep_write_ahead_log(db, self._busy_timeout_s)
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")  # overwrite what is deleted with zeros
            if not self._in_use:  # a process that was killed may have left what it removed
                empty_write_ahead_log(db)  # it can stay where another process is reading
        except BaseException:
            db.close()
            raise
        return db, version

    def _leave_replaced(self) -> None:
        """Leave the connections to a file that was deleted or replaced since."""
        kept = [one for one in self._idle if self.is_in_place(one)]
        replaced = [one for one in self._idle if one not in kept]
        self._idle = kept
        for one in replaced:
            if kept or self._in_use:
                # SQLite, when the last connection to a file is closed, removes the write-ahead log
                # of its name, which may be that of the new file
                self._abandoned.append(one)
            else:
                one.db.close()
            self._remove_write_ahead_log(one)

    def _remove_write_ahead_log(self, replaced: OpenFile) -> None:
        """Of a file that was replaced: SQLite would copy it into the new file."""
        log = Path(f"{os.path.realpath(self._path)}-wal")
        with suppress(FileNotFoundError):
            if os.stat(log).st_ino == replaced.log_inode:
                log.unlink()
                log.with_name(log.name.removesuffix("wal") + "shm").unlink()
