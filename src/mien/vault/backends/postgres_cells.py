"""The cells of a vault in PostgreSQL within one transaction, with few requests to the server.

What is put or removed is kept here, and sent in one statement when the transaction ends: the
server may be a network away, and others wait for the writer's lock meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mien.vault.backends import tenants
from mien.vault.backends.base import (
    MAX_VALUE_BYTES,
    VaultTable,
    VectorTable,
    View,
    check_key,
    check_limit,
    check_value,
)
from mien.vault.backends.postgres_errors import damaged
from mien.vault.backends.postgres_vectors import PgvectorTable

if TYPE_CHECKING:
    import psycopg

FLUSH_FROM = 8 << 20  # bytes that are kept before they are sent
_VALUE = f"CASE WHEN length(value) <= {MAX_VALUE_BYTES} THEN value END"

Place = tuple[VaultTable, bytes]


class PostgresCells(View):
    """db: in a transaction. place: of the vault, for messages. wall_s: of the server's clock, if it
    was asked already. schema: of the database; where it is 0 there are no cells."""

    def __init__(
        self,
        db: psycopg.Connection[Any],
        place: str,
        *,
        schema: int,
        writable: bool,
        wall_s: float | None = None,
    ) -> None:
        super().__init__(writable=writable)
        self._db, self._place, self._exists = db, place, schema > 0
        self._own = tenants.OF_TENANT if schema >= tenants.FROM_SCHEMA else ""
        self._wall_s = wall_s
        self._fetched: dict[Place, bytes | None] = {}
        self._is_there: dict[Place, bool] = {}  # of what was read, in the tables
        self._changed: dict[Place, bytes | None] = {}  # not sent yet; None: removed
        self._changed_bytes = 0

    @property
    def vectors(self) -> VectorTable | None:
        self._expect_open()
        return PgvectorTable(self._db)

    def get(self, section: VaultTable, key: bytes) -> bytes | None:
        self._expect_open()
        at = (section, key)
        if not self._exists:
            return None
        if at in self._changed:
            return self._changed[at]
        if at in self._fetched:
            return self._fetched[at]
        table = f"mien.cell_{section.value}"
        query = f"SELECT {_VALUE} FROM {table} WHERE key = %s{self._own}"
        row = self._db.execute(query, (key,), binary=True).fetchone()
        self._note(at, is_there=row is not None)
        return None if row is None else self._bytes(row[0])

    def fetch(self, places: Iterable[Place]) -> None:
        self._expect_open()
        wanted: dict[VaultTable, list[bytes]] = {}
        for at in places:
            if at not in self._changed and at not in self._fetched:
                wanted.setdefault(at[0], []).append(at[1])
        if not self._exists or not wanted:
            return
        query = " UNION ALL ".join(
            f"SELECT {number}, key, {_VALUE} FROM mien.cell_{section.value}"
            f" WHERE key = ANY(%b){self._own}"
            for number, section in enumerate(wanted)
        )
        rows = self._db.execute(query, list(wanted.values()), binary=True).fetchall()
        self._fetched |= {(section, key): None for section, keys in wanted.items() for key in keys}
        sections = list(wanted)
        for number, key, value in rows:
            self._fetched[sections[number], self._bytes(key)] = self._bytes(value)
        for section, keys in wanted.items():
            for key in keys:
                self._note((section, key), is_there=self._fetched[section, key] is not None)

    def scan(self, section: VaultTable, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        self._expect_open()
        check_limit(limit)
        if not self._exists:
            return []
        self.flush()
        table = f"mien.cell_{section.value}"
        condition = f"key > %s{self._own}"
        query = f"SELECT key, {_VALUE} FROM {table} WHERE {condition} ORDER BY key LIMIT %s"
        rows = self._db.execute(query, (after, limit), binary=True).fetchall()
        found = [(self._bytes(key), self._bytes(value)) for key, value in rows]
        for key, _ in found:
            self._note((section, key), is_there=True)
        return found

    def wall_s(self) -> float | None:
        """One moment of the transaction, after the writer's lock was had."""
        self._expect_open()
        if self._wall_s is None:
            query = "SELECT extract(epoch FROM clock_timestamp())::float8"
            row = self._db.execute(query).fetchone()
            assert row is not None  # a SELECT without FROM gives one row
            self._wall_s = float(row[0])
        return self._wall_s

    def put(self, section: VaultTable, key: bytes, value: bytes) -> None:
        self._expect_writable()
        self._change((section, check_key(key)), check_value(value))

    def drop(self, section: VaultTable, key: bytes) -> bool:
        self._expect_writable()
        at = (section, key)
        if at in self._changed:
            found = self._changed[at] is not None
        elif at in self._is_there:
            found = self._is_there[at]
        else:
            query = f"DELETE FROM mien.cell_{section.value} WHERE key = %s{self._own}"
            found = self._db.execute(query, (key,)).rowcount > 0
            self._note(at, is_there=False)
            return found
        if self._is_there.get(at, True):
            self._change(at, None)
        else:
            self._changed.pop(at, None)
        return found

    def clear(self, section: VaultTable) -> None:
        self._expect_writable()
        self.flush()
        self._db.execute(f"DELETE FROM mien.cell_{section.value} WHERE true{self._own}")
        for known in (self._fetched, self._is_there):
            for at in [one for one in known if one[0] is section]:
                del known[at]

    def flush(self) -> None:
        """Send what was changed, in one statement."""
        if not self._changed:
            return
        puts: dict[VaultTable, tuple[list[bytes], list[bytes]]] = {}
        drops: dict[VaultTable, list[bytes]] = {}
        for (section, key), value in self._changed.items():
            if value is None:
                drops.setdefault(section, []).append(key)
            else:
                keys, values = puts.setdefault(section, ([], []))
                keys.append(key)
                values.append(value)
        parts = [
            f"INSERT INTO mien.cell_{section.value} (key, value) SELECT * FROM unnest(%b::bytea[],"
            " %b::bytea[]) ON CONFLICT (tenant, key) DO UPDATE SET value = EXCLUDED.value"
            for section in puts
        ]
        parts += [
            f"DELETE FROM mien.cell_{one.value} WHERE key = ANY(%b::bytea[]){self._own}"
            for one in drops
        ]
        given = [column for columns in puts.values() for column in columns]
        given += list(drops.values())
        names = ", ".join(f"part_{number} AS ({part})" for number, part in enumerate(parts))
        self._db.execute(f"WITH {names} SELECT 1", given)
        for at, value in self._changed.items():
            self._note(at, is_there=value is not None)
            self._fetched.pop(at, None)
        self._changed, self._changed_bytes = {}, 0

    def _change(self, at: Place, value: bytes | None) -> None:
        self._changed[at] = value
        self._changed_bytes += len(at[1]) + len(value or b"")
        if self._changed_bytes >= FLUSH_FROM:
            self.flush()

    def _note(self, at: Place, *, is_there: bool) -> None:
        if self._writable:
            self._is_there[at] = is_there

    def _bytes(self, value: object) -> bytes:
        if value is None:
            raise damaged(self._place, "a cell is too large")
        if not isinstance(value, bytes):
            raise damaged(self._place, "a cell is not bytes")
        return value
