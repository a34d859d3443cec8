"""The threshold rises with the number of enrolled people that a face is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from tests.app.parts import OTHER_MODEL, somebody
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import store_record

from mien.app.enroll import enroll
from mien.app.identify import MAX_TIES, identify
from mien.app.pipeline import Pipeline
from mien.errors import NotEnrolled, VaultDamaged
from mien.media.image_file import read_image
from mien.results import ByteArray
from mien.vault.centroids import centroid_indexes
from mien.vault.centroids.indexed_centroids import IndexedCentroids
from mien.vault.vault import Vault


def clock() -> datetime:
    return datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def test_the_threshold_rises_with_the_number_of_enrolled_people(
    pipeline: Pipeline,
) -> None:
    one, ten = (pipeline.matcher.threshold_among(n, photos=3) for n in (1, 10))
    assert one == pipeline.matcher.threshold_for(photos=3)
    assert ten == pipeline.matcher.threshold_for(photos=3, target_fmr=1e-5)
    rising = [pipeline.matcher.threshold_among(10**n, photos=3).value for n in range(9)]
    assert rising == sorted(set(rising))


def test_the_odds_of_a_stranger_are_for_all_enrolled_people(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    def twice_enrolled(*names: str) -> str:
        with open_memory_vault() as vault:
            for name in names:
                enroll(name, [astronaut], pipeline=pipeline, vault=vault, mode="new", clock=clock)
            return identify(astronaut, vault=vault, pipeline=pipeline).decision.odds

    assert "this high less than once in 470,000" in twice_enrolled("ana")
    assert "with one of 2 enrolled less than once in 230,000" in twice_enrolled("ana", "bea")


def test_real_people_are_distinguished(pipeline: Pipeline, shared_photos: Path) -> None:
    with open_memory_vault() as vault:
        for person in sorted((shared_photos / "faces").iterdir()):
            photos = sorted(person.iterdir())
            enroll(person.name, photos, pipeline=pipeline, vault=vault, mode="new", clock=clock)
        found = {
            probe.name: identify(read_image(probe), vault=vault, pipeline=pipeline).user
            for probe in (shared_photos / "faces_test").iterdir()
        }
    assert found.pop("me_test.jpg") == "me"
    # one of them resembles an actor at 0.34; OpenCV documents 0.363 as enough
    assert set(found.values()) == {None}


def test_everybody_whom_the_face_matches_is_named(
    pipeline: Pipeline, shots: list[ByteArray], shared_photos: Path
) -> None:
    other = shared_photos / "faces_test" / "202008-full.jpg"
    with open_memory_vault() as vault:
        enroll("ana", shots[:2], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        enroll("twin", shots[:2], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        enroll("ben", [other], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        found = identify(shots[3], vault=vault, pipeline=pipeline)
        assert {found.user, *found.also} == {"ana", "twin"}
        assert found.to_dict()["also"] == [*found.also]
        assert identify(read_image(other), vault=vault, pipeline=pipeline).also == ()


def test_a_decision_is_the_same_with_an_index_of_everybody(
    pipeline: Pipeline, shots: list[ByteArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss", reason="needs faiss: pip install '.[index]'")
    with open_memory_vault() as vault:
        for number, shot in enumerate(shots):
            enroll(f"{number}", [shot], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        monkeypatch.setattr(centroid_indexes, "INDEX_FROM", 10**6)
        exact = [identify(shot, vault=vault, pipeline=pipeline).to_dict() for shot in shots]
        monkeypatch.setattr(centroid_indexes, "INDEX_FROM", 0)
        indexed = [identify(shot, vault=vault, pipeline=pipeline).to_dict() for shot in shots]
        assert isinstance(vault.centroids_of(pipeline.model)[0], IndexedCentroids)
    assert indexed == exact
    assert [one["user"] for one in exact] == [f"{number}" for number in range(len(shots))]


@pytest.mark.parametrize("of_another_model", [False, True])
def test_nobody_to_compare_with_is_not_enrolled(
    pipeline: Pipeline, astronaut: ByteArray, of_another_model: bool
) -> None:
    """An empty vault makes no attempt; one with templates of other models alone does."""
    with open_memory_vault() as vault:
        if of_another_model:
            store_record(vault, somebody("ana", 1, OTHER_MODEL))
        before = len(vault.read_log())
        with pytest.raises(NotEnrolled, match="nobody is enrolled"):
            identify(astronaut, vault=vault, pipeline=pipeline)
        assert len(vault.read_log()) - before == of_another_model


def after_first(
    vault: Vault, method: str, change: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let another program change the vault when the method has returned for the first time."""
    changes, read = iter([change]), getattr(vault, method)

    def reading(given: object) -> object:
        found = read(given)
        next(changes, lambda: None)()
        return found

    monkeypatch.setattr(vault, method, reading)


def test_after_the_nearest_was_removed_the_others_are_looked_at(
    pipeline: Pipeline, astronaut: ByteArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody is enrolled, so that nobody is told the opposite."""
    with open_memory_vault() as vault:
        for name in ("ana", "bea"):
            enroll(name, [astronaut], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        first = identify(astronaut, vault=vault, pipeline=pipeline).user
        after_first(vault, "centroids_of", lambda: vault.remove(first or ""), monkeypatch)
        found = identify(astronaut, vault=vault, pipeline=pipeline)
    assert {first, found.user} == {"ana", "bea"}
    assert not found.also


@pytest.fixture
def anas_vault(pipeline: Pipeline, astronaut: ByteArray) -> Iterator[Vault]:
    with open_memory_vault() as vault:
        enroll("ana", [astronaut], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        yield vault


def test_a_rotation_of_the_key_meanwhile_refuses_nobody(
    anas_vault: Vault, pipeline: Pipeline, astronaut: ByteArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_first(anas_vault, "centroids_of", anas_vault.rotate, monkeypatch)
    assert identify(astronaut, vault=anas_vault, pipeline=pipeline).user == "ana"


def test_a_face_of_the_old_rotation_is_not_compared_with_the_new_one(
    anas_vault: Vault, pipeline: Pipeline, astronaut: ByteArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a database, where the search finds the centroids that are there by then."""
    _, old_space = anas_vault.centroids_of(pipeline.model)
    anas_vault.rotate()
    found, new_space = anas_vault.centroids_of(pipeline.model)
    spaces = iter([old_space])
    monkeypatch.setattr(anas_vault, "centroids_of", lambda model: (found, next(spaces, new_space)))
    assert identify(astronaut, vault=anas_vault, pipeline=pipeline).user == "ana"


def test_a_vault_that_changes_during_each_look_is_told(
    anas_vault: Vault, pipeline: Pipeline, astronaut: ByteArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anas_vault, "records_at", lambda tags: [None for _ in tags])
    with pytest.raises(VaultDamaged, match="changed during each look; try again"):
        identify(astronaut, vault=anas_vault, pipeline=pipeline)


def test_at_most_five_people_are_looked_at(pipeline: Pipeline, astronaut: ByteArray) -> None:
    with open_memory_vault() as vault:
        for name in "abcdefg":
            enroll(name, [astronaut], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        found = identify(astronaut, vault=vault, pipeline=pipeline)
    assert found.user is not None
    assert len(found.also) == MAX_TIES == 4
