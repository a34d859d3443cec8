"""Centroids: always those of the records, sealed like them, and only a pointer to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from tests.vault.memory import open_memory_vault

from mien.errors import NotEnrolled, VaultDamaged
from mien.results import FloatArray, ModelId, Template
from mien.settings import Settings, load_settings
from mien.vault import Record, pack_template
from mien.vault.backends.base import VaultTable
from mien.vault.centroids import sealed_centroids
from mien.vault.open import open_vault
from mien.vault.rotated_space import SpaceOf
from mien.vault.vault import Vault
from mien.vectors import centre_of

MODEL, OTHER = ModelId("sface", "ab" * 32), ModelId("vggface2", "cd" * 32)


def face(seed: int, dims: int = 8, photos: int = 2) -> FloatArray:
    vectors = np.random.default_rng(seed).normal(size=(photos, dims)).astype(np.float32)
    lengths: FloatArray = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / lengths).astype(np.float32)


def enroll(vault: Vault, user: str, seed: int, model: ModelId = MODEL) -> None:
    def make(stored: Record | None, space_of: SpaceOf) -> Record:
        payload = pack_template(Template(space_of(model).protect(face(seed)), model))
        return Record(user, model, "2026-01-31T12:00:00+00:00", payload)

    vault.update(user, make)


def people_in(vault: Vault, model: ModelId = MODEL) -> dict[str, FloatArray]:
    """Whom the centres point to, with their plain centroids."""
    centroids, space = vault.centroids_of(model)
    if space is None or not len(centroids):
        return {}
    [everybody] = centroids.alike(space.protect(face(1)[:1]), [-1.1])
    found = {}
    for tag, row in zip(everybody.tags, space.reveal(everybody.rows), strict=True):
        record = vault.record_at(tag)
        assert record is not None
        found[record.user] = row
    return found


def expect(vault: Vault, **seeds: int) -> None:
    found = people_in(vault)
    assert sorted(found) == sorted(seeds)
    for user, seed in seeds.items():
        np.testing.assert_allclose(found[user], centre_of(face(seed)), atol=1e-5)
    assert vault.verify() is not None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)})


def opened(settings: Settings) -> Vault:
    return open_vault(settings, create=True, surface="library", environ={})


@pytest.fixture(params=["off", "on", "pgvector"])
def storage(request: pytest.FixtureRequest) -> str:
    """How the vault keeps centroids."""
    return str(request.param)


@pytest.fixture
def place(request: pytest.FixtureRequest, storage: str, settings: Settings) -> Settings:
    """Where the vault is."""
    if storage != "pgvector":
        return settings
    url = request.getfixturevalue("postgres_url")
    with psycopg.connect(url) as db:
        db.execute("CREATE EXTENSION vector")
    return replace(settings, vault_url=url)


@pytest.fixture
def vault(storage: str, place: Settings) -> Iterator[Vault]:
    """Ana and ben, with centroids, without, and in the database: the answers are the same."""
    with opened(place) as vault:
        enroll(vault, "ana", 1)
        enroll(vault, "ben", 2)
        if storage != "off":
            vault.enable_centroids(readable_in_database=storage == "pgvector")
        yield vault


def centroid_cells(vault: Vault) -> int:
    with vault._transactions.reading() as opened:
        assert opened is not None
        return opened.manifest.count(VaultTable.CENTROIDS)


def test_centroids_are_off_by_default_and_can_be_removed(settings: Settings) -> None:
    with opened(settings) as vault:
        with pytest.raises(NotEnrolled, match="there is no vault"):
            vault.enable_centroids()
        enroll(vault, "ana", 1)
        assert centroid_cells(vault) == 0
        vault.enable_centroids()
        assert centroid_cells(vault) == 2  # which models, and one block
        status = vault.status()
        assert status is not None
        assert status.centroids
        vault.disable_centroids()
        assert centroid_cells(vault) == 1  # that they were turned off
        status = vault.status()
        assert status is not None
        assert not status.centroids
        expect(vault, ana=1)


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Centroids are kept from three people on."""
    monkeypatch.setattr(sealed_centroids, "KEPT_FROM", 3)


def is_kept(vault: Vault) -> bool:
    status = vault.status()
    return status is not None and status.centroids


def test_a_vault_of_many_people_keeps_centroids_by_itself(
    settings: Settings, crowded: None
) -> None:
    with opened(settings) as vault:
        for seed, user in enumerate(("ana", "ben", "cleo", "dora"), 1):
            enroll(vault, user, seed)
            assert is_kept(vault) == (seed >= 3)
        expect(vault, ana=1, ben=2, cleo=3, dora=4)


def test_centroids_that_were_turned_off_stay_off(settings: Settings, crowded: None) -> None:
    with opened(settings) as vault:
        enroll(vault, "ana", 1)
        vault.disable_centroids()
        vault.rotate()
        for seed, user in enumerate(("ben", "cleo", "dora"), 2):
            enroll(vault, user, seed)
        assert not is_kept(vault)
        vault.enable_centroids()
        vault.rotate()
        assert is_kept(vault)
        expect(vault, ana=1, ben=2, cleo=3, dora=4)


def test_an_import_of_many_keeps_centroids(
    settings: Settings, crowded: None, tmp_path: Path
) -> None:
    with open_memory_vault() as other:
        for seed, user in enumerate(("ana", "ben", "cleo"), 1):
            enroll(other, user, seed)
        other.export_people(tmp_path / "people", "four random plain words")
    with opened(settings) as vault:
        vault.import_people(tmp_path / "people", "four random plain words")
        assert is_kept(vault)
        expect(vault, ana=1, ben=2, cleo=3)


def test_a_damaged_record_of_another_does_not_hinder_an_enrollment(
    settings: Settings, crowded: None
) -> None:
    with opened(settings) as vault:
        enroll(vault, "ana", 1)
        enroll(vault, "ben", 2)
    with closing(sqlite3.connect(settings.vault_path)) as db, db:
        db.execute(
            "UPDATE cell_record SET value = zeroblob(100) WHERE key = "
            "(SELECT min(key) FROM cell_record)"
        )
    with opened(settings) as vault:
        enroll(vault, "cleo", 3)
        assert vault.holds("cleo")
        assert not is_kept(vault)


def test_centroids_follow_every_change(vault: Vault, tmp_path: Path) -> None:
    expect(vault, ana=1, ben=2)
    enroll(vault, "cleo", 3)
    expect(vault, ana=1, ben=2, cleo=3)
    enroll(vault, "ana", 4)
    expect(vault, ana=4, ben=2, cleo=3)
    vault.remove("ben")
    expect(vault, ana=4, cleo=3)
    vault.rotate()
    expect(vault, ana=4, cleo=3)
    vault.export_people(tmp_path / "people", "four random plain words")
    vault.remove("ana")
    enroll(vault, "cleo", 5)
    vault.import_people(tmp_path / "people", "four random plain words", existing="replace")
    expect(vault, ana=4, cleo=3)
    for user in ("ana", "cleo"):
        vault.remove(user)
    expect(vault)


def test_each_model_has_centroids_of_its_own(vault: Vault) -> None:
    enroll(vault, "dora", 6, OTHER)
    assert sorted(people_in(vault, OTHER)) == ["dora"]
    assert sorted(people_in(vault)) == ["ana", "ben"]
    enroll(vault, "ana", 7, OTHER)  # enrolled anew with another model
    assert sorted(people_in(vault, OTHER)) == ["ana", "dora"]
    assert sorted(people_in(vault)) == ["ben"]
    assert vault.verify() is not None


def test_changes_of_another_process_are_seen(vault: Vault, place: Settings) -> None:
    assert sorted(people_in(vault)) == ["ana", "ben"]
    with opened(place) as other:
        enroll(other, "cleo", 3)
        other.remove("ana")
    expect(vault, ben=2, cleo=3)


def test_an_empty_vault_has_nobody() -> None:
    with open_memory_vault() as vault:
        centroids, space = vault.centroids_of(MODEL)
    assert len(centroids) == 0
    assert space is None


def test_an_altered_removed_swapped_or_restored_block_is_detected(settings: Settings) -> None:
    with opened(settings) as vault:
        enroll(vault, "ana", 1)
        vault.enable_centroids()
    before = settings.vault_path.read_bytes()
    with closing(sqlite3.connect(settings.vault_path)) as db:
        old = db.execute("SELECT key, value FROM cell_gallery ORDER BY key").fetchall()
    with opened(settings) as vault:
        enroll(vault, "ana", 2)
    whole = settings.vault_path.read_bytes()
    (a, first), (b, second) = old

    def expect_damage(*changes: tuple[str, tuple[bytes, ...]]) -> None:
        with closing(sqlite3.connect(settings.vault_path)) as db, db:
            for statement, values in changes:
                db.execute(statement, values)
        with opened(settings) as vault, pytest.raises(VaultDamaged):
            people_in(vault)
        settings.vault_path.write_bytes(whole)

    update = "UPDATE cell_gallery SET value = ? WHERE key = ?"
    expect_damage((update, (first, a)), (update, (second, b)))  # restored from an earlier copy
    expect_damage((update, (first, b)), (update, (second, a)))  # swapped
    expect_damage(("DELETE FROM cell_gallery WHERE key = ?", (a,)))
    expect_damage(("DELETE FROM cell_gallery WHERE key = ?", (b,)))
    assert before != whole


def test_centroids_that_differ_from_the_records_are_detected(
    vault: Vault,
) -> None:
    from mien.vault.centroids import sealed_centroids

    if not centroid_cells(vault):
        return
    with vault._transactions.writing() as opened:
        wrong = pack_template(Template(face(9), MODEL))
        record = Record("ana", MODEL, "2026-01-31T12:00:00+00:00", wrong)
        sealed_centroids.update([record], opened)
    with pytest.raises(VaultDamaged, match="centroids do not agree"):
        vault.verify()
    vault.disable_centroids()
    vault.enable_centroids()
    expect(vault, ana=1, ben=2)


@pytest.mark.parametrize("on", [False, True])
def test_one_product_finds_each_of_a_hundred_people(on: bool) -> None:
    with open_memory_vault() as vault:
        for seed in range(120):
            enroll(vault, f"user {seed}", seed)
        if on:
            vault.enable_centroids()
        centroids, space = vault.centroids_of(MODEL)
        assert space is not None
        for seed in (0, 57, 119):
            probe = space.protect(centre_of(face(seed))[np.newaxis])[0]
            record = vault.record_at(centroids.nearest(probe, 1).tags[0])
            assert record is not None
            assert record.user == f"user {seed}"


@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM cell_gallery", "UPDATE cell_gallery SET value = x'00'",
     "UPDATE cell_gallery SET value = 7", "INSERT INTO cell_gallery VALUES (x'00', x'00')"],
)  # fmt: skip
@pytest.mark.parametrize("remedy", ["off", "on", "rotate"])
def test_damaged_centroids_can_be_removed_or_made_again(
    settings: Settings, damage: str, remedy: str
) -> None:
    with opened(settings) as vault:
        enroll(vault, "ana", 1)
        vault.enable_centroids()
    with closing(sqlite3.connect(settings.vault_path)) as db, db:
        db.execute(damage)
    with opened(settings) as vault:
        if remedy == "rotate":
            vault.rotate()
        else:
            vault.enable_centroids() if remedy == "on" else vault.disable_centroids()
        expect(vault, ana=1)
        status = vault.status()
        assert status is not None
        assert status.centroids is (remedy != "off")


def test_the_error_for_damaged_centroids_says_what_to_do(settings: Settings) -> None:
    with opened(settings) as vault:
        enroll(vault, "ana", 1)
        vault.enable_centroids()
    with closing(sqlite3.connect(settings.vault_path)) as db, db:
        db.execute("UPDATE cell_gallery SET value = x'00'")
    with opened(settings) as vault:
        for look in (lambda: vault.remove("ana"), lambda: vault.verify()):
            with pytest.raises(VaultDamaged, match="run: mien vault centroids off && "):
                look()
