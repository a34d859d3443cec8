"""The tables of a vault in SQLite, and the migrations from each schema to the next."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import VaultDamaged, quote
from mien.vault.backends.sqlite_connection import transaction

if TYPE_CHECKING:  # sqlite3 is imported where a vault is opened
    import sqlite3

APPLICATION_ID = 0x6D69656E  # "mien" in ASCII, in the header of every vault file

# WITHOUT ROWID makes one tree only, so that no index can disagree with the table
_TEMPLATES = """
CREATE TABLE templates (
    user TEXT NOT NULL PRIMARY KEY,
    model_name TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    created_at TEXT NOT NULL,
    payload BLOB NOT NULL,
    checksum BLOB NOT NULL
) WITHOUT ROWID
"""

# one table for each `Section`; their content is sealed
_CELLS = tuple(
    f"CREATE TABLE cell_{name} (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
    for name in ("meta", "bucket", "record", "attempt", "log", "gallery")
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (_TEMPLATES,),
    (*_CELLS, "DROP TABLE templates"),
    (),  # the same tables; the manifest in them is of format 2, which `transaction` writes
)
"""Step n, counted from 1, leads to schema n. A step that was released is never edited.

Schema 1 kept templates unencrypted. A file of that schema is never migrated in place:
`admin.migrate_v1` reads it and replaces it with a sealed file.
"""

SCHEMA_VERSION = len(MIGRATIONS)
MAX_TABLES = 100  # more than any version has; a crafted file could have millions
PLAIN_SCHEMA = 1


def schema_version(db: sqlite3.Connection, path: Path) -> int:
    """Which schema the file has; 0 for an empty file.

    Raises VaultDamaged for another program's file and for a newer schema.
    """
    numbers = _numbers(db)
    if numbers == (0, 0, 0) and path.stat().st_size > 0:
        # SQLite takes a file of a byte or so for empty; another process may also have filled it
        # just now
        numbers = _numbers(db)
        if numbers == (0, 0, 0):
            raise _of_another_program(path)
    application, version, _ = numbers
    if numbers == (0, 0, 0):
        return 0
    if application != APPLICATION_ID:
        raise _of_another_program(path)
    if version > SCHEMA_VERSION:
        raise VaultDamaged(
            f"the vault {quote(path)} has schema {version} and this mien knows {SCHEMA_VERSION};"
            " upgrade mien"
        )
    if version < 1:
        raise VaultDamaged(
            f"the vault {quote(path)} has schema {version}, which does not exist;"
            " restore it from a backup"
        )
    return version


def check_schema(db: sqlite3.Connection, path: Path, version: int = SCHEMA_VERSION) -> None:
    """VaultDamaged unless the tables are exactly those of the version.

    A view in the place of a table could compute for ever, and a trigger change other cells.
    """
    if _tables(db) != _expected_tables(version):
        raise VaultDamaged(
            f"the tables of the vault {quote(path)} are not those that mien made;"
            " restore it from a backup"
        )


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Migrate the file to the newest schema, inside the caller's transaction."""
    for number in range(schema_version(db, path) + 1, SCHEMA_VERSION + 1):
        for statement in MIGRATIONS[number - 1]:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {number}")


def _numbers(db: sqlite3.Connection) -> tuple[int, int, int]:
    """Application id, schema version and count of tables, of one state of the file."""
    if not db.in_transaction:
        with transaction(db, "BEGIN"):
            return _numbers(db)
    # not from table-valued functions: a view may have the name of one
    [application] = db.execute("PRAGMA application_id").fetchone()
    [version] = db.execute("PRAGMA user_version").fetchone()
    [tables] = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return application, version, tables


def _expected_tables(version: int) -> list[tuple[object, ...]]:
    import sqlite3

    with closing(sqlite3.connect(":memory:")) as db:
        for statements in MIGRATIONS[:version]:
            for statement in statements:
                db.execute(statement)
        return _tables(db)


def _tables(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name LIMIT ?"
    return db.execute(query, (MAX_TABLES,)).fetchall()


def _of_another_program(path: Path) -> VaultDamaged:
    return VaultDamaged(
        f"{quote(path)} is not a vault but a file of another program;"
        " set MIEN_VAULT to another file"
    )
