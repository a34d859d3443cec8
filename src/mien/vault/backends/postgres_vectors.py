"""A table of vectors in PostgreSQL that the extension pgvector compares."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mien.errors import MienError, UsageError, VaultDamaged
from mien.vault.backends import tenants
from mien.vault.backends.base import MAKE_VECTORS_AGAIN
from mien.vault.backends.postgres_errors import driver

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import psycopg

    from mien.results import FloatArray

TABLE = "mien.centroid_vector"
LEAST_VERSION = (0, 7)  # the first with halfvec
_EXTENSION = (
    "SELECT quote_ident(nspname), extversion, has_schema_privilege(n.oid, 'USAGE')"
    " FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace WHERE extname = 'vector'"
)
_COLUMNS = (
    "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
    f" WHERE attrelid = '{TABLE}'::regclass AND attnum > 0 AND NOT attisdropped"
)
_RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
_ALTERED = (
    "the table of vectors is missing, or was not written by mien; to make it again, run:"
    f" {MAKE_VECTORS_AGAIN}"
)


class PgvectorTable:
    """db: in a transaction, of a role that sees its own rows alone. A `VectorTable`."""

    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self._db = db
        self._schema = ""  # of the extension, once it is known

    def create(self) -> None:
        schema = self._extension(UsageError)
        if self._exists() and self._is_usable(schema):
            return
        statements = (
            f"DROP TABLE IF EXISTS {TABLE}",  # without its vectors once the extension was dropped
            f"CREATE TABLE {TABLE} (tenant name NOT NULL DEFAULT current_user, key bytea NOT NULL,"
            f" model bytea NOT NULL, value {schema}.halfvec NOT NULL, PRIMARY KEY (tenant, key))",
            *tenants.policy_of(TABLE),
        )
        try:
            self._db.execute("; ".join(statements))
        except driver().errors.InsufficientPrivilege as error:
            raise VaultDamaged(
                "the database has no usable table of vectors; let the owner of the schema mien make"
                f" it with the same command, and then run: {self._grant()}"
            ) from error

    def put(self, group: bytes, keys: Sequence[bytes], rows: FloatArray) -> None:
        halfvec = f"{self._extension()}.halfvec"
        with self._known_table():
            self._db.execute(
                f"INSERT INTO {TABLE} (key, model, value) SELECT key, %b, text::{halfvec} FROM"
                " unnest(%b::bytea[], %s::text[]) AS given (key, text) ON CONFLICT (tenant, key)"
                " DO UPDATE SET model = EXCLUDED.model, value = EXCLUDED.value",
                (group, list(keys), [_as_text(row) for row in rows]),
            )

    def remove(self, key: bytes) -> None:
        with self._known_table():
            self._db.execute(f"DELETE FROM {TABLE} WHERE key = %b{tenants.OF_TENANT}", (key,))

    def clear(self, *, required: bool) -> None:
        if self._exists() and (required or self._has_any_right()):
            with self._known_table():
                self._db.execute(f"DELETE FROM {TABLE} WHERE true{tenants.OF_TENANT}")

    def scan(
        self, *, after: bytes, limit: int
    ) -> list[tuple[bytes, bytes, npt.NDArray[np.float16]]]:
        import numpy as np

        halfvec = f"{self._extension()}.halfvec"
        with self._known_table():
            rows = self._db.execute(
                f"SELECT model, key, value::{halfvec}::text FROM {TABLE}"
                f" WHERE key > %b{tenants.OF_TENANT} ORDER BY key LIMIT %s",
                (after, limit),
            ).fetchall()
        _check_types(rows, (bytes, bytes, str))
        return [
            (model, key, np.array(text[1:-1].split(","), np.float16)) for model, key, text in rows
        ]

    def nearest(self, group: bytes, vector: FloatArray, most: int) -> list[tuple[bytes, float]]:
        schema = self._extension()
        with self._known_table():
            rows = self._db.execute(
                f"SELECT key, value OPERATOR({schema}.<#>) %s::{schema}.halfvec AS negative_product"
                f" FROM {TABLE} WHERE model = %b{tenants.OF_TENANT}"
                " ORDER BY negative_product LIMIT %s",
                (_as_text(vector), group, most),
            ).fetchall()
        _check_types(rows, (bytes, float))
        return [(key, -product) for key, product in rows]

    def _exists(self) -> bool:
        row = self._db.execute(f"SELECT to_regclass('{TABLE}') IS NOT NULL").fetchone()
        return row is not None and bool(row[0])

    def _is_usable(self, schema: str) -> bool:
        """Whether it has the columns that mien gave it."""
        query = "SELECT format_type(%s::regtype, NULL)"
        row = self._db.execute(query, (f"{schema}.halfvec",)).fetchone()
        vector = "" if row is None else row[0]
        found = dict(self._db.execute(_COLUMNS).fetchall())
        return found == {"tenant": "name", "key": "bytea", "model": "bytea", "value": vector}

    def _has_any_right(self) -> bool:
        """False for a tenant to whom the table was never granted, who has no rows in it."""
        row = self._db.execute(f"SELECT has_table_privilege('{TABLE}', '{_RIGHTS}')").fetchone()
        return row is not None and bool(row[0])

    def _extension(self, error: type[MienError] = VaultDamaged) -> str:
        """The schema that it was installed in, quoted. error: for one that cannot be used."""
        if not self._schema:
            found = self._db.execute(_EXTENSION).fetchone()
            if found is None:
                raise error(
                    "the database has no pgvector; as its administrator, run:"
                    f" {self._psql('CREATE EXTENSION vector')}"
                )
            schema, version, may_use = found
            if tuple(map(int, re.findall(r"\d+", version)[:2])) < LEAST_VERSION:
                raise error(
                    f"the database has pgvector {version}, and 0.7 is needed; upgrade it, and run:"
                    f" {self._psql('ALTER EXTENSION vector UPDATE')}"
                )
            if not may_use:
                raise error(
                    "this role may not use pgvector; as the administrator of the database, run:"
                    f" {self._psql(f'GRANT USAGE ON SCHEMA {schema} TO {self._role()}')}"
                )
            self._schema = str(schema)
        return self._schema

    @contextmanager
    def _known_table(self) -> Iterator[None]:
        """VaultDamaged for a table that is missing, not granted, or other than mien made it."""
        psycopg = driver()
        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            raise VaultDamaged(
                "this role may not use the table of vectors; as the owner of the schema mien, run:"
                f" {self._grant()}"
            ) from error
        except (psycopg.ProgrammingError, psycopg.DataError, psycopg.IntegrityError) as error:
            raise VaultDamaged(_ALTERED) from error

    def _grant(self) -> str:
        """The command that gives this role its rights on the table."""
        return self._psql(f"GRANT {_RIGHTS} ON {TABLE} TO {self._role()}")

    def _role(self) -> str:
        """Quoted where it must be."""
        role = self._db.info.user
        if re.fullmatch("[a-z_][a-z0-9_]*", role):
            return role
        return '"' + role.replace('"', '""') + '"'

    def _psql(self, statement: str) -> str:
        """The command that runs a statement in this database."""
        return shlex.join(("psql", "-d", self._db.info.dbname, "-c", statement))


def _check_types(rows: Sequence[tuple[object, ...]], kinds: tuple[type, ...]) -> None:
    """VaultDamaged for a table whose columns were given other types, or hold NULL."""
    for row in rows:
        if not all(map(isinstance, row, kinds)):
            raise VaultDamaged(_ALTERED)


def _as_text(vector: FloatArray) -> str:
    """As float16, exactly."""
    import numpy as np

    return f"[{','.join(map(repr, vector.astype(np.float16).tolist()))}]"
