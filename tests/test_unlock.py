"""The use cases on a real vault: enrol, unlock, identify, compare, forget; and every way to no."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from mien.enrolment import enrol_photos
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
from mien.settings import Settings, load_settings
from mien.unlock import (
    compare,
    enrol,
    forget,
    identify,
    template_of,
    unlock,
)
from mien.vault import Record, pack_template
from mien.vault.opening import open_memory_vault, open_vault
from mien.vault.sealed import SealedVault

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
def home_of_her(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A home with a vault and its key, with her in it, made once."""
    home = tmp_path_factory.mktemp("hers")
    with opened(home) as vault:
        enrol("eileen", shots[:3], pipeline=pipeline, vault=vault, mode="new", clock=clock)
    return home


@pytest.fixture
def home(home_of_her: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(home_of_her, tmp_path / "home"))


@pytest.fixture(scope="module")
def template(pipeline: Pipeline, shots: list[ByteArray]) -> Template:
    return enrol_photos(shots[:3], pipeline).template


def settings_of(home: Path) -> Settings:
    return load_settings({"HOME": str(home)})


def opened(home: Path) -> SealedVault:
    return open_vault(settings_of(home), create=True, surface="library", environ={})


def stored(user: str, vault: SealedVault, pipeline: Pipeline) -> Template:
    """The template as it would be without the vault's secret."""
    found = vault.look_up(user)
    assert found is not None
    assert found.record is not None
    turned = template_of(found.record, pipeline)
    plain = found.space_of(pipeline.model).reveal(turned.vectors)
    return Template(plain, turned.model)


def somebody(user: str, seed: int, model: ModelId) -> Record:
    """A record of nobody we have a photo of: unit vectors by chance."""
    vectors = np.random.default_rng(seed).standard_normal((3, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    payload = pack_template(Template(vectors, model))
    return Record(user, model, "2026-01-31T12:00:00+00:00", payload)


# enrol -------------------------------------------------------------------------------------


def test_what_was_enrolled_is_stored_with_model_and_time(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    with opened(home) as vault:
        [head] = vault.heads()
        template = stored("eileen", vault, pipeline)
    assert (head.user, head.model) == ("eileen", pipeline.model)
    assert head.created_at == "2026-01-31T12:00:00+00:00"
    assert template.vectors.shape == (3, 128)
    np.testing.assert_allclose(template.vectors[1], pipeline.embed_door(shots[1])[1], atol=1e-6)


def test_a_taken_name_is_refused_before_any_photo_is_looked_at(
    pipeline: Pipeline, home: Path
) -> None:
    with opened(home) as vault, pytest.raises(AlreadyEnrolled, match="eileen"):
        enrol("eileen", ["/nowhere"], pipeline=pipeline, vault=vault, mode="new", clock=clock)


def test_replace_forgets_the_earlier_photos_and_add_keeps_them(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    def count(mode: str, photos: list[ByteArray]) -> int:
        with opened(home) as vault:
            enrol("eileen", photos, pipeline=pipeline, vault=vault, mode=mode, clock=clock)
            return len(stored("eileen", vault, pipeline).vectors)

    assert count("add", shots[3:]) == 4
    assert count("replace", shots[:2]) == 2


@pytest.mark.parametrize("mode", ["new", "add", "replace"])
def test_every_mode_enrols_somebody_new(
    pipeline: Pipeline, home: Path, shots: list[ByteArray], mode: str
) -> None:
    with opened(home) as vault:
        enrol("twin", shots[:1], pipeline=pipeline, vault=vault, mode=mode, clock=clock)
        assert [head.user for head in vault.heads()] == ["eileen", "twin"]


def test_two_spellings_of_one_name_are_one_person(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with open_memory_vault() as vault:
        enrol("Zoe\u0308", shots[:1], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        assert [head.user for head in vault.heads()] == ["Zo\u00eb"]
        assert forget("Zoe\u0308", vault) == "Zo\u00eb"


def test_a_template_of_another_model_is_not_added_to(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with open_memory_vault() as vault:
        vault.put(somebody("ana", 1, OTHER_MODEL), replace=False)
        with pytest.raises(ModelMismatch):
            enrol("ana", shots[:1], pipeline=pipeline, vault=vault, mode="add", clock=clock)
        enrol("ana", shots[:1], pipeline=pipeline, vault=vault, mode="replace", clock=clock)
        assert vault.heads()[0].model == pipeline.model


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
    home: Path,
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
    path = settings_of(home).vault_path
    with opened(home) as vault:
        vault.put(somebody("ben", 2, pipeline.model), replace=False)
    before = path.read_bytes()
    with opened(home) as vault, pytest.raises(error):
        enrol(user, photos[spoilt], pipeline=pipeline, vault=vault, mode=mode, clock=clock)
    assert path.read_bytes() == before
    assert sorted(found.name for found in path.parent.iterdir()) == ["vault.sqlite"]


def test_photos_of_two_people_make_no_vault(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path, shared_photos: Path
) -> None:
    other = shared_photos / "faces" / "matt_demon" / "193188.jpg"
    with opened(tmp_path) as vault, pytest.raises(EnrolmentRefused):
        enrol("ana", [shots[0], other], pipeline=pipeline, vault=vault, mode="new", clock=clock)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_record_can_be_replaced_and_nothing_else(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    with sqlite3.connect(settings_of(home).vault_path) as db:
        db.execute("UPDATE cell_record SET value = zeroblob(100)")
    db.close()
    with opened(home) as vault:
        with pytest.raises(AlreadyEnrolled):
            enrol("eileen", shots, pipeline=pipeline, vault=vault, mode="new", clock=clock)
        with pytest.raises(VaultDamaged, match="altered"):
            enrol("eileen", shots, pipeline=pipeline, vault=vault, mode="add", clock=clock)
        with pytest.raises(VaultDamaged):
            vault.look_up("eileen")
        enrol("eileen", shots[:2], pipeline=pipeline, vault=vault, mode="replace", clock=clock)
        again = stored("eileen", vault, pipeline)
    assert unlock(shots[3], again, pipeline)


def test_somebody_elses_damaged_record_stops_no_enrolment_and_is_told(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    with sqlite3.connect(settings_of(home).vault_path) as db:
        db.execute("UPDATE cell_record SET value = zeroblob(100)")
    db.close()
    with opened(home) as vault:
        made = enrol("ana", shots[:2], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        assert vault.holds("ana")
    assert any("look-alikes among the enrolled were not checked" in line for line in made.advice)


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
    with open_memory_vault() as vault, pytest.raises(NotEnrolled, match="mien list"):
        forget("ana", vault)


def test_forgetting_removes_one_person_and_no_other(pipeline: Pipeline, home: Path) -> None:
    with opened(home) as vault:
        vault.put(somebody("ben", 2, pipeline.model), replace=False)
        assert forget("eileen", vault) == "eileen"
        assert [head.user for head in vault.heads()] == ["ben"]


# identify ----------------------------------------------------------------------------------


def test_the_right_one_is_found_among_others(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    with opened(home) as vault:
        for seed, user in enumerate(("ana", "ben", "zoe")):
            vault.put(somebody(user, seed, pipeline.model), replace=False)
        found = identify(shots[3], vault=vault, pipeline=pipeline)
    assert found.user == "eileen"
    assert found.decision.outcome is ExitCode.UNLOCKED


def test_a_stranger_is_nobody(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    with open_memory_vault() as vault:
        for seed, user in enumerate(("ana", "ben", "zoe")):
            vault.put(somebody(user, seed, pipeline.model), replace=False)
        found = identify(shots[3], vault=vault, pipeline=pipeline)
    assert found.user is None
    assert not found.decision
    assert found.decision.outcome is ExitCode.NOT_THE_OWNER


def test_an_empty_vault_and_one_of_another_model_have_nobody(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with open_memory_vault() as vault:
        with pytest.raises(NotEnrolled):
            identify(shots[3], vault=vault, pipeline=pipeline)
        vault.put(somebody("ana", 1, OTHER_MODEL), replace=False)
        with pytest.raises(NotEnrolled):
            identify(shots[3], vault=vault, pipeline=pipeline)


def test_identify_needs_one_face(pipeline: Pipeline, home: Path, astronaut: ByteArray) -> None:
    with opened(home) as vault:
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
