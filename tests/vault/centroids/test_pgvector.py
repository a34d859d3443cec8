"""Centroids in a table that pgvector compares: opt-in, exact, and no more than a pointer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.vault.centroids.pgvector_parts import (
    DIMS,
    RANDOM,
    TABLE,
    fill,
    nearest_user,
    people,
    run_sql,
    units,
)
from tests.vault.sealed_parts import Clock, opened, record_of, store_record

from mien.cli.main import main
from mien.errors import UsageError, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.centroids.centroid_arrays import CentroidArrays
from mien.vault.centroids.indexed_centroids import CANDIDATES, IndexedCentroids
from mien.vault.vault import Vault


@pytest.fixture
def url(postgres_url: str) -> str:
    """A database with the extension."""
    run_sql(postgres_url, "CREATE EXTENSION vector")
    return postgres_url


@pytest.fixture
def vault(url: str, settings: Settings, clock: Clock) -> Iterator[Vault]:
    with opened(replace(settings, vault_url=url), clock) as vault:
        yield vault


NOISE = np.random.default_rng(2).normal(size=(60, DIMS)).astype(np.float32)
GALLERIES = {
    "random": RANDOM,
    # closer to each other than a step of float16
    "look-alikes": np.concatenate([units(RANDOM[:1] + 1e-4 * NOISE), RANDOM]),
    "the same person many times": np.concatenate([np.repeat(RANDOM[:1], 60, axis=0), RANDOM]),
    "one large number": units(np.eye(DIMS, dtype=np.float32) + 1e-5),
}


@pytest.mark.parametrize("name", GALLERIES)
def test_the_database_finds_what_a_comparison_with_all_finds(
    vault: Vault, model: ModelId, name: str
) -> None:
    rows = GALLERIES[name]
    fill(vault, people(model, rows))
    vault.disable_centroids()
    probes = [*rows[:2], units(NOISE[:1])[0], units(rows[:1] + 0.1 * NOISE[1:2])[0]]
    exact, _ = vault.centroids_of(model)
    vault.enable_centroids(readable_in_database=True)
    in_database, _ = vault.centroids_of(model)
    assert isinstance(exact, CentroidArrays)
    assert isinstance(in_database, IndexedCentroids)
    for probe in probes:
        pairs = [
            (one.nearest(probe, 5), next(one.alike(probe[None], [0.5])))
            for one in (exact, in_database)
        ]
        for one, other in zip(*pairs, strict=True):
            assert one.tags == other.tags
            assert one.cosines.tolist() == other.cosines.tolist()
            assert not len(one) or (one.rows == other.rows).all()


def test_who_is_enrolled_elsewhere_is_found_by_the_next_look(
    vault: Vault, url: str, settings: Settings, model: ModelId
) -> None:
    fill(vault, people(model, RANDOM[:40]))
    vault.enable_centroids(readable_in_database=True)
    with opened(replace(settings, vault_url=url), Clock()) as elsewhere:
        store_record(elsewhere, replace(people(model, RANDOM[50:51])[0], user="new"))
        assert nearest_user(vault, model, RANDOM[50]) == "new"
        elsewhere.rename("new", "newer")
        assert nearest_user(vault, model, RANDOM[50]) == "newer"
        elsewhere.remove("newer")
        assert nearest_user(vault, model, RANDOM[50]) != "newer"
    assert vault.verify() is not None


def test_whoever_removes_rows_hides_nobody(vault: Vault, url: str, model: ModelId) -> None:
    """Fewer rows than people: all centroids are read from the vault."""
    fill(vault, people(model, RANDOM[:40]))
    vault.enable_centroids(readable_in_database=True)
    run_sql(url, f"DELETE FROM {TABLE}")
    assert nearest_user(vault, model, RANDOM[7]) == "user 7"
    with pytest.raises(VaultDamaged, match="run: mien vault centroids pgvector --accept"):
        vault.verify()


def test_whoever_alters_rows_makes_nobody_another_person(
    vault: Vault, url: str, model: ModelId
) -> None:
    """The table only points to records; their own centroids are compared."""
    fill(vault, people(model, RANDOM[:40]))
    vault.enable_centroids(readable_in_database=True)
    before = vault.centroids_of(model)[0].nearest(RANDOM[7], 40)
    run_sql(
        url,
        f"UPDATE {TABLE} SET value = (SELECT value FROM {TABLE} ORDER BY key LIMIT 1)",
    )
    after = vault.centroids_of(model)[0].nearest(RANDOM[7], 40)
    assert dict(zip(after.tags, after.cosines, strict=True)) == pytest.approx(
        dict(zip(before.tags, before.cosines, strict=True))
    )
    with pytest.raises(VaultDamaged, match="does not agree with the records"):
        vault.verify()


def test_the_number_of_people_is_the_sealed_one(vault: Vault, url: str, model: ModelId) -> None:
    """The threshold rises with it."""
    fill(vault, people(model, RANDOM[:40]))
    vault.enable_centroids(readable_in_database=True)
    run_sql(url, f"DELETE FROM {TABLE} WHERE ctid <> (SELECT min(ctid) FROM {TABLE})")
    assert len(vault.centroids_of(model)[0]) == 40


@pytest.mark.parametrize(
    "damage",
    [
        f"UPDATE {TABLE} SET key = 'short' WHERE key = (SELECT min(key) FROM {TABLE})",
        f"UPDATE {TABLE} SET value = '[1,2]'",
        f"DROP TABLE {TABLE}",
        f"ALTER TABLE {TABLE} DROP COLUMN value",
        f"ALTER TABLE {TABLE} ALTER COLUMN value TYPE text; UPDATE {TABLE} SET value = 'abc'",
        f"ALTER TABLE {TABLE} ALTER COLUMN value DROP NOT NULL; UPDATE {TABLE} SET value = NULL",
        "DROP EXTENSION vector CASCADE; CREATE EXTENSION vector",
    ],
)
def test_a_damaged_table_is_reported_and_made_again(
    vault: Vault, url: str, model: ModelId, damage: str
) -> None:
    fill(vault, people(model, RANDOM[: CANDIDATES[0]]))
    vault.enable_centroids(readable_in_database=True)
    run_sql(url, damage)
    command = "run: mien vault centroids pgvector --accept-readable-templates"
    with pytest.raises(VaultDamaged, match=command):
        vault.centroids_of(model)[0].nearest(RANDOM[7], 5)
    with pytest.raises(VaultDamaged, match=command):
        vault.verify()
    vault.enable_centroids(readable_in_database=True)
    assert nearest_user(vault, model, RANDOM[7]) == "user 7"
    assert vault.verify() is not None


def test_no_vector_is_in_the_database_before_it_is_chosen_and_after(
    vault: Vault, url: str, model: ModelId
) -> None:
    fill(vault, people(model, RANDOM[:3]))
    vault.enable_centroids()
    exists = f"SELECT to_regclass('{TABLE}') IS NOT NULL"
    assert run_sql(url, exists) == [(False,)]
    for leave in (vault.enable_centroids, vault.disable_centroids):
        for _ in range(2):  # the second time makes them again
            vault.enable_centroids(readable_in_database=True)
        status = vault.status()
        assert status is not None
        assert (status.centroids, status.readable_in_database) == (True, True)
        assert run_sql(url, f"SELECT count(*) FROM {TABLE}") == [(3,)]
        leave()
        store_record(vault, record_of("later", model))
        assert run_sql(url, f"SELECT count(*) FROM {TABLE}") == [(0,)]
        vault.remove("later")
        status = vault.status()
        assert status is not None
        assert not status.readable_in_database
    words = [(entry.kind, entry.outcome) for entry in vault.read_log() if entry.kind == "vault"]
    assert words == [("vault", "readable"), ("vault", "not_readable")] * 2


def test_a_search_that_began_before_it_was_turned_off_finds_the_same(
    vault: Vault, model: ModelId
) -> None:
    fill(vault, people(model, RANDOM[:40]))
    vault.enable_centroids(readable_in_database=True)
    before, _ = vault.centroids_of(model)
    vault.enable_centroids()
    after, _ = vault.centroids_of(model)
    assert before.nearest(RANDOM[7], 5).tags == after.nearest(RANDOM[7], 5).tags


def test_a_new_key_leaves_no_vector_of_the_old_rotation(
    vault: Vault, url: str, model: ModelId
) -> None:
    fill(vault, people(model, RANDOM[:3]))
    vault.enable_centroids(readable_in_database=True)
    query = f"SELECT value::text FROM {TABLE}"
    before = run_sql(url, query)
    vault.rotate()
    after = run_sql(url, query)
    assert len(before) == len(after) == 3
    assert not set(before) & set(after)
    status = vault.verify()
    assert status is not None
    assert status.readable_in_database


def test_a_vault_in_a_file_cannot_choose_it(settings: Settings, model: ModelId) -> None:
    with opened(settings, Clock()) as vault:
        store_record(vault, record_of("ana", model))
        with pytest.raises(UsageError, match="needs a vault in PostgreSQL; set MIEN_VAULT to "):
            vault.enable_centroids(readable_in_database=True)
        assert vault.verify() is not None


def test_a_database_without_the_extension_is_told_how_to_get_it(
    postgres_url: str, settings: Settings, model: ModelId
) -> None:
    name = run_sql(postgres_url, "SELECT current_database()")[0][0]
    command = f"psql -d {name} -c 'CREATE EXTENSION vector'"
    with opened(replace(settings, vault_url=postgres_url), Clock()) as vault:
        store_record(vault, record_of("ana", model))
        with pytest.raises(UsageError, match=command):
            vault.enable_centroids(readable_in_database=True)
        status = vault.verify()
        assert status is not None
        assert not status.readable_in_database


def test_the_command_tells_the_price_first(
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MIEN_VAULT", url)
    assert main(["vault", "init"]) == 0
    assert main(["vault", "centroids", "pgvector"]) == 2
    refused = capsys.readouterr().err
    assert "to accept that, add --accept-readable-templates" in refused
    assert len(refused.splitlines()) == 1
    assert run_sql(url, f"SELECT to_regclass('{TABLE}') IS NULL") == [(True,)]
    assert main(["vault", "centroids", "on", "--accept-readable-templates"]) == 2
    capsys.readouterr()
    assert main(["vault", "centroids", "pgvector", "--accept-readable-templates"]) == 0
    assert main(["vault", "status"]) == 0
    assert "centroids pgvector (the database can read them)" in capsys.readouterr().out
    assert main(["log"]) == 0
    assert "the database can read centroids from now on" in capsys.readouterr().out
