"""Tenants: vaults of several roles in one database. Proved both ways, with the SQL of the docs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors
from tests.vault.tenants import as_role, made_tenants

from mien.errors import VaultDamaged
from mien.vault.backends.base import VaultTable
from mien.vault.backends.postgres import PostgresStore

CELLS = [f"mien.cell_{section.value}" for section in VaultTable]
VECTORS = "mien.centroid_vector"
TABLES = [*CELLS, VECTORS]
VALUES = dict.fromkeys(CELLS, "'planted'") | {VECTORS: "'[0.5,-0.5]'"}


@pytest.fixture
def tenants(postgres_url: str) -> Iterator[tuple[str, str, str]]:
    """The owner of the tables and two tenants; each has cells."""
    with made_tenants(postgres_url) as (owner, acme, zeta):
        made_table_of_vectors(postgres_url, owner, (acme, zeta))
        for role, value in ((owner, b"owner's"), (acme, b"acme"), (zeta, b"zeta")):
            fill(PostgresStore(as_role(postgres_url, role)), value)
        yield owner, acme, zeta


def fill(store: PostgresStore, value: bytes) -> None:
    """A cell in each table, and a vector, under the same key for everybody."""
    with store.writing() as cells:
        for section in VaultTable:
            cells.put(section, b"key", value)
        assert cells.vectors is not None
        cells.vectors.put(b"model", [b"key"], np.array([[1.0, len(value)]], np.float32))
    store.close()


def made_table_of_vectors(url: str, owner: str, roles: Sequence[str]) -> None:
    """As docs/fleet.md says, with the schema of the extension where the administrator likes it."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions")
        db.execute(f"GRANT USAGE ON SCHEMA extensions TO {', '.join((owner, *roles))}".encode())
        store = PostgresStore(as_role(url, owner))
        with store.writing() as cells:
            assert cells.vectors is not None
            cells.vectors.create()
        store.close()
        for role in roles:
            db.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {VECTORS} TO {role}".encode())


@contextmanager
def connected(url: str, role: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(as_role(url, role), autocommit=True) as db:
        yield db


def contents(url: str) -> dict[tuple[str, str], object]:
    """Every cell and vector by table and tenant, as the superuser sees them."""
    with psycopg.connect(url) as db:
        return {
            (table, tenant): value
            for table in TABLES
            for tenant, value in db.execute(f"SELECT tenant, value FROM {table}".encode())
        }


def test_every_table_of_the_schema_has_the_policy(
    postgres_url: str, tenants: tuple[str, str, str]
) -> None:
    """By the catalog: a new table without it fails here."""
    with psycopg.connect(postgres_url) as db:
        tables = db.execute(
            "SELECT nspname || '.' || relname, relrowsecurity, relforcerowsecurity FROM pg_class"
            " JOIN pg_namespace AS n ON n.oid = relnamespace WHERE relkind NOT IN ('i', 't')"
            " AND nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        ).fetchall()
        policies = db.execute(
            "SELECT schemaname || '.' || tablename, permissive, roles::text, cmd, qual, with_check"
            " FROM pg_policies ORDER BY 1"
        ).fetchall()
        others = db.execute(
            "SELECT count(*) FROM pg_proc WHERE pronamespace = 'mien'::regnamespace"
        ).fetchone()
    assert tables == [
        *((table, True, True) for table in sorted(TABLES)),
        ("mien.version", False, False),
    ]
    rule = "(tenant = CURRENT_USER)"
    assert policies == [
        (one, "PERMISSIVE", "{public}", "ALL", rule, rule) for one in sorted(TABLES)
    ]
    assert others == (0,)


READS = (
    "SELECT * FROM {table} WHERE tenant <> current_user",
    "SELECT * FROM {table} WHERE tenant = '{other}'",
    "SELECT * FROM {table} WHERE tenant = '{other}' FOR SHARE",
    "SELECT * FROM (SELECT * FROM {table} ORDER BY key) AS t WHERE tenant::text = '{other}'",
    "WITH t AS (SELECT * FROM {table}) SELECT * FROM t WHERE tenant = '{other}'",
    "SELECT 1 FROM {table} HAVING count(*) > 1",
    "UPDATE {table} SET value = {value} WHERE tenant <> current_user RETURNING value",
    "UPDATE {table} SET tenant = current_user WHERE tenant = '{other}' RETURNING value",
    "DELETE FROM {table} WHERE tenant <> current_user RETURNING value",
    "DELETE FROM {table} USING {table} AS u WHERE u.tenant <> current_user RETURNING u.value",
    "MERGE INTO {table} AS t USING (SELECT 1) AS s ON t.tenant = '{other}'"
    " WHEN MATCHED THEN DELETE RETURNING t.value",
)
FAILURES = (
    "INSERT INTO {table} (key, value, tenant) VALUES ('new', {value}, '{other}')",
    "INSERT INTO {table} (key, value, tenant) VALUES ('key', {value}, '{other}')"
    " ON CONFLICT (tenant, key) DO UPDATE SET value = EXCLUDED.value",
    "UPDATE {table} SET tenant = '{other}', key = 'moved' WHERE tenant = current_user",
    "COPY {table} (key, value, tenant) TO PROGRAM 'cat'",
    "TRUNCATE {table}",
    "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY own_cells ON {table}",
    "CREATE POLICY more ON {table} USING (true)",
    "DROP TABLE {table}",
    "CREATE TABLE mien.copy AS SELECT * FROM {table}",
    "CREATE TRIGGER t BEFORE UPDATE ON {table} FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "SET ROLE {other}",
    "SET ROLE {owner}",
    "SET SESSION AUTHORIZATION {other}",
    "SET row_security = off; SELECT * FROM {table}",
    "GRANT {other} TO current_user",
    "ALTER ROLE current_user BYPASSRLS",
    "UPDATE mien.version SET number = 1",
    "DELETE FROM mien.version",
    "INSERT INTO mien.version VALUES (9)",
)


def test_a_foreign_read_gives_nothing_whatever_the_statement(
    postgres_url: str, tenants: tuple[str, str, str]
) -> None:
    owner, acme, zeta = tenants
    before = contents(postgres_url)
    assert len(before) == 3 * len(TABLES)
    for role, other in ((acme, zeta), (zeta, acme), (acme, owner), (owner, acme)):
        with connected(postgres_url, role) as db:
            for table in TABLES:
                assert db.execute(f"SELECT tenant FROM {table}".encode()).fetchall() == [(role,)]
                for statement in READS:
                    text = statement.format(table=table, other=other, value=VALUES[table])
                    assert db.execute(text.encode()).fetchall() == [], text
    assert contents(postgres_url) == before


def test_a_foreign_write_fails_whatever_the_statement(
    postgres_url: str, tenants: tuple[str, str, str]
) -> None:
    owner, acme, zeta = tenants
    before = contents(postgres_url)
    for role, other in ((acme, zeta), (zeta, owner)):
        with connected(postgres_url, role) as db:
            for table in TABLES:
                for statement in FAILURES:
                    text = statement.format(
                        table=table, other=other, owner=owner, value=VALUES[table]
                    )
                    with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedObject)):
                        db.execute(text.encode())
    assert contents(postgres_url) == before


def test_a_setting_of_the_client_opens_nothing(
    postgres_url: str, tenants: tuple[str, str, str]
) -> None:
    _, acme, zeta = tenants
    settings = (
        "search_path = public",
        f"session.tenant = '{zeta}'",
        f"application_name = '{zeta}'",
    )
    with connected(postgres_url, acme) as db:
        for setting in settings:
            db.execute(f"SET {setting}".encode())
        for table in TABLES:
            assert db.execute(f"SELECT tenant FROM {table}".encode()).fetchall() == [(acme,)]


def test_a_tenant_clears_its_own_cells_alone_also_as_the_superuser(
    postgres_url: str, tenants: tuple[str, str, str]
) -> None:
    """Row-level security does not hold a superuser: the statements do."""
    before = contents(postgres_url)
    fill(PostgresStore(postgres_url), b"of the superuser")
    for role in ("postgres", tenants[1]):
        store = PostgresStore(as_role(postgres_url, role))
        with store.writing() as cells:
            for section in VaultTable:
                assert len(cells.scan(section, after=b"", limit=9)) == 1
                assert cells.drop(section, b"key")
                cells.put(section, b"other", b"more")
                cells.clear(section)
            assert cells.vectors is not None
            [near] = cells.vectors.nearest(b"model", np.array([1, 0], np.float32), most=9)
            assert near == (b"key", 1.0)
            assert len(cells.vectors.scan(after=b"", limit=9)) == 1
            cells.vectors.put(b"model", [b"other"], np.array([[1, 0]], np.float32))
            cells.vectors.remove(b"key")
            cells.vectors.clear(required=True)
        store.close()
    after = contents(postgres_url)
    assert after == {key: value for key, value in before.items() if key[1] != tenants[1]}


def test_a_writer_of_one_tenant_does_not_wait_for_another(
    postgres_url: str, tenants: tuple[str, str, str]
) -> None:
    acme, zeta = (PostgresStore(as_role(postgres_url, role)) for role in tenants[1:])
    with acme.writing() as of_acme, zeta.writing() as of_zeta:
        of_acme.put(VaultTable.RECORD, b"ana", b"acme")
        of_zeta.put(VaultTable.RECORD, b"ana", b"zeta")
    with acme.reading() as of_acme, zeta.reading() as of_zeta:
        assert of_acme.get(VaultTable.RECORD, b"ana") == b"acme"
        assert of_zeta.get(VaultTable.RECORD, b"ana") == b"zeta"
    acme.close()
    zeta.close()


def test_each_tenant_is_a_place_of_its_own(postgres_url: str) -> None:
    """The last state that was seen is remembered by place."""
    url = "postgresql://{}@db.example:5432/mien?sslmode=verify-full"
    places = [PostgresStore(url.format(user)).place for user in ("acme", "zeta", "mien")]
    assert places == [
        "postgresql://acme@db.example:5432/mien",
        "postgresql://zeta@db.example:5432/mien",
        "postgresql://db.example:5432/mien",
    ]


def old_database(url: str, role: str = "postgres") -> None:
    """As mien made it before there were tenants, with a cell in each table."""
    with psycopg.connect(as_role(url, role), autocommit=True) as db:
        db.execute("CREATE SCHEMA mien")
        db.execute("CREATE TABLE mien.version (number integer NOT NULL)")
        db.execute("INSERT INTO mien.version VALUES (2)")
        for table in CELLS:
            db.execute(
                f"CREATE TABLE {table} (key bytea PRIMARY KEY, value bytea NOT NULL)".encode()
            )
            db.execute(f"INSERT INTO {table} VALUES ('key', 'from before')".encode())


def test_an_older_database_is_read_as_it_is_and_migrated_by_the_first_change(
    postgres_url: str,
) -> None:
    old_database(postgres_url)
    store = PostgresStore(postgres_url)
    with store.reading() as cells:
        assert cells.get(VaultTable.LOG, b"key") == b"from before"
        assert cells.scan(VaultTable.LOG, after=b"", limit=9) == [(b"key", b"from before")]
    with store.writing() as cells:
        cells.put(VaultTable.LOG, b"new", b"more")
    with store.reading() as cells:
        assert cells.get(VaultTable.LOG, b"key") == b"from before"
        assert cells.get(VaultTable.LOG, b"new") == b"more"
    store.close()
    with psycopg.connect(postgres_url) as db:
        for table in CELLS:
            query = f"SELECT DISTINCT tenant FROM {table}"
            assert db.execute(query.encode()).fetchall() == [("postgres",)]


def test_a_role_that_may_not_migrate_is_told_who_may(
    postgres_url: str, tenants: tuple[str, str, str]
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute("UPDATE mien.version SET number = 2")
    store = PostgresStore(as_role(postgres_url, tenants[1]))
    with (
        pytest.raises(VaultDamaged, match="as the owner of the schema mien") as told,
        store.writing(),
    ):
        pass
    assert str(told.value).isprintable()
    store.close()
