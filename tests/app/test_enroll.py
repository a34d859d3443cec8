"""Enrollment in a real vault: what is stored, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.app.parts import OTHER_MODEL, clock, opened, settings_of, somebody, stored
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import edit, record_of_user, store_record

from mien.app.enroll import Mode, analyse_photos, enroll
from mien.app.pipeline import Pipeline
from mien.app.verify import (
    forget,
    verify_photo,
)
from mien.errors import (
    AlreadyEnrolled,
    EnrollmentRefused,
    MienError,
    ModelMismatch,
    NoFaceFound,
    SeveralFacesFound,
    UnreadableImage,
    UsageError,
    VaultDamaged,
)
from mien.results import ByteArray
from mien.vault.records.record import LivenessHistory


def test_an_enrolled_template_is_stored_with_model_and_time(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    with opened(home) as vault:
        [head] = vault.list_people()
        template = stored("eileen", vault, pipeline)
    assert (head.user, head.model) == ("eileen", pipeline.model)
    assert head.created_at == "2026-01-31T12:00:00+00:00"
    assert template.vectors.shape == (3, 128)
    np.testing.assert_allclose(
        template.vectors[1], pipeline.embed_probe(shots[1]).vector, atol=1e-6
    )


def test_a_taken_name_is_refused_before_any_photo_is_read(pipeline: Pipeline, home: Path) -> None:
    with opened(home) as vault, pytest.raises(AlreadyEnrolled, match="eileen"):
        enroll("eileen", ["/nowhere"], pipeline=pipeline, vault=vault, mode="new", clock=clock)


def test_replace_removes_the_earlier_photos_and_add_keeps_them(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    def count(mode: str, photos: list[ByteArray]) -> int:
        with opened(home) as vault:
            enroll("eileen", photos, pipeline=pipeline, vault=vault, mode=mode, clock=clock)
            return len(stored("eileen", vault, pipeline).vectors)

    assert count("add", shots[3:]) == 4
    assert count("replace", shots[:2]) == 2


@pytest.mark.parametrize("mode", ["new", "add", "replace"])
def test_every_mode_enrolls_a_new_person(
    pipeline: Pipeline, home: Path, shots: list[ByteArray], mode: str
) -> None:
    with opened(home) as vault:
        enroll("twin", shots[:1], pipeline=pipeline, vault=vault, mode=mode, clock=clock)
        assert [head.user for head in vault.list_people()] == ["eileen", "twin"]


def test_two_spellings_of_one_name_are_one_person(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with open_memory_vault() as vault:
        enroll("Zoe\u0308", shots[:1], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        assert [head.user for head in vault.list_people()] == ["Zo\u00eb"]
        assert forget("Zoe\u0308", vault) == "Zo\u00eb"


def test_how_alive_a_person_looked_is_stored_kept_by_added_photos_and_dropped_by_other_ones(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    def stored_after(mode: Mode, liveness: LivenessHistory | None) -> LivenessHistory | None:
        enroll(
            "ana", shots[:1], pipeline=pipeline, vault=vault, mode=mode, clock=clock,
            liveness=liveness,
        )  # fmt: skip
        record = record_of_user(vault, "ana")
        assert record is not None
        return record.liveness

    with open_memory_vault() as vault:
        assert stored_after("new", LivenessHistory(5.0)) == LivenessHistory(5.0)
        assert stored_after("add", None) == LivenessHistory(5.0)
        assert stored_after("add", LivenessHistory(4.0)) == LivenessHistory(4.0)
        assert stored_after("replace", None) is None


def test_photos_cannot_be_added_to_a_template_of_another_model(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with open_memory_vault() as vault:
        store_record(vault, somebody("ana", 1, OTHER_MODEL))
        with pytest.raises(ModelMismatch):
            enroll("ana", shots[:1], pipeline=pipeline, vault=vault, mode="add", clock=clock)
        enroll("ana", shots[:1], pipeline=pipeline, vault=vault, mode="replace", clock=clock)
        assert vault.list_people()[0].model == pipeline.model


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
        ("ben", "add", "somebody else", EnrollmentRefused),
        ("new", "new", "no face", NoFaceFound),
    ],
)
def test_a_refused_enrollment_changes_no_byte_of_the_vault(
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
        store_record(vault, somebody("ben", 2, pipeline.model))
    before = path.read_bytes()
    with opened(home) as vault, pytest.raises(error):
        enroll(user, photos[spoilt], pipeline=pipeline, vault=vault, mode=mode, clock=clock)
    assert path.read_bytes() == before
    assert sorted(found.name for found in path.parent.iterdir()) == ["vault.sqlite"]


def test_photos_of_two_people_create_no_vault(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path, shared_photos: Path
) -> None:
    other = shared_photos / "faces" / "matt_demon" / "193188.jpg"
    with opened(tmp_path) as vault, pytest.raises(EnrollmentRefused):
        enroll("ana", [shots[0], other], pipeline=pipeline, vault=vault, mode="new", clock=clock)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_record_can_only_be_replaced(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    edit(settings_of(home).vault_path, "UPDATE cell_record SET value = zeroblob(100)")
    with opened(home) as vault:
        with pytest.raises(AlreadyEnrolled):
            enroll("eileen", shots, pipeline=pipeline, vault=vault, mode="new", clock=clock)
        with pytest.raises(VaultDamaged, match="altered"):
            enroll("eileen", shots, pipeline=pipeline, vault=vault, mode="add", clock=clock)
        with pytest.raises(VaultDamaged):
            vault.look_up("eileen")
        enroll("eileen", shots[:2], pipeline=pipeline, vault=vault, mode="replace", clock=clock)
        again = stored("eileen", vault, pipeline)
    assert verify_photo(shots[3], again, pipeline)


def test_a_damaged_record_of_another_person_is_reported_and_does_not_stop_enrollment(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    edit(settings_of(home).vault_path, "UPDATE cell_record SET value = zeroblob(100)")
    with opened(home) as vault:
        made = enroll("ana", shots[:2], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        assert vault.holds("ana")
    assert any("not compared with the other enrolled people" in line for line in made.advice)


def test_a_name_that_was_enrolled_meanwhile_is_not_enrolled_over(
    pipeline: Pipeline, shots: list[ByteArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process enrolled it after the first look at the vault."""
    with open_memory_vault() as vault:
        enroll("eileen", shots[:2], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        before = stored("eileen", vault, pipeline)
        monkeypatch.setattr(vault, "holds", lambda user: False)
        with pytest.raises(AlreadyEnrolled):
            enroll("eileen", shots[2:], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        assert (stored("eileen", vault, pipeline).vectors == before.vectors).all()


def test_without_one_usable_photo_the_first_reason_is_raised(pipeline: Pipeline) -> None:
    blanks = [np.full((64, 64, 3), level, np.uint8) for level in (0, 255)]
    with pytest.raises(NoFaceFound, match="photo 1") as caught:
        analyse_photos(blanks, pipeline, may_skip=lambda photo: True)
    assert "over-exposed" not in str(caught.value)  # that is the second
