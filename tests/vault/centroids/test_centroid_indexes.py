"""The index of a process follows the vault, and reads again only what has changed."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from tests.vault.sealed_parts import Clock, opened, record_of, store_record

from mien.results import FloatArray, ModelId
from mien.settings import Settings, load_settings
from mien.vault.centroids import centroid_index, centroid_indexes
from mien.vault.centroids.centroid_arrays import CentroidArrays
from mien.vault.centroids.centroid_block import CentroidBlock
from mien.vault.centroids.indexed_centroids import IndexedCentroids
from mien.vault.integrity.hash_tree import leaf_of
from mien.vault.records.sealed_record import user_tag
from mien.vault.records.template_codec import unpack_template
from mien.vault.vault import Vault
from mien.vectors import centre_of

pytest.importorskip("faiss", reason="needs faiss: pip install '.[index]'")

PEOPLE = 40


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)})


@pytest.fixture(autouse=True)
def _index_for_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centroid_indexes, "INDEX_FROM", 10)


@pytest.fixture
def quantized(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each block that is quantized and has any."""
    counts: list[int] = []
    make = centroid_index.QuantizedBlock.of

    def counted(block: CentroidBlock) -> centroid_index.QuantizedBlock:
        counts.extend([len(block)] if len(block) else [])
        return make(block)

    monkeypatch.setattr(centroid_index.QuantizedBlock, "of", counted)
    return counts


def fill(vault: Vault, model: ModelId) -> None:
    for seed in range(PEOPLE):
        store_record(vault, record_of(f"user {seed}", model, seed=seed))


def centre(model: ModelId, seed: int) -> FloatArray:
    """Of the template as it is stored: `record_of` rotates nothing."""
    record = record_of("somebody", model, seed=seed)
    return centre_of(unpack_template(record.payload, expected_model=model).vectors)


def found(vault: Vault, model: ModelId, seed: int) -> str:
    """The name of the person nearest to the template of a seed, found by the index."""
    vault.centroids_of(model)  # counts the people, if a guess by one bucket was too low
    search, _ = vault.centroids_of(model)
    assert isinstance(search, IndexedCentroids)
    nearest = search.nearest(centre(model, seed), 1)
    record = vault.record_at(nearest.tags[0])
    assert record is not None
    return f"{record.user} {nearest.cosines[0]:.2f}"


@pytest.mark.parametrize("kept", [True, False], ids=["centroids kept", "centroids off"])
def test_the_index_follows_every_change_made_elsewhere(
    settings: Settings, model: ModelId, kept: bool
) -> None:
    with opened(settings, Clock()) as here, opened(settings, Clock()) as there:
        fill(there, model)
        (there.enable_centroids if kept else there.disable_centroids)()
        assert found(here, model, 7) == "user 7 1.00"
        store_record(there, record_of("new", model, seed=99))
        assert found(here, model, 99) == "new 1.00"
        store_record(there, record_of("user 7", model, seed=100))  # another face
        assert found(here, model, 100) == "user 7 1.00"
        assert not found(here, model, 7).endswith("1.00")
        there.rename("new", "newer")
        assert found(here, model, 99) == "newer 1.00"
        there.remove("newer")
        assert not found(here, model, 99).endswith("1.00")
        assert len(here.centroids_of(model)[0]) == PEOPLE


def test_after_a_key_rotation_the_index_is_of_the_new_rotation(
    settings: Settings, model: ModelId
) -> None:
    with opened(settings, Clock()) as vault:
        fill(vault, model)
        vault.centroids_of(model)
        before, space = vault.centroids_of(model)
        assert space is not None
        plain = space.reveal(centre(model, 7)[np.newaxis])
        vault.rotate()
        after, turned = vault.centroids_of(model)
        assert turned is not None
        [cosine] = after.nearest(turned.protect(plain)[0], 1).cosines
        assert cosine == pytest.approx(1.0, abs=1e-5)
        assert len(before) == len(after) == PEOPLE


def test_only_blocks_that_have_changed_are_quantized_again(
    settings: Settings, model: ModelId, quantized: list[int]
) -> None:
    with opened(settings, Clock()) as here, opened(settings, Clock()) as there:
        fill(there, model)
        found(here, model, 1)
        assert sum(quantized) == PEOPLE
        quantized.clear()
        found(here, model, 2)
        assert quantized == []
        with there.attempt("user 3"):
            pass
        found(here, model, 2)
        assert quantized == []
        store_record(there, record_of("new", model, seed=99))
        assert found(here, model, 99) == "new 1.00"
        assert len(quantized) == 1


def test_few_people_and_a_missing_library_are_compared_without_an_index(
    settings: Settings, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(settings, Clock()) as vault:
        fill(vault, model)
        monkeypatch.setattr(centroid_indexes, "is_available", lambda: False)
        vault.centroids_of(model)
        assert isinstance(vault.centroids_of(model)[0], CentroidArrays)
        monkeypatch.undo()
        assert isinstance(vault.centroids_of(model)[0], CentroidArrays)  # 40 are few


def test_a_vault_that_grows_gets_an_index_and_keeps_it(
    settings: Settings, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(centroid_indexes, "INDEX_FROM", 10_000)
    with opened(settings, Clock()) as vault:
        fill(vault, model)
        assert isinstance(vault.centroids_of(model)[0], CentroidArrays)
        monkeypatch.setattr(centroid_indexes, "INDEX_FROM", PEOPLE)
        assert isinstance(vault.centroids_of(model)[0], IndexedCentroids)
        vault.remove("user 1")
        assert isinstance(vault.centroids_of(model)[0], IndexedCentroids)


@pytest.mark.parametrize("index_from", [10, 10**6], ids=["index", "arrays"])
def test_what_is_read_in_parts_is_what_is_read_at_once(
    settings: Settings, model: ModelId, index_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(centroid_indexes, "INDEX_FROM", index_from)
    with opened(settings, Clock()) as here, opened(settings, Clock()) as there:
        fill(there, model)
        there.enable_centroids()
        here.centroids_of(model)
        for change in (
            lambda: store_record(there, record_of("user 3", model, seed=200)),
            lambda: there.remove("user 4"),
            lambda: there.rename("user 5", "someone"),
            lambda: [store_record(there, record_of(f"new {n}", model, seed=n)) for n in range(30)],
            lambda: [there.remove(f"user {n}") for n in range(6, PEOPLE)],
        ):
            change()
            with opened(settings, Clock()) as anew:
                searches = [vault.centroids_of(model)[0] for vault in (here, anew)]
                matches = [
                    next(one.alike(centre(model, 200)[np.newaxis], [-1.0])) for one in searches
                ]
            assert matches[0].tags == matches[1].tags
            assert matches[0].cosines.tolist() == matches[1].cosines.tolist()
            assert (matches[0].rows == matches[1].rows).all()


def test_of_a_changed_bucket_only_the_changed_leaf_is_read_again(
    settings: Settings, model: ModelId, quantized: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(settings, Clock()) as here, opened(settings, Clock()) as there:
        there._transactions.random = random.Random(1).randbytes  # which leaves hang on the key
        fill(there, model)
        with there._transactions.reading() as transaction:
            assert transaction is not None
            tags = {n: user_tag(f"more {n}", transaction.cipher) for n in range(1500)}
        bucket = [n for n, tag in tags.items() if tag[0] == tags[0][0]]
        for n in bucket:
            store_record(there, record_of(f"more {n}", model, seed=n))
        there.enable_centroids()
        found(here, model, 1)
        quantized.clear()
        store_record(there, record_of("more 0", model, seed=77))
        assert found(here, model, 77) == "more 0 1.00"
        assert quantized == [sum(leaf_of(tags[n]) == leaf_of(tags[0]) for n in bucket)]
        assert quantized[0] < len(bucket)
