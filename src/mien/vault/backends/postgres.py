"""Store the vault's cells in a PostgreSQL database, for several machines with one vault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mien.errors import UsageError, VaultDamaged, quote
from mien.vault.backends.base import (
    MAX_VALUE_BYTES,
    Cells,
    VaultTable,
    View,
    check_key,
    check_limit,
    check_value,
)
from mien.vault.backends.postgres_errors import (
    READERS,
    TIMEOUTS,
    damaged,
    driver,
    translated_errors,
)
from mien.vault.backends.turns import Turns

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S = 5
_LOCK = 0x6D69656E  # "mien": a writer holds this lock, so that there is one at a time
_VALUE = f"CASE WHEN length(value) <= {MAX_VALUE_BYTES} THEN value END"

_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    tuple(
        f"CREATE TABLE mien.cell_{section.value} (key bytea PRIMARY KEY, value bytea NOT NULL)"
        for section in VaultTable
    ),
    (),  # the same tables; the manifest in them is of format 2, which `transaction` writes
)
"""Step n, counted from 1, leads to schema n. A step that was released is never edited."""

SCHEMA_VERSION = len(_MIGRATIONS)


class PostgresStore:
    """A `Store` in the schema `mien` of a database; made at the first change.

    url: postgresql://USER:PASSWORD@HOST/DATABASE with libpq's options, such as
    sslmode=verify-full. The password is in no message. A lost connection is opened again
    for the next transaction; the present one fails as a whole.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._place = _without_password(url)
        self._idle: list[psycopg.Connection[Any]] = []
        self._inherited: list[object] = []  # of a forked process: never closed here
        self._turns = Turns(readers=READERS)

    @property
    def place(self) -> str:
        return self._place

    @contextmanager
    def reading(self) -> Iterator[Cells]:
        self._leave_parents_connections()
        with self._turns.reading(), self._transaction("REPEATABLE READ READ ONLY") as db:
            exists = self._schema(db) > 0
            with closing(_PostgresCells(db, self._place, exists=exists, writable=False)) as cells:
                yield cells

    @contextmanager
    def writing(self) -> Iterator[Cells]:
        # READ COMMITTED shows what others wrote while this transaction waited for the lock
        self._leave_parents_connections()
        with self._turns.writing(), self._transaction("READ COMMITTED") as db:
            db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            self._migrate(db)
            with closing(_PostgresCells(db, self._place, exists=True, writable=True)) as cells:
                yield cells

    def check(self) -> None:
        with self.reading() as cells:
            for section in VaultTable:
                cells.scan(section, after=b"", limit=1)

    def close(self) -> None:
        self._leave_parents_connections()
        with self._turns.last_turn():
            while self._idle:
                self._drop(self._idle.pop())

    @contextmanager
    def _transaction(self, isolation: str) -> Iterator[psycopg.Connection[Any]]:
        """In a turn."""
        with translated_errors(self._place):
            db = self._begun(f"BEGIN ISOLATION LEVEL {isolation}")
            try:
                yield db
                db.execute("COMMIT")
                self._idle.append(db)
            except BaseException:
                self._roll_back(db)
                raise

    def _leave_parents_connections(self) -> None:
        """In a forked child: closing a connection would end that of the parent."""
        if self._turns.is_forked():
            self._inherited += self._idle
            self._idle = []

    def _begun(self, begin: str) -> psycopg.Connection[Any]:
        """A connection in a transaction."""
        while (kept := self._pop_idle()) is not None:
            try:
                kept.execute(begin)
                return kept
            except driver().Error:  # the server may have stopped, or restarted, since
                self._drop(kept)
        db = self._connect()
        try:
            db.execute(begin)
            return db
        except BaseException:
            self._drop(db)
            raise

    def _pop_idle(self) -> psycopg.Connection[Any] | None:
        with suppress(IndexError):  # another thread may take the last one
            return self._idle.pop()
        return None

    def _connect(self) -> psycopg.Connection[Any]:
        db: psycopg.Connection[Any] = driver().connect(
            self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
        )
        try:
            for setting in (
                "search_path = pg_catalog",  # no user's functions replace the built-in ones
                "synchronous_commit = on",
                *(f"{name} = {round(seconds * 1000)}" for name, seconds in TIMEOUTS.items()),
            ):
                db.execute(f"SET {setting}")
        except BaseException:
            self._drop(db)
            raise
        return db

    def _roll_back(self, db: psycopg.Connection[Any]) -> None:
        try:
            db.execute("ROLLBACK")
            self._idle.append(db)
        except driver().Error:
            self._drop(db)  # the server rolls back a transaction that lost its connection

    @staticmethod
    def _drop(db: psycopg.Connection[Any]) -> None:
        with suppress(driver().Error):
            db.close()

    def _schema(self, db: psycopg.Connection[Any]) -> int:
        """The schema of the database, 0 for none. VaultDamaged for one that is not known here."""
        (exists,) = _row(db.execute("SELECT to_regclass('mien.version') IS NOT NULL"))
        if not exists:
            return 0
        rows = db.execute("SELECT number FROM mien.version").fetchall()
        version = rows[0][0] if len(rows) == 1 else -1
        if not isinstance(version, int) or version < 1:
            raise damaged(self._place, "mien did not write its version")
        if version > SCHEMA_VERSION:
            raise VaultDamaged(
                f"the vault {quote(self._place)} has schema {version} and this mien knows"
                f" {SCHEMA_VERSION}; upgrade mien"
            )
        return version

    def _migrate(self, db: psycopg.Connection[Any]) -> None:
        version = self._schema(db)
        if version == SCHEMA_VERSION:
            return
        if version == 0:
            db.execute("CREATE SCHEMA IF NOT EXISTS mien")
            db.execute("CREATE TABLE mien.version (number integer NOT NULL)")
            db.execute("INSERT INTO mien.version VALUES (0)")
        for statements in _MIGRATIONS[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute("UPDATE mien.version SET number = %s", (SCHEMA_VERSION,))


class _PostgresCells(View):
    def __init__(
        self, db: psycopg.Connection[Any], place: str, *, exists: bool, writable: bool
    ) -> None:
        super().__init__(writable=writable)
        self._db = db
        self._place = place
        self._exists = exists

    def get(self, section: VaultTable, key: bytes) -> bytes | None:
        self._expect_open()
        if not self._exists:
            return None
        query = f"SELECT {_VALUE} FROM mien.cell_{section.value} WHERE key = %s"
        row = self._db.execute(query, (key,), binary=True).fetchone()
        return None if row is None else self._bytes(row[0])

    def scan(self, section: VaultTable, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        self._expect_open()
        check_limit(limit)
        if not self._exists:
            return []
        table = f"mien.cell_{section.value}"
        query = f"SELECT key, {_VALUE} FROM {table} WHERE key > %s ORDER BY key LIMIT %s"
        rows = self._db.execute(query, (after, limit), binary=True).fetchall()
        return [(self._bytes(key), self._bytes(value)) for key, value in rows]

    def wall_s(self) -> float | None:
        self._expect_open()
        (wall_s,) = _row(self._db.execute("SELECT extract(epoch FROM clock_timestamp())::float8"))
        return float(wall_s)

    def put(self, section: VaultTable, key: bytes, value: bytes) -> None:
        self._expect_writable()
        query = (
            f"INSERT INTO mien.cell_{section.value} (key, value) VALUES (%s, %s)"
            " ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value"
        )
        self._db.execute(query, (check_key(key), check_value(value)))

    def drop(self, section: VaultTable, key: bytes) -> bool:
        self._expect_writable()
        query = f"DELETE FROM mien.cell_{section.value} WHERE key = %s"
        return self._db.execute(query, (key,)).rowcount > 0

    def clear(self, section: VaultTable) -> None:
        self._expect_writable()
        self._db.execute(f"DELETE FROM mien.cell_{section.value}")

    def _bytes(self, value: object) -> bytes:
        if value is None:
            raise damaged(self._place, "a cell is too large")
        if not isinstance(value, bytes):
            raise damaged(self._place, "a cell is not bytes")
        return value


def _row(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM gives one row
    return tuple(row)


def _without_password(url: str) -> str:
    """postgresql://HOST:PORT/DATABASE, for messages and to identify the vault."""
    psycopg = driver()
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise UsageError(
            "MIEN_VAULT is not a URL of PostgreSQL; set it to postgresql://USER@HOST/DATABASE"
        ) from error
    port = f":{parts['port']}" if "port" in parts else ""
    name = parts.get("dbname", parts.get("user", ""))
    return f"postgresql://{parts.get('host', '')}{port}/{name}"
