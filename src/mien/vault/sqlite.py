"""Templates in one SQLite file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mien.errors import UsageError, VaultDamaged
from mien.vault.place import create_vault_file, find_vault_file
from mien.vault.record import Record, RecordHead, already_enrolled, check_user_name, shown
from mien.vault.schema import SCHEMA_VERSION, migrate, schema_version

if TYPE_CHECKING:  # sqlite3 is imported where a vault is opened, for a quick start
    import sqlite3

    from mien.results import ModelId

_COLUMNS = "user, model_name, model_sha256, created_at, payload, checksum"
_ROWS_AT_ONCE = 100

_PLAIN_WORDS = (
    ("is locked", "is in use by another program; try again in a moment"),
    ("disk is full", "has no room left on its disk; free some space and try again"),
    ("readonly database", "is read-only, or its folder is; mend the permissions and try again"),
    ("unable to open", "cannot be opened; mend the permissions of the file and its folder"),
    ("disk I/O error", "cannot be read or written by its disk; check the disk and its quota"),
)


class SqliteVault:
    """A `Vault` in one SQLite file; the file and the folders made for it are private to us.

    path: the file. create: make the file if it is absent; if false, an absent
    file is an empty vault and nothing is made. busy_timeout_s: how long to wait
    for another process that is writing.

    Every change is one transaction that is on the disk when the method returns.
    Each row carries a SHA-256 over all its columns, checked whenever the row is
    read. That finds accidents, and rows edited or swapped by hand; it does not
    stop an attacker, who can compute the checksum too. The payload is as plain
    as it was given.

    One object belongs to the thread that made it. Raises UsageError for a path
    that cannot be a vault, VaultDamaged for a file that is not to be trusted.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, create: bool, busy_timeout_s: float = 5.0
    ) -> None:
        self._path = Path(path).absolute()
        self._busy_timeout_s = busy_timeout_s
        self._closed = False
        self._db: sqlite3.Connection | None = None
        self._db = self._opened(create=create)

    def put(self, record: Record, *, replace: bool) -> None:
        db = self._database()
        if db is None:
            raise UsageError(f"there is no vault at {shown(self._path)}; open it with create=True")
        row = _row(record)
        with _plain_words(self._path), _transaction(db):
            query = "SELECT 1 FROM templates WHERE user = ?"
            if not replace and db.execute(query, (record.user,)).fetchone():
                raise already_enrolled(record.user)
            db.execute(f"REPLACE INTO templates ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)

    def get(self, user: str) -> Record | None:
        name = check_user_name(user)
        db = self._database()
        if db is None:
            return None
        query = f"SELECT {_COLUMNS} FROM templates WHERE user = ?"
        with _plain_words(self._path):
            row = db.execute(query, (name,)).fetchone()
        if row is None:
            self._expect_sound(db)
            return None
        return _record(row, self._path)

    def remove(self, user: str) -> bool:
        """Forget the user, also one whose record is damaged."""
        name = check_user_name(user)
        db = self._database()
        if db is None:
            return False
        with _plain_words(self._path), _transaction(db):
            removed = db.execute("DELETE FROM templates WHERE user = ?", (name,)).rowcount
        if removed == 0:
            self._expect_sound(db)
        return removed > 0

    def heads(self) -> list[RecordHead]:
        db = self._database()
        return [] if db is None else [record.head for record in self._all_records(db)]

    def records(self, model: ModelId) -> Iterator[Record]:
        db = self._database()
        everybody = iter(()) if db is None else self._all_records(db)
        # the model is not asked for in SQL, because an altered row would then be skipped in silence
        return (record for record in everybody if record.model == model)

    def close(self) -> None:
        self._closed = True
        if self._db is not None:
            self._db.close()
            self._db = None

    def __enter__(self) -> SqliteVault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _database(self) -> sqlite3.Connection | None:
        if self._closed:
            raise ValueError("the vault is closed")
        if self._db is None:  # absent so far, and somebody may have enrolled since
            self._db = self._opened(create=False)
        return self._db

    def _opened(self, *, create: bool) -> sqlite3.Connection | None:
        real = find_vault_file(self._path)
        if real is None and create:
            create_vault_file(self._path)
            real = find_vault_file(self._path)
        if real is None:
            return None
        with _plain_words(self._path):
            db = _connect(real, self._busy_timeout_s)
            try:
                ready = _prepare(db, self._path, create=create)
            except BaseException:
                db.close()
                raise
        if not ready:
            db.close()
            return None
        return db

    def _all_records(self, db: sqlite3.Connection) -> Iterator[Record]:
        """All records in order, some at a time, so that no lock outlives a query."""
        with _plain_words(self._path):
            verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise _damaged(self._path, verdict.splitlines()[-1])
        query = f"SELECT {_COLUMNS} FROM templates WHERE user > ? ORDER BY user LIMIT ?"
        last = ""
        while True:
            with _plain_words(self._path):
                rows = db.execute(query, (last, _ROWS_AT_ONCE)).fetchall()
            if not rows:
                return
            for row in rows:
                record = _record(row, self._path)
                if record.user <= last:  # a tree out of order could lead round and round
                    raise _damaged(self._path, "the rows are out of order")
                last = record.user
                yield record

    def _expect_sound(self, db: sqlite3.Connection) -> None:
        """Before "no such user" is said: a damaged key or tree also hides a user."""
        for _ in self._all_records(db):
            pass


def _connect(real: Path, busy_timeout_s: float) -> sqlite3.Connection:
    import sqlite3

    # mode=rw never makes a file; isolation_level=None leaves BEGIN and COMMIT to us
    uri = real.as_uri() + "?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, isolation_level=None)


def _prepare(db: sqlite3.Connection, path: Path, *, create: bool) -> bool:
    """Check whose file it is and bring it up to date. False for an empty file left empty."""
    version = schema_version(db, path)
    if version == 0 and not create:
        return False
    db.execute("PRAGMA journal_mode = DELETE")  # one file; a log beside it could get lost
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")  # a forgotten face is overwritten with zeros
    if version < SCHEMA_VERSION:
        with _transaction(db):
            migrate(db, path)
    return True


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    import sqlite3

    db.execute("BEGIN IMMEDIATE")
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
        raise  # a fault in the calling code, such as a second thread, and not in the file
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # UnicodeDecodeError: SQLite quotes a damaged schema, and Python cannot read the quote
        raise _worded(error, path) from error


def _worded(error: Exception, path: Path) -> VaultDamaged:
    for said, words in _PLAIN_WORDS:
        if said in str(error):
            return VaultDamaged(f"the vault {shown(path)} {words}")
    return _damaged(path, str(error))


def _damaged(path: Path, why: str) -> VaultDamaged:
    return VaultDamaged(
        f"{shown(path)} is damaged, or not a vault ({shown(why)});"
        " restore it from a backup, or move it away and enrol again"
    )


def _row(record: Record) -> tuple[str, str, str, str, bytes, bytes]:
    model = record.model
    columns = (record.user, model.name, model.sha256, record.created_at, record.payload)
    return (*columns, _checksum(*columns))


def _record(row: tuple[Any, ...], path: Path) -> Record:
    """The record of a row whose checksum is right. VaultDamaged otherwise."""
    from mien.results import ModelId

    *columns, checksum = row
    types = [type(column) for column in columns]
    if types == [str, str, str, str, bytes] and _checksum(*columns) == checksum:
        user, model_name, model_sha256, created_at, payload = columns
        with suppress(ValueError, UsageError):  # a row that mien never writes is damaged too
            return Record(user, ModelId(model_name, model_sha256), created_at, payload)
    raise VaultDamaged(
        f"the record of {shown(columns[0])} in the vault {shown(path)} is damaged;"
        " restore the file from a backup, or forget this user and enrol again"
    )


def _checksum(user: str, name: str, sha256: str, created_at: str, payload: bytes) -> bytes:
    """SHA-256 over the columns, each with its length, so that no byte can change sides."""
    digest = hashlib.sha256(b"mien record 1")
    for part in (user.encode(), name.encode(), sha256.encode(), created_at.encode(), payload):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
