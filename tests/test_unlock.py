"""The use cases on a real vault: enrol, unlock, identify, compare, forget; and every way to no."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from mien.errors import (
    AlreadyEnrolled,
    EnrolmentRefused,
    ExitCode,
    MienError,
    ModelMismatch,
    NoFaceFound,
    NotEnrolled,
    SeveralFacesFound,
    UnreadableImage,
    UsageError,
    VaultDamaged,
)
from mien.lab.recapture import recapture
from mien.pipeline import Pipeline
from mien.results import ByteArray, ModelId, Template, Threshold
from mien.unlock import (
    compare,
    enrol,
    forget,
    identify,
    load_record,
    template_of,
    unlock,
)
from mien.vault import MemoryVault, Record, SqliteVault, pack_template

NOON = datetime(2026, 1, 31, 13, 0, tzinfo=timezone(timedelta(hours=1)))
OTHER_MODEL = ModelId("vggface2", "cd" * 32)


def clock() -> datetime:
    return NOON


@pytest.fixture(scope="module")
def shots(astronaut: ByteArray) -> list[ByteArray]:
    """Four photos of her, a moment apart: three to enrol, one to try."""
    rng = np.random.default_rng(2)
    return [recapture(astronaut, rng) for _ in range(4)]


@pytest.fixture(scope="module")
def enrolled(pipeline: Pipeline, shots: list[ByteArray]) -> Record:
    """Her record, made once."""
    with MemoryVault() as vault:
        enrol("eileen", shots[:3], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        return load_record("eileen", vault)


@pytest.fixture(scope="module")
def template(pipeline: Pipeline, enrolled: Record) -> Template:
    return template_of(enrolled, pipeline)


@pytest.fixture
def path(tmp_path: Path, enrolled: Record) -> Path:
    """A vault file with her in it."""
    path = tmp_path / "vault.sqlite"
    with SqliteVault(path, create=True) as vault:
        vault.put(enrolled, replace=False)
    return path


def somebody(user: str, seed: int, model: ModelId) -> Record:
    """A record of nobody we have a photo of: unit vectors by chance."""
    vectors = np.random.default_rng(seed).standard_normal((3, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    payload = pack_template(Template(vectors, model))
    return Record(user, model, "2026-01-31T12:00:00+00:00", payload)


# enrol -------------------------------------------------------------------------------------


def test_what_was_enrolled_is_stored_with_model_and_time(
    pipeline: Pipeline, enrolled: Record, shots: list[ByteArray]
) -> None:
    assert enrolled.user == "eileen"
    assert enrolled.model == pipeline.model
    assert enrolled.created_at == "2026-01-31T12:00:00+00:00"
    stored = template_of(enrolled, pipeline)
    assert stored.vectors.shape == (3, 128)
    np.testing.assert_allclose(stored.vectors[1], pipeline.embed_door(shots[1])[1], atol=1e-6)


def test_a_taken_name_is_refused_before_any_photo_is_looked_at(
    pipeline: Pipeline, path: Path
) -> None:
    with SqliteVault(path, create=False) as vault, pytest.raises(AlreadyEnrolled, match="eileen"):
        enrol("eileen", ["/nowhere"], pipeline=pipeline, vault=vault, mode="new", clock=clock)


def test_replace_forgets_the_earlier_photos_and_add_keeps_them(
    pipeline: Pipeline, path: Path, shots: list[ByteArray]
) -> None:
    def count(mode: str, photos: list[ByteArray]) -> int:
        with SqliteVault(path, create=False) as vault:
            enrol("eileen", photos, pipeline=pipeline, vault=vault, mode=mode, clock=clock)
            return len(template_of(load_record("eileen", vault), pipeline).vectors)

    assert count("add", shots[3:]) == 4
    assert count("replace", shots[:2]) == 2


@pytest.mark.parametrize("mode", ["new", "add", "replace"])
def test_every_mode_enrols_somebody_new(
    pipeline: Pipeline, path: Path, shots: list[ByteArray], mode: str
) -> None:
    with SqliteVault(path, create=False) as vault:
        enrol("twin", shots[:1], pipeline=pipeline, vault=vault, mode=mode, clock=clock)
        assert [head.user for head in vault.heads()] == ["eileen", "twin"]


def test_two_spellings_of_one_name_are_one_person(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with MemoryVault() as vault:
        enrol("Zoe\u0308", shots[:1], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        assert load_record("Zo\u00eb", vault).user == "Zo\u00eb"
        assert forget("Zoe\u0308", vault) == "Zo\u00eb"


def test_a_template_of_another_model_is_not_added_to(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with MemoryVault() as vault:
        vault.put(somebody("ana", 1, OTHER_MODEL), replace=False)
        with pytest.raises(ModelMismatch):
            enrol("ana", shots[:1], pipeline=pipeline, vault=vault, mode="add", clock=clock)
        enrol("ana", shots[:1], pipeline=pipeline, vault=vault, mode="replace", clock=clock)
        assert load_record("ana", vault).model == pipeline.model


@pytest.mark.parametrize(
    ("user", "mode", "spoilt", "error"),
    [
        ("eileen", "new", "none", AlreadyEnrolled),
        ("../eileen", "new", "none", UsageError),
        ("eileen", "add", "no photos", UsageError),
        ("eileen", "add", "no face", NoFaceFound),
        ("eileen", "replace", "no face", NoFaceFound),
        ("eileen", "replace", "several", SeveralFacesFound),
        ("eileen", "add", "unreadable", UnreadableImage),
        ("eileen", "replace", "unreadable", UnreadableImage),
        ("ben", "add", "somebody else", EnrolmentRefused),
        ("new", "new", "no face", NoFaceFound),
    ],
)
def test_a_refusal_leaves_the_vault_as_it_was_to_the_byte(
    pipeline: Pipeline,
    path: Path,
    shots: list[ByteArray],
    user: str,
    mode: str,
    spoilt: str,
    error: type[MienError],
) -> None:
    photos: dict[str, list[object]] = {
        "none": [shots[3]],
        "no photos": [],
        "no face": [shots[3], np.full((300, 300, 3), 99, np.uint8)],
        "several": [shots[3], np.hstack([shots[0], shots[0]])],
        "unreadable": [shots[3], b"no picture"],
        "somebody else": [shots[3]],
    }
    with SqliteVault(path, create=False) as vault:
        vault.put(somebody("ben", 2, pipeline.model), replace=False)
    before = path.read_bytes()
    with SqliteVault(path, create=False) as vault, pytest.raises(error):
        enrol(user, photos[spoilt], pipeline=pipeline, vault=vault, mode=mode, clock=clock)
    assert path.read_bytes() == before
    assert sorted(found.name for found in path.parent.iterdir()) == ["vault.sqlite"]


def test_a_damaged_record_can_be_replaced_and_nothing_else(
    pipeline: Pipeline, path: Path, shots: list[ByteArray]
) -> None:
    with sqlite3.connect(path) as db:
        db.execute("UPDATE templates SET payload = zeroblob(100)")
    db.close()
    with SqliteVault(path, create=False) as vault:
        for mode in ("new", "add"):
            with pytest.raises(VaultDamaged, match="eileen"):
                enrol("eileen", shots, pipeline=pipeline, vault=vault, mode=mode, clock=clock)
        with pytest.raises(VaultDamaged):
            load_record("eileen", vault)
        enrol("eileen", shots[:2], pipeline=pipeline, vault=vault, mode="replace", clock=clock)
        again = template_of(load_record("eileen", vault), pipeline)
    assert unlock(shots[3], again, pipeline)


# unlock ------------------------------------------------------------------------------------


def test_the_owner_gets_in_with_a_photo_that_was_not_enrolled(
    pipeline: Pipeline, template: Template, shots: list[ByteArray]
) -> None:
    decision = unlock(shots[3], template, pipeline)
    assert decision
    assert decision.outcome is ExitCode.UNLOCKED
    assert decision.similarity > 0.85
    assert decision.threshold.value < 0.5
    assert decision.face is not None


def test_somebody_elses_template_stays_shut(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    other = template_of(somebody("ben", 3, pipeline.model), pipeline)
    decision = unlock(shots[3], other, pipeline)
    assert not decision
    assert decision.outcome is ExitCode.NOT_THE_OWNER
    assert decision.similarity < 0.363


def test_no_face_and_several_faces_are_a_no_with_the_reason(
    pipeline: Pipeline, template: Template, astronaut: ByteArray
) -> None:
    nobody = unlock(np.zeros((200, 200, 3), np.uint8), template, pipeline)
    crowd = unlock(np.hstack([astronaut, astronaut]), template, pipeline)
    for decision, outcome, words in (
        (nobody, ExitCode.NO_FACE, "no face found"),
        (crowd, ExitCode.SEVERAL_FACES, "2 faces"),
    ):
        is_me, similarity = decision
        assert is_me is False
        assert np.isnan(similarity)
        assert decision.outcome is outcome
        assert words in decision.reason
        assert decision.face is None


def test_a_stricter_threshold_is_kept_and_one_of_another_model_refused(
    pipeline: Pipeline, template: Template, shots: list[ByteArray]
) -> None:
    strict = Threshold(0.9999, "sface", "by hand")
    assert not unlock(shots[3], template, pipeline, strict)
    with pytest.raises(ModelMismatch):
        unlock(shots[3], template, pipeline, Threshold(0.1, "vggface2", "by hand"))


def test_a_template_of_another_model_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(ModelMismatch):
        template_of(somebody("ana", 1, OTHER_MODEL), pipeline)


def test_who_is_not_enrolled_is_told_what_to_do() -> None:
    with MemoryVault() as vault:
        with pytest.raises(NotEnrolled, match="ana is not enrolled; run: mien enroll ana"):
            load_record("ana", vault)
        with pytest.raises(NotEnrolled, match="mien list"):
            forget("ana", vault)


def test_forgetting_removes_one_person_and_no_other(pipeline: Pipeline, path: Path) -> None:
    with SqliteVault(path, create=False) as vault:
        vault.put(somebody("ben", 2, pipeline.model), replace=False)
        assert forget("eileen", vault) == "eileen"
        assert [head.user for head in vault.heads()] == ["ben"]


# identify ----------------------------------------------------------------------------------


def test_the_right_one_is_found_among_others(
    pipeline: Pipeline, enrolled: Record, shots: list[ByteArray]
) -> None:
    with MemoryVault() as vault:
        for seed, user in enumerate(("ana", "ben", "zoe")):
            vault.put(somebody(user, seed, pipeline.model), replace=False)
        vault.put(enrolled, replace=False)
        found = identify(shots[3], vault=vault, pipeline=pipeline)
    assert found.user == "eileen"
    assert found.decision.outcome is ExitCode.UNLOCKED


def test_a_stranger_is_nobody(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    with MemoryVault() as vault:
        for seed, user in enumerate(("ana", "ben", "zoe")):
            vault.put(somebody(user, seed, pipeline.model), replace=False)
        found = identify(shots[3], vault=vault, pipeline=pipeline)
    assert found.user is None
    assert not found.decision
    assert found.decision.outcome is ExitCode.NOT_THE_OWNER


def test_an_empty_vault_and_one_of_another_model_have_nobody(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with MemoryVault() as vault:
        with pytest.raises(NotEnrolled):
            identify(shots[3], vault=vault, pipeline=pipeline)
        vault.put(somebody("ana", 1, OTHER_MODEL), replace=False)
        with pytest.raises(NotEnrolled):
            identify(shots[3], vault=vault, pipeline=pipeline)


def test_identify_needs_one_face(
    pipeline: Pipeline, enrolled: Record, astronaut: ByteArray
) -> None:
    with MemoryVault() as vault:
        vault.put(enrolled, replace=False)
        with pytest.raises(NoFaceFound):
            identify(np.zeros((99, 99, 3), np.uint8), vault=vault, pipeline=pipeline)
        with pytest.raises(SeveralFacesFound):
            identify(np.hstack([astronaut, astronaut]), vault=vault, pipeline=pipeline)


# compare -----------------------------------------------------------------------------------


def test_two_photos_of_one_person_are_one_person(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    decision, a_face, b_face = compare(shots[0], shots[1], pipeline)
    assert decision
    assert a_face.score > 0.9
    assert b_face.score > 0.9
    same, _, _ = compare(shots[0], shots[0], pipeline)
    assert same.similarity == pytest.approx(1.0, abs=1e-6)
    assert same.similarity <= 1.0


def test_compare_needs_a_face_in_each(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    blank = np.zeros((99, 99, 3), np.uint8)
    for pair in ((blank, shots[0]), (shots[0], blank)):
        with pytest.raises(NoFaceFound):
            compare(*pair, pipeline)
