"""The threshold is moved by how much two faces resemble the cohort, in every vector space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mien.app.enroll import analyse_photos, enroll_photos, merge
from mien.app.enrollment import Enrollment
from mien.app.neighbours import Neighbours
from mien.app.pipeline import Pipeline
from mien.app.verify import compare_images, verify_photo
from mien.compat.face_unlock import FaceUnlock
from mien.errors import Outcome
from mien.matching.policy import PLAIN_SPACE, VectorSpace
from mien.results import ByteArray, Template, Threshold
from mien.vault.centroids.centroid_arrays import CentroidArrays
from mien.vault.crypto.template_rotation import TemplateRotation
from mien.vectors import centre_of

TURNED = TemplateRotation(bytes(range(32)), 128)


@pytest.fixture(scope="module")
def template(pipeline: Pipeline, shots: list[ByteArray]) -> Template:
    return enroll_photos(shots[:3], pipeline).template


def test_the_threshold_is_the_fitted_one_moved_by_the_shift_of_the_two_faces(
    pipeline: Pipeline, template: Template, shots: list[ByteArray]
) -> None:
    decision = verify_photo(shots[3], template, pipeline)
    fitted = pipeline.matcher.threshold_for(photos=3)
    shift = pipeline.matcher.score(
        centre_of(template.vectors), pipeline.embed_probe(shots[3]).vector
    ).shift
    assert shift != 0.0
    assert decision.threshold.value == pytest.approx(fitted.value + shift, abs=1e-6)
    assert "shifted by" in decision.threshold.provenance


def test_a_threshold_set_by_the_caller_is_not_moved(
    pipeline: Pipeline, template: Template, shots: list[ByteArray]
) -> None:
    own = Threshold(0.6, "sface", "mine")
    assert verify_photo(shots[3], template, pipeline, own).threshold is own
    assert FaceUnlock(shots[:3], threshold=0.6, pipeline=pipeline)(shots[3]).threshold.value == 0.6


def test_rotated_templates_give_the_same_decision(
    pipeline: Pipeline, template: Template, shots: list[ByteArray]
) -> None:
    stored = Template(TURNED.protect(template.vectors), template.model)
    plain = verify_photo(shots[3], template, pipeline)
    turned = verify_photo(shots[3], stored, pipeline, space=TURNED)
    assert turned.similarity == pytest.approx(plain.similarity, abs=1e-5)
    assert turned.threshold.value == pytest.approx(plain.threshold.value, abs=1e-5)
    assert turned.odds == plain.odds


def test_a_rotated_template_does_not_unlock_in_another_space(
    pipeline: Pipeline, template: Template, shots: list[ByteArray]
) -> None:
    stored = Template(TURNED.protect(template.vectors), template.model)
    assert verify_photo(shots[3], stored, pipeline).outcome is Outcome.NOT_THE_OWNER
    other = TemplateRotation(bytes(32), 128)
    assert verify_photo(shots[3], stored, pipeline, space=other).outcome is Outcome.NOT_THE_OWNER


def test_two_photos_are_compared_with_the_shift_of_both_faces(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    decision, _, _ = compare_images(shots[0], shots[3], pipeline)
    vectors = [pipeline.embed_probe(shots[at]).vector for at in (0, 3)]
    expected = (
        pipeline.matcher.threshold_for(photos=1).value + pipeline.matcher.score(*vectors).shift
    )
    assert decision.threshold.value == pytest.approx(expected, abs=1e-6)


def nobody(pipeline: Pipeline, space: VectorSpace = PLAIN_SPACE) -> Neighbours:
    return Neighbours(CentroidArrays([]), lambda tag: None, pipeline.matcher, space)


@pytest.fixture(scope="module")
def enrollment_in(
    pipeline: Pipeline, shots: list[ByteArray]
) -> Callable[[TemplateRotation | None], Enrollment]:
    def enrolled(space: TemplateRotation | None) -> Enrollment:
        looked = analyse_photos(shots[:3], pipeline)
        if space is None:
            return nobody(pipeline).add_warnings(merge(looked, pipeline), user="ana")
        turned = merge(looked, pipeline, space=space)
        return nobody(pipeline, space).add_warnings(turned, user="ana")

    return enrolled


def test_an_enrollment_gives_the_similarity_of_the_closest_stranger(
    pipeline: Pipeline, enrollment_in: Callable[[TemplateRotation | None], Enrollment]
) -> None:
    plain, turned = enrollment_in(None), enrollment_in(TURNED)
    assert plain.closest_stranger is not None
    assert plain.margin is not None
    assert 0.0 < plain.closest_stranger < 0.6
    # hers is a face that a stranger of the cohort comes near to, so the door asks for more
    assert plain.margin == pytest.approx(-0.0209, abs=1e-3)
    assert turned.closest_stranger == pytest.approx(plain.closest_stranger, abs=1e-5)
    assert turned.margin == pytest.approx(plain.margin, abs=1e-5)


def test_an_enrollment_that_accepts_a_stranger_gets_a_warning(
    enrollment_in: Callable[[TemplateRotation | None], Enrollment],
) -> None:
    risky = replace(enrollment_in(None), closest_stranger=0.52, margin=-0.01)
    warning = (
        "one of 400 strangers scores 0.520 and would be accepted; add photos in different light"
    )
    assert warning in risky.advice
    assert not any("cohort" in line for line in replace(risky, margin=0.1).advice)
