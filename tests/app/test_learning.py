"""A template that follows its owner learns from safe looks alone, and goes back when asked to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timezone
from pathlib import Path

import numpy as np
import pytest
from tests.app.parts import clock
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import Clock, record_of_user, store_record

from mien.app.enroll import enroll
from mien.app.kept_faces import forget_learned, kept_times_of, mark_as_wrong, set_following
from mien.app.learning import face_to_learn, most_learned
from mien.app.people_summary import remove_photo
from mien.app.pipeline import Pipeline
from mien.app.reference import Reference, reference_of
from mien.app.verify import Verifier
from mien.errors import NotEnrolled, UsageError, VaultDamaged
from mien.matching.matcher import Matcher
from mien.matching.policy import PLAIN_SPACE
from mien.models import find_embedder
from mien.results import ByteArray, Decision, FloatArray, LivenessEvidence, Template
from mien.vault.integrity.audit_log import describe_entries
from mien.vault.records.record import KeptFace
from mien.vault.rotated_space import RotatedSpace
from mien.vault.vault import Vault

ALIVE = LivenessEvidence("casual", 1.0, 0.0, 3)
NOT_ALIVE = replace(ALIVE, refused_by="passive")
DAY_S = 24 * 3600.0


@pytest.fixture
def day() -> Clock:
    return Clock()


@pytest.fixture
def vault(pipeline: Pipeline, shots: list[ByteArray], day: Clock) -> Iterator[Vault]:
    with open_memory_vault(clock=day) as vault:
        enroll("eileen", shots[:2], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        set_following("eileen", vault, on=True)
        yield vault


def look(
    vault: Vault,
    pipeline: Pipeline,
    image: ByteArray,
    *,
    liveness: LivenessEvidence | None = ALIVE,
    from_camera: bool = True,
    target_fmr: float | None = None,
) -> Decision:
    with Verifier(
        "eileen",
        vault=vault,
        pipeline_of=lambda model: pipeline,
        tell_unknown=True,
        target_fmr=target_fmr,
        from_camera=from_camera,
    ) as verifier:
        return verifier.conclude(replace(verifier(image), liveness=liveness))


def learned(vault: Vault) -> int:
    return len(kept_times_of("eileen", vault).learned)


def test_an_unlock_at_a_camera_is_learned_beside_the_photos(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray], day: Clock
) -> None:
    before = record_of_user(vault, "eileen")
    assert before is not None
    assert look(vault, pipeline, shots[3])
    after = record_of_user(vault, "eileen")
    assert after is not None
    assert learned(vault) == 1
    assert after.payload == before.payload, "the photos stay as they are"
    day.wait(DAY_S)
    assert "3 enrolled photos" in look(vault, pipeline, shots[2]).threshold.provenance
    assert learned(vault) == 2
    assert "the template of eileen learned the face" in "\n".join(_lines(vault))


def _lines(vault: Vault) -> list[str]:
    return describe_entries(vault.read_log(), zone=timezone.utc)


@pytest.mark.parametrize(
    "unsafe",
    ["not followed", "a film", "not checked for life", "a laxer threshold", "the same day"],
)
def test_a_look_that_is_not_safe_teaches_nothing(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray], unsafe: str
) -> None:
    if unsafe == "not followed":
        set_following("eileen", vault, on=False)
    if unsafe == "the same day":
        assert look(vault, pipeline, shots[3])
    before = learned(vault)
    assert look(
        vault,
        pipeline,
        shots[2] if unsafe == "the same day" else shots[3],
        liveness=None if unsafe == "not checked for life" else ALIVE,
        from_camera=unsafe != "a film",
        target_fmr=1e-2 if unsafe == "a laxer threshold" else None,
    )
    assert learned(vault) == before


def test_a_face_unlike_a_marked_one_is_learned(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    record = record_of_user(vault, "eileen")
    assert record is not None
    marked = space_of(vault, pipeline).protect(at_degrees(0))[0].astype("<f4").tobytes()
    face = KeptFace("not_me", "2026-01-31T12:00:00+00:00", marked)
    store_record(vault, replace(record, kept=(face,)))
    assert look(vault, pipeline, shots[3])
    assert learned(vault) == 1


def test_a_photo_that_is_enrolled_already_adds_nothing(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    assert look(vault, pipeline, shots[0])
    assert learned(vault) == 0


def test_nothing_is_learned_that_would_unlock_as_somebody_else_too(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    enroll("twin", [shots[3]], pipeline=pipeline, vault=vault, mode="new", clock=clock)
    assert look(vault, pipeline, shots[3])
    assert learned(vault) == 0


def test_a_poor_frame_unlocks_and_is_not_learned(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    reference = reference_in(vault, pipeline)
    small = np.ascontiguousarray(shots[3][::4, ::4])
    found = face_to_learn(
        small, "eileen", reference, pipeline=pipeline, vault=vault, space=space_of(vault, pipeline)
    )
    assert found is None


def test_following_off_and_undo_go_back_to_the_photos(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray], day: Clock
) -> None:
    look(vault, pipeline, shots[3])
    day.wait(DAY_S)
    look(vault, pipeline, shots[2])
    assert forget_learned("eileen", vault, 2) == "1 learned face"
    assert learned(vault) == 1
    assert forget_learned("eileen", vault) == "1 learned face"
    with pytest.raises(UsageError, match="no learned face"):
        forget_learned("eileen", vault)
    day.wait(DAY_S)
    look(vault, pipeline, shots[3])
    set_following("eileen", vault, on=False)
    assert (learned(vault), kept_times_of("eileen", vault).follows) == (0, False)
    with pytest.raises(NotEnrolled):
        set_following("nobody", vault, on=True)


@pytest.mark.parametrize("how", ["a photo is removed", "an unlock was wrong"])
def test_what_was_learned_leaves_with_what_it_rests_on(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray], how: str
) -> None:
    look(vault, pipeline, shots[3])
    if how == "a photo is removed":
        remove_photo("eileen", 1, vault)
    else:
        mark_as_wrong("eileen", vault)
    assert learned(vault) == 0


# hand-made numbers -----------------------------------------------------------------------------


def at_degrees(*degrees: float) -> FloatArray:
    angles = np.radians(degrees)
    rows = np.zeros((len(degrees), 128), np.float32)
    rows[:, 0], rows[:, 1] = np.cos(angles), np.sin(angles)
    return rows


def test_a_chain_of_faces_leads_nowhere(
    pipeline: Pipeline, vault: Vault, monkeypatch: pytest.MonkeyPatch, shots: list[ByteArray]
) -> None:
    """At 0 degrees the photo, at 50 what was learned; a face at 75 is near the latter alone."""
    matcher = Matcher(find_embedder("sface", Path()))
    monkeypatch.setattr(type(matcher), "_cohort", None)
    monkeypatch.setattr(pipeline, "matcher", matcher)
    reference = Reference(
        Template(at_degrees(0), pipeline.model), at_degrees(50), np.zeros((0, 128), np.float32)
    )
    together = matcher.score_template(reference.template, at_degrees(75)[0])
    assert together.reaches(matcher.threshold_among(10, photos=2)), "it unlocks"
    for degrees, is_learned in ((75, False), (50, False), (40, True)):
        vectors = at_degrees(degrees)
        monkeypatch.setattr(pipeline, "embed_carefully", lambda *_, v=vectors: (v, [()]))
        found = face_to_learn(
            shots[3], "eileen", reference, pipeline=pipeline, vault=vault, space=PLAIN_SPACE
        )
        assert (found is not None) is is_learned, degrees


@pytest.mark.parametrize(("photos", "most"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_no_more_is_learned_than_there_are_photos(
    pipeline: Pipeline, photos: int, most: int
) -> None:
    template = Template(at_degrees(*range(photos)), pipeline.model)
    assert most_learned(Reference.of(template)) == most


def reference_in(vault: Vault, pipeline: Pipeline) -> Reference:
    record = record_of_user(vault, "eileen")
    assert record is not None
    return reference_of(record, pipeline)


def space_of(vault: Vault, pipeline: Pipeline) -> RotatedSpace:
    found = vault.look_up("eileen")
    assert found is not None
    return found.space_of(pipeline.model)


def test_a_damaged_kept_face_unlocks_nothing(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    bad = KeptFace("learned", "2026-01-31T12:00:00+00:00", bytes(512))
    record = record_of_user(vault, "eileen")
    assert record is not None
    store_record(vault, replace(record, kept=(bad,)))
    with pytest.raises(VaultDamaged, match="enroll again"):
        look(vault, pipeline, shots[3])
