"""A table of vectors in PostgreSQL that the extension pgvector compares."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mien.errors import UsageError, VaultDamaged
from mien.vault.backends import tenants
from mien.vault.backends.postgres_errors import driver

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import psycopg

    from mien.results import FloatArray

TABLE = "mien.centroid_vector"
LEAST_VERSION = (0, 7)  # the first with halfvec
_EXTENSION = (
    "SELECT quote_ident(nspname), extversion FROM pg_extension JOIN pg_namespace AS n"
    " ON n.oid = extnamespace WHERE extname = 'vector'"
)
_ALTERED = (
    "the table of vectors is missing, or was not written by mien; to make it again, run:"
    " mien vault centroids pgvector --accept-readable-templates"
)


class PgvectorTable:
    """db: in a transaction, of a role that sees its own rows alone. A `VectorTable`."""

    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self._db = db
        self._schema = ""  # of the extension, once it is known

    def create(self) -> None:
        schema = self._extension()
        if self._exists():
            return
        statements = (
            f"CREATE TABLE {TABLE} (tenant name NOT NULL DEFAULT current_user, key bytea NOT NULL,"
            f" model bytea NOT NULL, value {schema}.halfvec NOT NULL, PRIMARY KEY (tenant, key))",
            *tenants.policy_of(TABLE),
        )
        try:
            self._db.execute("; ".join(statements))
        except driver().errors.InsufficientPrivilege as error:
            raise VaultDamaged(
                "the database has no table of vectors yet; let the owner of the schema mien make it"
                " with the same command, and grant it to this role"
            ) from error

    def put(self, group: bytes, keys: Sequence[bytes], rows: FloatArray) -> None:
        halfvec = f"{self._extension()}.halfvec"
        with _known_table():
            self._db.execute(
                f"INSERT INTO {TABLE} (key, model, value) SELECT key, %b, text::{halfvec} FROM"
                " unnest(%b::bytea[], %s::text[]) AS given (key, text) ON CONFLICT (tenant, key)"
                " DO UPDATE SET model = EXCLUDED.model, value = EXCLUDED.value",
                (group, list(keys), [_as_text(row) for row in rows]),
            )

    def remove(self, key: bytes) -> None:
        with _known_table():
            self._db.execute(f"DELETE FROM {TABLE} WHERE key = %b{tenants.OF_TENANT}", (key,))

    def clear(self) -> None:
        if self._exists():
            self._db.execute(f"DELETE FROM {TABLE} WHERE true{tenants.OF_TENANT}")

    def scan(
        self, *, after: bytes, limit: int
    ) -> list[tuple[bytes, bytes, npt.NDArray[np.float16]]]:
        import numpy as np

        with _known_table():
            rows = self._db.execute(
                f"SELECT model, key, value::text FROM {TABLE} WHERE key > %b{tenants.OF_TENANT}"
                " ORDER BY key LIMIT %s",
                (after, limit),
            ).fetchall()
        return [
            (model, key, np.array(text[1:-1].split(","), np.float16)) for model, key, text in rows
        ]

    def nearest(self, group: bytes, vector: FloatArray, most: int) -> list[tuple[bytes, float]]:
        schema = self._extension()
        with _known_table():
            rows = self._db.execute(
                f"SELECT key, value OPERATOR({schema}.<#>) %s::{schema}.halfvec AS negative_product"
                f" FROM {TABLE} WHERE model = %b{tenants.OF_TENANT}"
                " ORDER BY negative_product LIMIT %s",
                (_as_text(vector), group, most),
            ).fetchall()
        return [(bytes(key), -float(found)) for key, found in rows]

    def _exists(self) -> bool:
        row = self._db.execute(f"SELECT to_regclass('{TABLE}') IS NOT NULL").fetchone()
        return row is not None and bool(row[0])

    def _extension(self) -> str:
        """The schema that it was installed in, quoted. UsageError if it is missing or too old."""
        if not self._schema:
            found = self._db.execute(_EXTENSION).fetchone()
            if found is None:
                raise UsageError(
                    "the database has no pgvector; as its administrator, run:"
                    f" {self._psql('CREATE EXTENSION vector')}"
                )
            if tuple(map(int, found[1].split(".")[:2])) < LEAST_VERSION:
                raise UsageError(
                    f"the database has pgvector {found[1]}, and 0.7 is needed; upgrade it, and run:"
                    f" {self._psql('ALTER EXTENSION vector UPDATE')}"
                )
            self._schema = str(found[0])
        return self._schema

    def _psql(self, statement: str) -> str:
        """The command that runs a statement in this database."""
        return shlex.join(("psql", "-d", self._db.info.dbname, "-c", statement))


@contextmanager
def _known_table() -> Iterator[None]:
    """VaultDamaged for a table that is missing or has other columns or vectors."""
    errors = driver().errors
    try:
        yield
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.DataError) as error:
        raise VaultDamaged(_ALTERED) from error


def _as_text(vector: FloatArray) -> str:
    """As float16, exactly."""
    import numpy as np

    return f"[{','.join(map(repr, vector.astype(np.float16).tolist()))}]"
