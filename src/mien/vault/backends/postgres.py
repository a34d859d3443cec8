"""Store the vault's cells in a PostgreSQL database, for several machines with one vault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mien.errors import UsageError, VaultDamaged, quote
from mien.vault.backends import tenants
from mien.vault.backends.base import Cells, VaultTable
from mien.vault.backends.postgres_cells import PostgresCells
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
_LOCK = 0x6D69656E  # "mien": a writer holds this lock of its tenant, so that there is one at a time
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# READ COMMITTED shows what others wrote while this transaction waited for the lock
_WRITE = (
    "BEGIN ISOLATION LEVEL READ COMMITTED;"
    f" SELECT pg_advisory_xact_lock({_LOCK}, hashtext(current_user))"
)
_NUMBERS = "(SELECT array_agg(number) FROM mien.version)"
_CLOCK = "extract(epoch FROM clock_timestamp())::float8"

_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    tuple(
        f"CREATE TABLE mien.cell_{section.value} (key bytea PRIMARY KEY, value bytea NOT NULL)"
        for section in VaultTable
    ),
    (),  # the same tables; the manifest in them is of format 2, which `transaction` writes
    tenants.MIGRATION,
)
"""Step n, counted from 1, leads to schema n. A step that was released is never edited."""

SCHEMA_VERSION = len(_MIGRATIONS)


class PostgresStore:
    """A `Store` in the schema `mien` of a database; made at the first change. The role that logs in
    is the tenant: it has a vault of its own.

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
        self._has_tables = False  # once it is known

    can_compare_vectors = True

    @property
    def place(self) -> str:
        return self._place

    @contextmanager
    def reading(self) -> Iterator[Cells]:
        self._leave_parents_connections()
        with self._turns.reading(), self._transaction(_READ) as (db, schema, _):
            cells = PostgresCells(db, self._place, schema=schema, writable=False)
            with closing(cells):
                yield cells

    @contextmanager
    def writing(self) -> Iterator[Cells]:
        self._leave_parents_connections()
        with self._turns.writing(), self._transaction(_WRITE) as (db, schema, wall_s):
            cells = PostgresCells(db, self._place, schema=schema, writable=True, wall_s=wall_s)
            with closing(cells):
                yield cells
                cells.flush()

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
    def _transaction(self, begin: str) -> Iterator[tuple[psycopg.Connection[Any], int, float]]:
        """In a turn: the connection, the schema, 0 for none, and the server's Unix time."""
        with translated_errors(self._place):
            db, found = self._begun(begin)
            try:
                version = self._checked(found)
                if begin == _WRITE and version != SCHEMA_VERSION:
                    self._migrate(db)
                    version = SCHEMA_VERSION
                yield db, version, found[1]
                db.execute("COMMIT")
                self._has_tables = version > 0
                self._idle.append(db)
            except BaseException:
                self._roll_back(db)
                raise

    def _leave_parents_connections(self) -> None:
        """In a forked child: closing a connection would end that of the parent."""
        if self._turns.is_forked():
            self._inherited += self._idle
            self._idle = []

    def _begun(self, begin: str) -> tuple[psycopg.Connection[Any], tuple[list[int], float]]:
        """A connection in a transaction; the numbers that say its schema, and the server's time."""
        while (kept := self._pop_idle()) is not None:
            try:
                return kept, self._ask(kept, begin)
            except BaseException as error:
                if isinstance(error, driver().Error) and kept.closed:
                    continue  # the server may have stopped, or restarted, since
                self._roll_back(kept)
                raise
        db = self._connect()
        try:
            return db, self._ask(db, begin)
        except BaseException:
            self._drop(db)
            raise

    def _ask(self, db: psycopg.Connection[Any], begin: str) -> tuple[list[int], float]:
        """One request where the tables are known, and two where they may be missing."""
        if not self._has_tables:
            query = f"{begin}; SELECT to_regclass('mien.version') IS NULL"
            if _last_row(db.execute(query))[0]:
                return [0], float(_last_row(db.execute(f"SELECT {_CLOCK}"))[0])
            begin = ""
        numbers, wall_s = _last_row(db.execute(f"{begin}; SELECT {_NUMBERS}, {_CLOCK}"))
        return numbers or [], float(wall_s)

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

    def _checked(self, found: tuple[list[int], float]) -> int:
        """The schema of the database, 0 for none. VaultDamaged for one that is not known here."""
        numbers, _ = found
        version = numbers[0] if len(numbers) == 1 else -1
        if version < 0:
            raise damaged(self._place, "mien did not write its version")
        if version > SCHEMA_VERSION:
            raise VaultDamaged(
                f"the vault {quote(self._place)} has schema {version} and this mien knows"
                f" {SCHEMA_VERSION}; upgrade mien"
            )
        return version

    def _migrate(self, db: psycopg.Connection[Any]) -> None:
        # the lock of all writers before there were tenants: none of them writes meanwhile
        db.execute(f"SELECT pg_advisory_xact_lock({_LOCK}::int8)")
        version = self._schema_now(db)
        db.execute("SET LOCAL statement_timeout = 0")  # a new index over many cells takes long
        try:
            if version == 0:
                db.execute("CREATE SCHEMA IF NOT EXISTS mien")
                db.execute("CREATE TABLE mien.version (number integer NOT NULL)")
                db.execute("INSERT INTO mien.version VALUES (0)")
            for statements in _MIGRATIONS[version:]:
                db.execute("; ".join(statements))  # in one request
            if version < SCHEMA_VERSION:
                db.execute("UPDATE mien.version SET number = %s", (SCHEMA_VERSION,))
        except driver().errors.InsufficientPrivilege as error:
            raise VaultDamaged(
                f"the vault {quote(self._place)} has schema {version} and this mien writes"
                f" {SCHEMA_VERSION}; make any change as the owner of the schema mien, such as: mien"
                " vault init"
            ) from error

    def _schema_now(self, db: psycopg.Connection[Any]) -> int:
        """The schema, which another tenant may have changed just now."""
        if _last_row(db.execute("SELECT to_regclass('mien.version') IS NULL"))[0]:
            return 0
        return self._checked((_last_row(db.execute(f"SELECT {_NUMBERS}"))[0] or [], 0.0))


def _last_row(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    """The row of the last of several statements, which gives one."""
    while cursor.nextset():
        pass
    row = cursor.fetchone()
    assert row is not None
    return tuple(row)


def _without_password(url: str) -> str:
    """postgresql://USER@HOST:PORT/DATABASE, for messages and to identify the vault.

    Without a user whose name is the database's, as earlier versions had it for all users.
    """
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
    user = parts.get("user", name)
    tenant = "" if user == name else f"{user}@"
    return f"postgresql://{tenant}{parts.get('host', '')}{port}/{name}"
