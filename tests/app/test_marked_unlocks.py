"""An unlock that was wrong: a face that is more like it than like the photos stays locked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.app.parts import clock
from tests.vault.memory import open_memory_vault

from mien.app.enroll import enroll
from mien.app.identify import identify
from mien.app.kept_faces import kept_times_of, mark_as_wrong, unmark
from mien.app.pipeline import Pipeline
from mien.app.reference import MARKED, Reference, is_marked
from mien.app.verify import Verifier, verify
from mien.errors import NotEnrolled, Outcome, UsageError
from mien.matching.matcher import Matcher
from mien.models import find_embedder
from mien.results import ByteArray, Decision, FloatArray, Template
from mien.vault.vault import Vault


@pytest.fixture
def vault(pipeline: Pipeline, shots: list[ByteArray]) -> Iterator[Vault]:
    with open_memory_vault() as vault:
        enroll("eileen", shots[:3], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        yield vault


def look(vault: Vault, pipeline: Pipeline, image: ByteArray) -> Decision:
    return verify(
        "eileen", image, vault=vault, pipeline_of=lambda model: pipeline, tell_unknown=True
    )


def test_a_face_like_the_marked_one_is_locked_until_the_mark_is_removed(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    assert look(vault, pipeline, shots[3])
    at = mark_as_wrong("eileen", vault)
    refused = look(vault, pipeline, shots[3])
    assert (refused.outcome, refused.reason) == (Outcome.NOT_THE_OWNER, MARKED)
    assert refused.similarity > refused.threshold.value
    assert identify(shots[3], vault=vault, pipeline=pipeline).user is None
    assert look(vault, pipeline, shots[0]), "an enrolled photo is more like the photos"
    assert unmark("eileen", vault) == at
    assert look(vault, pipeline, shots[3])
    kinds = [entry.outcome for entry in vault.read_log() if entry.kind == "enroll"]
    assert kinds == ["done", "not_me", "not_me_undone"]


def test_a_refused_face_is_charged_and_not_kept(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    look(vault, pipeline, shots[3])
    mark_as_wrong("eileen", vault)
    look(vault, pipeline, shots[3])
    assert kept_times_of("eileen", vault).unlocks == ()
    with Verifier(
        "eileen", vault=vault, pipeline_of=lambda model: pipeline, tell_unknown=True
    ) as verifier:
        assert verifier.earlier_failures == 1


def test_only_an_unlock_that_is_kept_can_be_marked(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with pytest.raises(UsageError, match="no unlock kept"):
        mark_as_wrong("eileen", vault)
    look(vault, pipeline, shots[3])
    with pytest.raises(UsageError, match="1 unlock kept"):
        mark_as_wrong("eileen", vault, number=2)
    with pytest.raises(UsageError, match="is not kept"):
        mark_as_wrong("eileen", vault, at="2020-01-31T12:00:00+00:00")
    mark_as_wrong("eileen", vault, at=kept_times_of("eileen", vault).unlocks[0])
    with pytest.raises(NotEnrolled):
        mark_as_wrong("nobody", vault)
    with pytest.raises(UsageError, match="1 marked face kept"):
        unmark("eileen", vault, number=2)


# hand-made numbers: the photo is at 0 degrees, the marked face at 60 ------------------------------


def at_degrees(*degrees: float) -> FloatArray:
    angles = np.radians(degrees)
    rows = np.zeros((len(degrees), 128), np.float32)
    rows[:, 0], rows[:, 1] = np.cos(angles), np.sin(angles)
    return rows


@pytest.mark.parametrize(
    ("degrees", "marked"),
    [
        (29, False),  # nearer to the photo
        (30, True),  # as near to both: locked
        (59, True),
        (-20, False),  # the marked face is at 80 degrees from it, under the threshold
    ],
)
def test_the_nearer_of_photo_and_marked_face_decides(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, degrees: float, marked: bool
) -> None:
    matcher = Matcher(find_embedder("sface", Path()))
    monkeypatch.setattr(type(matcher), "_cohort", None)
    none = np.zeros((0, 128), np.float32)
    reference = Reference(Template(at_degrees(0), pipeline.model), none, at_degrees(60))
    probe = at_degrees(degrees)[0]
    score = matcher.score_template(reference.template, probe)
    # a hair's breadth, because no two cosines are equal to the last bit
    shifted = type(score)(score.cosine - 1e-6, score.shift)
    assert is_marked(shifted, probe, reference, matcher) is marked
    nobody = Reference.of(reference.enrolled)
    assert not is_marked(shifted, probe, nobody, matcher)
