"""Decisions on vectors of two or three numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mien.errors import ModelMismatch, Outcome
from mien.matching.policy import (
    NEAR_DUPLICATE,
    PLAIN_SPACE,
    Consistency,
    consistency,
    decide,
    look_alikes,
    near_duplicates,
    similarity_to,
)
from mien.matching.score import Score
from mien.results import FloatArray, ModelId, Template, Threshold
from mien.vectors import centre_of

HALF = Threshold(0.5, "sface", "by hand")
MODEL = ModelId("sface", "ab" * 32)


def at(*degrees: float) -> FloatArray:
    """Unit rows in the plane at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_centre_is_the_mean_direction_of_length_one() -> None:
    np.testing.assert_allclose(centre_of(at(0, 90)), at(45)[0], atol=1e-6)
    np.testing.assert_allclose(centre_of(at(10, 20, 30)), at(20)[0], atol=1e-6)
    np.testing.assert_allclose(centre_of(at(70)), at(70)[0], atol=1e-6)
    assert centre_of(at(0, 90)).dtype == np.float32


def test_rows_that_cancel_out_have_no_centre() -> None:
    with pytest.raises(ValueError, match="cancel out"):
        centre_of(at(0, 180))
    with pytest.raises(ValueError, match="cancel out"):
        centre_of(np.full((2, 2), np.nan, np.float32))


@pytest.mark.parametrize(
    ("similarity", "accepted"),
    [
        (0.9, True),
        (1.0, True),
        (0.5, True),
        (np.nextafter(0.5, 0), False),
        (0.0, False),
        (-1, False),
    ],
)
def test_a_similarity_at_the_threshold_is_accepted_and_below_it_refused(
    similarity: float, accepted: bool
) -> None:
    decision = decide(Score(similarity), threshold=HALF, expected_model="sface")
    assert bool(decision) is accepted
    assert decision.similarity == similarity
    assert decision.threshold is HALF
    expected = Outcome.UNLOCKED if accepted else Outcome.NOT_THE_OWNER
    assert decision.outcome is expected
    assert decision.reason == ("the same person" if accepted else "not similar enough")


@pytest.mark.parametrize("similarity", [float("nan"), float("inf"), float("-inf")])
def test_a_similarity_that_is_not_a_number_is_refused(similarity: float) -> None:
    decision = decide(Score(similarity), threshold=HALF, expected_model="sface")
    assert not decision
    assert decision.outcome is Outcome.NOT_THE_OWNER
    assert np.isnan(decision.similarity)
    assert decision.reason == "the similarity is not a number"


def test_a_similarity_outside_the_range_of_a_cosine_never_unlocks() -> None:
    with pytest.raises(ValueError, match=r"unlocked at 1\.5"):
        decide(Score(1.5), threshold=HALF, expected_model="sface")


@pytest.mark.parametrize("similarity", [0.99, 0.0, float("nan")])
def test_a_threshold_of_another_model_is_refused_before_a_decision(similarity: float) -> None:
    words = (
        "the threshold was fitted for vggface2, the model in use is sface; "
        "choose the threshold of that model"
    )
    with pytest.raises(ModelMismatch, match=f"^{words}$"):
        decide(
            Score(similarity),
            threshold=Threshold(0.5, "vggface2", "by hand"),
            expected_model="sface",
        )


@given(
    similarity=st.floats(allow_nan=True, allow_infinity=True),
    value=st.floats(-1, 1, exclude_min=True),
)
def test_nothing_below_the_threshold_is_accepted(similarity: float, value: float) -> None:
    threshold = Threshold(value, "sface", "by hand")
    try:
        decision = decide(Score(similarity), threshold=threshold, expected_model="sface")
    except ValueError:
        assert similarity > 1.0  # no cosine; refused by the record itself
        return
    assert bool(decision) is (value <= similarity <= 1.001)
    is_me, number = decision
    assert is_me is bool(decision)
    assert np.isnan(number) or number == similarity


# a template and a probe --------------------------------------------------------------------


def test_the_similarity_is_the_cosine_to_the_centre() -> None:
    template = Template(at(0, 60), MODEL)
    assert similarity_to(template, at(30)[0]) == pytest.approx(1.0)
    assert similarity_to(template, at(90)[0]) == pytest.approx(0.5)
    assert similarity_to(template, at(210)[0]) == pytest.approx(-1.0)


def test_rounding_cannot_lift_a_similarity_out_of_the_range_of_a_cosine() -> None:
    longer = np.float32(1.0005) * at(0, 180)  # unit vectors but for rounding
    template = Template(at(0), MODEL)
    assert [similarity_to(template, probe) for probe in longer] == [1.0, -1.0]
    assert agreement_of(np.float32(1.0005) * at(0, 0)).leave_one_out == (1.0, 1.0)
    assert agreement_of(longer).leave_one_out == (-1.0, -1.0)


def test_the_plain_space_keeps_vectors_as_they_are() -> None:
    vectors = at(0, 60)
    assert PLAIN_SPACE.protect(vectors) is vectors
    assert PLAIN_SPACE.reveal(vectors) is vectors


def test_a_probe_of_another_length_is_refused() -> None:
    words = "the template has 2 numbers, the probe 3; enroll again with the model in use"
    with pytest.raises(ModelMismatch, match=f"^{words}$"):
        similarity_to(Template(at(0), MODEL), np.array([1, 0, 0], np.float32))


unit_planes = hnp.arrays(
    np.float64, st.integers(1, 8), elements=st.floats(0, 360), fill=st.nothing()
)


@given(angles=unit_planes, probe=st.floats(0, 360))
def test_a_similarity_never_leaves_minus_one_to_one(angles: FloatArray, probe: float) -> None:
    template = Template(at(*angles), MODEL)
    try:
        similarity = similarity_to(template, at(probe)[0])
    except ValueError:
        return  # the photos cancel out
    assert -1.0 <= similarity <= 1.0


# do the photos agree? ----------------------------------------------------------------------


def agreement_of(vectors: FloatArray) -> Consistency:
    return consistency(vectors, rest_threshold=HALF, pair_threshold=HALF)


def test_photos_of_one_person_are_all_accepted() -> None:
    found = agreement_of(at(0, 10, 20))
    assert found.strangers == ()
    np.testing.assert_allclose(found.leave_one_out, np.cos(np.radians([15, 0, 15])), atol=1e-6)


def test_a_single_photo_is_accepted() -> None:
    found = agreement_of(at(33))
    assert (found.leave_one_out, found.strangers) == ((), ())


@pytest.mark.parametrize("stranger", range(4))
def test_the_photo_of_a_stranger_is_found_at_any_position(stranger: int) -> None:
    degrees = [0.0, 5.0, 10.0, 15.0]
    degrees[stranger] = 150.0
    assert agreement_of(at(*degrees)).strangers == (stranger,)


def test_two_photos_that_do_not_match_are_both_named() -> None:
    assert agreement_of(at(0, 90)).strangers == (0, 1)


def test_two_pairs_that_do_not_match_are_all_named() -> None:
    assert agreement_of(at(0, 5, 120, 125)).strangers == (
        0,
        1,
        2,
        3,
    )


def test_photos_whose_embeddings_cancel_out_are_strangers() -> None:
    # without the last one the others cancel out
    found = agreement_of(at(0, 180, 90))
    assert 2 in found.strangers
    assert found.leave_one_out[2] == -1.0


LOW = Threshold(-0.9, "sface", "by hand")


def test_a_photo_that_matches_fewer_than_half_of_the_others_is_a_stranger() -> None:
    # 60 degrees are alike: the outer two are each like one of three others
    found = consistency(at(0, 50, 100, 115), rest_threshold=LOW, pair_threshold=HALF)
    assert found.strangers == (0, 3)


def test_a_photo_that_matches_half_of_the_others_is_accepted() -> None:
    # all but the middle one are like two of four others
    found = consistency(at(0, 20, 55, 90, 110), rest_threshold=LOW, pair_threshold=HALF)
    assert found.strangers == ()


def test_two_photos_that_match_are_accepted() -> None:
    assert consistency(at(0, 100), rest_threshold=LOW, pair_threshold=HALF).strangers == (0, 1)


@pytest.mark.parametrize(("rest", "pair"), [(HALF, LOW), (LOW, HALF)])
def test_photos_that_resemble_the_cohort_need_a_higher_similarity(
    rest: Threshold, pair: Threshold
) -> None:
    def tenths(rows: FloatArray) -> FloatArray:
        return np.full(len(rows), 0.1, np.float32)

    vectors = at(0, 50)  # cosine 0.64: over 0.5 and under 0.7
    assert consistency(vectors, rest_threshold=rest, pair_threshold=pair).strangers == ()
    moved = consistency(vectors, rest_threshold=rest, pair_threshold=pair, shifts=tenths)
    assert moved.strangers == (0, 1)


def test_people_as_much_alike_are_named_in_the_order_of_their_names() -> None:
    found = look_alikes(["zoe", "ana"], np.array([0.75, 0.75]), np.zeros(2), HALF)
    assert found == (("ana", 0.75), ("zoe", 0.75))


@given(angles=unit_planes)
def test_an_accepted_photo_would_unlock_with_the_others_enrolled(angles: FloatArray) -> None:
    found = agreement_of(at(*angles))
    assert all(-1.0 <= value <= 1.0 for value in found.leave_one_out)
    for row, value in enumerate(found.leave_one_out):
        assert row in found.strangers or value >= HALF.value


# the same photo twice ----------------------------------------------------------------------


def test_a_photo_given_twice_is_paired_with_the_first() -> None:
    assert near_duplicates(at(0, 60, 0, 60.1)) == [(2, 0), (3, 1)]


def test_three_of_one_photo_all_point_to_the_first() -> None:
    assert near_duplicates(at(0, 1, 2)) == [(1, 0), (2, 0)]


def test_photos_that_differ_are_no_duplicates() -> None:
    assert near_duplicates(at(0, 15, 30)) == []  # cos 15 degrees = 0.966
    under = NEAR_DUPLICATE - 1e-6  # how the last bit of a product is rounded depends on numpy
    limit = np.array([[1, 0], [under, np.sqrt(1 - under**2)]], np.float32)
    assert near_duplicates(limit) == []
    assert near_duplicates(np.zeros((0, 2), np.float32)) == []


def test_enrolled_people_above_the_threshold_are_named_most_similar_first() -> None:
    found = look_alikes(["far", "near", "nearest"], np.array([0.2, 0.6, 0.9]), np.zeros(3), HALF)
    assert found == (("nearest", 0.9), ("near", 0.6))


def test_a_person_who_resembles_the_cohort_needs_a_higher_similarity_to_be_named() -> None:
    found = look_alikes(["ana", "ben"], np.array([0.6, 0.4]), np.array([0.2, -0.2]), HALF)
    assert found == (("ben", 0.4),)


def test_a_resemblance_that_is_not_a_number_is_a_warning() -> None:
    for cosine, shift in ((np.nan, np.nan), (np.nan, 0.0), (0.2, np.nan)):
        found = look_alikes(["bad"], np.array([cosine]), np.array([shift]), HALF)
        assert [user for user, _ in found] == ["bad"]


def test_an_identical_template_is_named_whatever_its_shift() -> None:
    assert look_alikes(["twin"], np.ones(1), np.array([0.7]), HALF) == (("twin", 1.0),)
