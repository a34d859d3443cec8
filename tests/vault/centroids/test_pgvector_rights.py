"""Who may use the table of vectors: the owner of the schema, and the tenants it is granted to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.vault.centroids.pgvector_parts import RANDOM, TABLE, fill, nearest_user, people, run_sql
from tests.vault.sealed_parts import Clock, opened, record_of, store_record
from tests.vault.tenants import as_role, made_tenants

from mien.errors import UsageError, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.centroids.sealed_centroids import KEPT_FROM
from mien.vault.vault import Vault


@pytest.fixture
def url(postgres_url: str) -> str:
    """A database with the extension."""
    run_sql(postgres_url, "CREATE EXTENSION vector")
    return postgres_url


def opened_as(role: str, url: str, settings: Settings) -> Vault:
    """Its vault, on a machine of its own."""
    place = replace(settings, vault_url=as_role(url, role), state_dir=settings.state_dir / role)
    return opened(place, Clock())


def test_each_tenant_chooses_for_itself(url: str, settings: Settings, model: ModelId) -> None:
    with made_tenants(url) as (owner, *roles):
        owners, acme, zeta = (opened_as(role, url, settings) for role in (owner, *roles))
        with owners, acme, zeta:
            for vault in (owners, acme, zeta):
                store_record(vault, record_of("ana", model))
            with pytest.raises(VaultDamaged, match="let the owner of the schema mien make it"):
                acme.enable_centroids(readable_in_database=True)
            owners.enable_centroids(readable_in_database=True)
            for role in roles:
                run_sql(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {role}")
            acme.enable_centroids(readable_in_database=True)
            zeta.enable_centroids()
            query = f"SELECT tenant, count(*) FROM {TABLE} GROUP BY tenant ORDER BY tenant"
            assert run_sql(url, query) == sorted([(owner, 1), (roles[0], 1)])
            owners.disable_centroids()
            assert run_sql(url, query) == [(roles[0], 1)]
            assert acme.verify() is not None


def test_a_tenant_without_rights_on_the_table_keeps_its_vault(
    url: str, settings: Settings, model: ModelId
) -> None:
    """The owner's choice takes nothing from a tenant who did not make it."""
    with made_tenants(url) as (owner, acme, _):
        owners, vault = (opened_as(role, url, settings) for role in (owner, acme))
        with owners, vault:
            store_record(owners, record_of("bob", model))
            owners.enable_centroids(readable_in_database=True)
            fill(vault, people(model, RANDOM[:KEPT_FROM]))  # centroids are kept from here on
            vault.enable_centroids()
            assert vault.rotate() == KEPT_FROM
            vault.disable_centroids()
            assert vault.verify() is not None
            grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {acme}"
            with pytest.raises(VaultDamaged, match=f"run: psql -d .* -c '{grant}'"):
                vault.enable_centroids(readable_in_database=True)
            run_sql(url, grant)
            vault.enable_centroids(readable_in_database=True)
            run_sql(url, f"REVOKE DELETE ON {TABLE} FROM {acme}")
            with pytest.raises(VaultDamaged, match=grant):  # its vectors would stay readable
                vault.disable_centroids()
            run_sql(url, f"REVOKE ALL ON {TABLE} FROM {acme}")
            with pytest.raises(VaultDamaged, match=grant):
                vault.enable_centroids()


def test_a_role_without_rights_on_the_schema_of_pgvector_is_told_the_grant(
    postgres_url: str, settings: Settings, model: ModelId
) -> None:
    run_sql(postgres_url, "CREATE SCHEMA extra", "CREATE EXTENSION vector SCHEMA extra")
    with (
        made_tenants(postgres_url) as (owner, *_),
        opened_as(owner, postgres_url, settings) as vault,
    ):
        fill(vault, people(model, RANDOM[:40]))
        grant = f"GRANT USAGE ON SCHEMA extra TO {owner}"
        with pytest.raises(UsageError, match=f"run: psql -d .* -c '{grant}'"):
            vault.enable_centroids(readable_in_database=True)
        run_sql(postgres_url, grant)
        vault.enable_centroids(readable_in_database=True)
        assert nearest_user(vault, model, RANDOM[7]) == "user 7"


def test_an_extension_that_was_dropped_is_a_fault_of_the_vault(
    url: str, settings: Settings, model: ModelId
) -> None:
    """Not of whoever asks to be identified."""
    with opened(replace(settings, vault_url=url), Clock()) as vault:
        fill(vault, people(model, RANDOM[:40]))
        vault.enable_centroids(readable_in_database=True)
        run_sql(url, "DROP EXTENSION vector CASCADE")
        with pytest.raises(VaultDamaged, match="CREATE EXTENSION vector"):
            nearest_user(vault, model, RANDOM[7])
        with pytest.raises(VaultDamaged, match="CREATE EXTENSION vector"):
            vault.verify()
        vault.enable_centroids()  # what takes it back needs no extension
        assert nearest_user(vault, model, RANDOM[7]) == "user 7"
