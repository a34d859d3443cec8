"""Store the vault's cells in a PostgreSQL database, for several machines with one vault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mien.errors import UsageError, VaultDamaged, missing_extra, quote
from mien.vault.backends.base import (
    MAX_VALUE_BYTES,
    Cells,
    VaultTable,
    View,
    check_key,
    check_limit,
    check_value,
)
from mien.vault.backends.one_transaction import OneTransaction

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 30.0
_MISSING = (
    ('database "', "has no database of that name; create it with createdb"),
    ('role "', "does not know that user; create it with createuser, or correct MIEN_VAULT"),
)
"""Parts of the server's messages that say `does not exist`, and ours: its text is never quoted."""
_LOCK = 0x6D69656E  # "mien": a writer holds this lock, so that there is one at a time
_VALUE = f"CASE WHEN length(value) <= {MAX_VALUE_BYTES} THEN value END"

_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    tuple(
        f"CREATE TABLE mien.cell_{section.value} (key bytea PRIMARY KEY, value bytea NOT NULL)"
        for section in VaultTable
    ),
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
        self._db: psycopg.Connection[Any] | None = None
        self._inherited: list[object] = []  # of a forked process: never closed here
        self._one = OneTransaction()

    @property
    def place(self) -> str:
        return self._place

    @contextmanager
    def reading(self) -> Iterator[Cells]:
        with self._transaction("REPEATABLE READ READ ONLY") as db:
            exists = self._schema(db) > 0
            with closing(_PostgresCells(db, self._place, exists=exists, writable=False)) as cells:
                yield cells

    @contextmanager
    def writing(self) -> Iterator[Cells]:
        # READ COMMITTED shows what others wrote while this transaction waited for the lock
        with self._transaction("READ COMMITTED") as db:
            db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            self._migrate(db)
            with closing(_PostgresCells(db, self._place, exists=True, writable=True)) as cells:
                yield cells

    def check(self) -> None:
        with self.reading() as cells:
            for section in VaultTable:
                cells.scan(section, after=b"", limit=1)

    def close(self) -> None:
        self._leave_parents_connection()
        with self._one.last_turn():
            self._drop_connection()

    @contextmanager
    def _transaction(self, isolation: str) -> Iterator[psycopg.Connection[Any]]:
        self._leave_parents_connection()
        with self._one.turn():
            try:
                with _translated_errors(self._place):
                    db = self._connected()
                    db.execute(f"BEGIN ISOLATION LEVEL {isolation}")
                    yield db
                    db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _leave_parents_connection(self) -> None:
        """In a forked child: closing the connection would end that of the parent."""
        if self._one.is_forked() and self._db is not None:
            self._inherited.append(self._db)
            self._db = None

    def _connected(self) -> psycopg.Connection[Any]:
        driver = _driver()
        if self._db is not None and not self._db.closed:
            with suppress(driver.Error):
                self._db.execute("SELECT 1")  # the server may have stopped since
                return self._db
            self._drop_connection()
        db: psycopg.Connection[Any] = driver.connect(
            self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
        )
        db.execute(
            "SET search_path = pg_catalog"
        )  # so that no user's functions replace the built-in ones
        db.execute(f"SET lock_timeout = {round(LOCK_TIMEOUT_S * 1000)}")
        db.execute(f"SET statement_timeout = {round(STATEMENT_TIMEOUT_S * 1000)}")
        db.execute("SET synchronous_commit = on")
        db.execute("SET idle_in_transaction_session_timeout = '60s'")
        self._db = db
        return db

    def _roll_back(self) -> None:
        if self._db is None:
            return
        try:
            self._db.execute("ROLLBACK")
        except _driver().Error:
            self._drop_connection()  # the server rolls back a transaction that lost its connection

    def _drop_connection(self) -> None:
        if self._db is not None:
            with suppress(_driver().Error):
                self._db.close()
            self._db = None

    def _schema(self, db: psycopg.Connection[Any]) -> int:
        """The schema of the database, 0 for none. VaultDamaged for one that is not known here."""
        (exists,) = _row(db.execute("SELECT to_regclass('mien.version') IS NOT NULL"))
        if not exists:
            return 0
        rows = db.execute("SELECT number FROM mien.version").fetchall()
        version = rows[0][0] if len(rows) == 1 else -1
        if not isinstance(version, int) or version < 1:
            raise _damaged(self._place, "mien did not write its version")
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
            raise _damaged(self._place, "a cell is too large")
        if not isinstance(value, bytes):
            raise _damaged(self._place, "a cell is not bytes")
        return value


def _row(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM gives one row
    return tuple(row)


def _driver() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise missing_extra("a vault in PostgreSQL needs psycopg", "postgres") from error
    return psycopg


@contextmanager
def _translated_errors(place: str) -> Iterator[None]:
    """Raise mien's errors for psycopg's, in one line and without the password."""
    psycopg = _driver()
    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        raise VaultDamaged(
            f"the vault {quote(place)} is in use by another program; try again in a moment"
        ) from error
    except psycopg.errors.QueryCanceled as error:
        raise VaultDamaged(
            f"a statement on the vault {quote(place)} took longer than {STATEMENT_TIMEOUT_S:.0f}"
            " seconds; look for what slows the server down, or for tables that mien did not make"
        ) from error
    except psycopg.errors.UndefinedTable as error:
        raise _damaged(place, "one of its tables is missing") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise VaultDamaged(
            f"the database {quote(place)} does not give this role access; grant it the schema mien"
        ) from error
    except psycopg.OperationalError as error:
        for text, message in _MISSING:
            if text in str(error) and "does not exist" in str(error):
                raise VaultDamaged(f"the server of {quote(place)} {message}") from error
        if any(text in str(error) for text in ("password authentication", "no password")):
            raise VaultDamaged(
                f"the database {quote(place)} refuses that user or password; correct MIEN_VAULT"
            ) from error
        raise VaultDamaged(
            f"the database {quote(place)} does not answer ({_class_of(error)}); start it, or"
            " correct MIEN_VAULT"
        ) from error
    except psycopg.Error as error:
        raise _damaged(place, _class_of(error)) from error


def _class_of(error: Exception) -> str:
    """The class of an error: its text may quote the URL or a value."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__


def _damaged(place: str, why: str) -> VaultDamaged:
    return VaultDamaged(
        f"the vault {quote(place)} is damaged, or not a vault ({why}); restore it from a backup"
    )


def _without_password(url: str) -> str:
    """postgresql://HOST:PORT/DATABASE, for messages and to identify the vault."""
    psycopg = _driver()
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
