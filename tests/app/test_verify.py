"""Unlock, identify, compare and forget with a real vault, and what each refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.app.parts import OTHER_MODEL, opened, somebody
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import store_record

from mien.app.identify import identify
from mien.app.pipeline import Pipeline
from mien.app.reference import template_of
from mien.app.verify import (
    compare_images,
    forget,
    verify_photo,
)
from mien.errors import (
    ModelMismatch,
    NoFaceFound,
    NotEnrolled,
    Outcome,
    SeveralFacesFound,
)
from mien.results import ByteArray, Template, Threshold

# unlock ------------------------------------------------------------------------------------


def test_the_owner_is_accepted_with_a_photo_that_was_not_enrolled(
    pipeline: Pipeline, template: Template, shots: list[ByteArray]
) -> None:
    decision = verify_photo(shots[3], template, pipeline)
    assert decision
    assert decision.outcome is Outcome.UNLOCKED
    assert decision.similarity > 0.85
    assert decision.threshold.value < 0.5
    assert decision.face is not None


def test_the_template_of_another_person_does_not_unlock(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    other = template_of(somebody("ben", 3, pipeline.model), pipeline)
    decision = verify_photo(shots[3], other, pipeline)
    assert not decision
    assert decision.outcome is Outcome.NOT_THE_OWNER
    assert decision.similarity < 0.363


def test_no_face_and_several_faces_are_refused_with_the_reason(
    pipeline: Pipeline, template: Template, astronaut: ByteArray
) -> None:
    nobody = verify_photo(np.zeros((200, 200, 3), np.uint8), template, pipeline)
    crowd = verify_photo(np.hstack([astronaut, astronaut]), template, pipeline)
    for decision, outcome, words in (
        (nobody, Outcome.NO_FACE, "no face found"),
        (crowd, Outcome.SEVERAL_FACES, "2 faces"),
    ):
        is_me, similarity = decision
        assert is_me is False
        assert np.isnan(similarity)
        assert decision.outcome is outcome
        assert words in decision.reason
        assert decision.face is None


def test_a_stricter_threshold_is_used_and_one_of_another_model_refused(
    pipeline: Pipeline, template: Template, shots: list[ByteArray]
) -> None:
    strict = Threshold(0.9999, "sface", "by hand")
    assert not verify_photo(shots[3], template, pipeline, strict)
    with pytest.raises(ModelMismatch):
        verify_photo(shots[3], template, pipeline, Threshold(0.1, "vggface2", "by hand"))


def test_a_template_of_another_model_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(ModelMismatch):
        template_of(somebody("ana", 1, OTHER_MODEL), pipeline)


def test_an_unknown_name_is_an_error_that_says_what_to_do() -> None:
    with open_memory_vault() as vault, pytest.raises(NotEnrolled, match="mien list"):
        forget("ana", vault)


def test_forgetting_removes_one_person_and_no_other(pipeline: Pipeline, home: Path) -> None:
    with opened(home) as vault:
        store_record(vault, somebody("ben", 2, pipeline.model))
        assert forget("eileen", vault) == "eileen"
        assert [head.user for head in vault.list_people()] == ["ben"]


# identify ----------------------------------------------------------------------------------


def test_the_right_one_is_found_among_others(
    pipeline: Pipeline, home: Path, shots: list[ByteArray]
) -> None:
    with opened(home) as vault:
        for seed, user in enumerate(("ana", "ben", "zoe")):
            store_record(vault, somebody(user, seed, pipeline.model))
        found = identify(shots[3], vault=vault, pipeline=pipeline)
    assert found.user == "eileen"
    assert found.decision.outcome is Outcome.UNLOCKED


def test_a_stranger_is_not_identified(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    with open_memory_vault() as vault:
        for seed, user in enumerate(("ana", "ben", "zoe")):
            store_record(vault, somebody(user, seed, pipeline.model))
        found = identify(shots[3], vault=vault, pipeline=pipeline)
    assert found.user is None
    assert not found.decision
    assert found.decision.outcome is Outcome.NOT_THE_OWNER


def test_nobody_is_identified_in_an_empty_vault_or_with_another_model(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with open_memory_vault() as vault:
        with pytest.raises(NotEnrolled):
            identify(shots[3], vault=vault, pipeline=pipeline)
        store_record(vault, somebody("ana", 1, OTHER_MODEL))
        with pytest.raises(NotEnrolled):
            identify(shots[3], vault=vault, pipeline=pipeline)


def test_identify_needs_one_face(pipeline: Pipeline, home: Path, astronaut: ByteArray) -> None:
    with opened(home) as vault:
        with pytest.raises(NoFaceFound):
            identify(np.zeros((99, 99, 3), np.uint8), vault=vault, pipeline=pipeline)
        with pytest.raises(SeveralFacesFound):
            identify(np.hstack([astronaut, astronaut]), vault=vault, pipeline=pipeline)


# compare -----------------------------------------------------------------------------------


def test_two_photos_of_one_person_match(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    decision, a_face, b_face = compare_images(shots[0], shots[1], pipeline)
    assert decision
    assert a_face.score > 0.9
    assert b_face.score > 0.9
    same, _, _ = compare_images(shots[0], shots[0], pipeline)
    assert same.similarity == pytest.approx(1.0, abs=1e-6)
    assert same.similarity <= 1.0
    first, second = (pipeline.embed_probe(shot).vector for shot in shots[:2])
    score = pipeline.matcher.score(first, second)
    assert decision.odds == pipeline.matcher.odds(score, photos=1)
    assert decision.odds != ""


def test_a_comparison_gives_the_face_of_each_photo(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    wide = np.pad(astronaut, ((0, 0), (40, 0), (0, 0)))  # 40 pixels more on the left
    _, left, right = compare_images(astronaut, wide, pipeline)
    assert right.box_xyxy[0] - left.box_xyxy[0] == pytest.approx(40, abs=3)


def test_compare_needs_a_face_in_each_photo(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    blank = np.zeros((99, 99, 3), np.uint8)
    for pair in ((blank, shots[0]), (shots[0], blank)):
        with pytest.raises(NoFaceFound):
            compare_images(*pair, pipeline)


# quality -----------------------------------------------------------------------------------


def noisy(image: ByteArray) -> ByteArray:
    noise = np.random.default_rng(0).normal(0, 60, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_a_poor_probe_is_judged_without_odds_and_its_faults_are_named(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    template = Template(pipeline.embed_probe(astronaut).vector[np.newaxis], pipeline.model)
    good = verify_photo(astronaut, template, pipeline)
    assert good
    assert good.odds
    assert good.faults == ()
    poor = verify_photo(noisy(astronaut), template, pipeline)
    assert poor.odds == ""
    assert poor.faults
    assert poor.reason in ("the same person", "not similar enough")


def test_a_poor_photo_is_never_the_same_person_in_a_comparison(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    same, _, _ = compare_images(astronaut, astronaut, pipeline)
    assert same
    poor, _, _ = compare_images(astronaut, noisy(astronaut), pipeline)
    assert not poor
    assert poor.outcome is Outcome.NOT_THE_OWNER
    assert "outside the calibrated quality" in poor.reason
    assert poor.odds == ""
    assert all(words.startswith("second photo: ") for words in poor.faults)
    turned, _, _ = compare_images(astronaut, np.ascontiguousarray(np.rot90(astronaut)), pipeline)
    assert turned
