"""The records that travel: shapes at birth, and a decision that cannot say yes by accident."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest

from mien.errors import Outcome
from mien.results import (
    POINT_NAMES,
    ByteArray,
    Crop,
    Decision,
    Face,
    Faces,
    FloatArray,
    ModelId,
    Template,
    Threshold,
)

MODEL = ModelId("sface", "ab" * 32)
THRESHOLD = Threshold(0.5, "sface", "made by hand")
BOX = np.array([10, 20, 40, 60], np.float32)
POINTS = np.array([[15, 30], [35, 30], [25, 40], [18, 50], [32, 50]], np.float32)

Build = Callable[[], object]


def floats(*shape: int) -> FloatArray:
    return np.zeros(shape, np.float32)


def three_faces() -> Faces:
    offsets = np.arange(3, dtype=np.float32)
    return Faces(
        BOX + offsets[:, None], POINTS + offsets[:, None, None], np.array([0.9, 0.8, 0.7], "f4")
    )


def decision(similarity: float, outcome: Outcome) -> Decision:
    return Decision(similarity, THRESHOLD, "by hand", outcome)


def test_a_result_may_have_no_face() -> None:
    nobody = Faces.none()
    assert len(nobody) == 0
    assert list(nobody) == []
    assert (nobody.boxes_xyxy.shape, nobody.points_xy.shape, nobody.scores.shape) == (
        (0, 4),
        (0, 5, 2),
        (0,),
    )
    assert len(nobody.take([])) == 0
    with pytest.raises(IndexError):
        nobody[0]


def test_faces_are_counted_and_selected_by_row() -> None:
    faces = three_faces()
    assert len(faces) == 3
    assert [round(face.score, 1) for face in faces] == [0.9, 0.8, 0.7]
    np.testing.assert_array_equal(faces[1].box_xyxy, BOX + 1)
    np.testing.assert_array_equal(faces[-1].points_xy, POINTS + 2)
    assert type(faces[0].score) is float


def test_selected_faces_are_in_the_given_order() -> None:
    taken = three_faces().take([2, 0])
    np.testing.assert_array_equal(taken.scores, np.array([0.7, 0.9], np.float32))
    np.testing.assert_array_equal(taken.boxes_xyxy, [BOX + 2, BOX])


@pytest.mark.parametrize(
    ("boxes", "points", "scores"),
    [
        ((0, 5), (0, 5, 2), (0,)),
        ((2, 4), (1, 5, 2), (2,)),
        ((2, 4), (2, 5, 2), (1,)),
        ((2, 4), (2, 10), (2,)),
        ((2, 4), (2, 5, 2), (2, 1)),
        ((4,), (4, 5, 2), (4,)),
    ],
)
def test_arrays_of_faces_must_agree(
    boxes: tuple[int, ...], points: tuple[int, ...], scores: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="must have shape"):
        Faces(floats(*boxes), floats(*points), floats(*scores))


def test_a_face_knows_its_size_in_pixels() -> None:
    face = Face(BOX, POINTS, 0.9)
    assert (face.width_px, face.height_px, face.eye_distance_px) == (30, 40, 20)
    assert type(face.width_px) is type(face.eye_distance_px) is float


def test_there_are_five_points_with_names() -> None:
    assert len(POINT_NAMES) == len(POINTS)


@pytest.mark.parametrize(("box", "points"), [((5,), (5, 2)), ((1, 4), (5, 2)), ((4,), (10,))])
def test_a_face_of_another_shape_is_refused(box: tuple[int, ...], points: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must have shape"):
        Face(floats(*box), floats(*points), 0.9)


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 4), (4, 4, 4), (3, 4, 4), (1, 4, 4, 3)])
def test_a_crop_must_be_a_square_of_three_colours(shape: tuple[int, ...]) -> None:
    pixels: ByteArray = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match="must have shape"):
        Crop(pixels, "margin")


@pytest.mark.parametrize(
    "vector", [[0, 0], [1, 1], [0.999, 0], [np.nan, 0], [np.inf, 0], [1, np.nan], []]
)
def test_a_vector_must_have_length_one(vector: list[float]) -> None:
    row = np.array(vector, np.float32)
    with pytest.raises(ValueError, match="length one"):
        Template(row[np.newaxis, :], MODEL)


def test_one_bad_row_makes_a_template_invalid() -> None:
    with pytest.raises(ValueError, match="length one"):
        Template(np.array([[1, 0], [1, 1]], np.float32), MODEL)


@pytest.mark.parametrize("shape", [(0, 4), (4,), (1, 1, 4)])
def test_a_template_has_at_least_one_row(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="k >= 1"):
        Template(floats(*shape), MODEL)


def test_rounding_in_512_numbers_is_within_length_one() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(100, 512)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert len(Template(vectors, MODEL).vectors) == 100


@pytest.mark.parametrize("value", [-1.0, -2.0, 1.001, float("nan"), float("inf"), -float("inf")])
def test_a_threshold_outside_the_cosines_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="above -1 and at most 1"):
        Threshold(value, "sface", "")


@pytest.mark.parametrize("value", [-0.999, 0.0, 1.0])
def test_a_threshold_is_a_cosine(value: float) -> None:
    assert Threshold(value, "sface", "").value == value


@pytest.mark.parametrize("similarity", [0.5, 0.75, 1.0])
def test_a_decision_is_true_when_it_unlocks(similarity: float) -> None:
    yes = decision(similarity, Outcome.UNLOCKED)
    assert yes
    assert yes.accepted is True
    assert bool(yes) is True


@pytest.mark.parametrize("outcome", [code for code in Outcome if code is not Outcome.UNLOCKED])
def test_a_decision_with_any_other_outcome_is_false(outcome: Outcome) -> None:
    for similarity in (1.0, -1.0, float("nan")):
        no = decision(similarity, outcome)
        assert not no
        assert no.accepted is False


@pytest.mark.parametrize("similarity", [0.499_999, 0.0, -1.0, float("nan"), -float("inf")])
def test_under_the_threshold_and_nan_can_never_be_unlocked(similarity: float) -> None:
    with pytest.raises(ValueError, match="unlocked at"):
        decision(similarity, Outcome.UNLOCKED)
    with pytest.raises(ValueError, match="unlocked at"):
        dataclasses.replace(decision(0.9, Outcome.UNLOCKED), similarity=similarity)


def test_the_exit_code_zero_is_not_an_outcome() -> None:
    assert not Decision(0.9, THRESHOLD, "by hand", 0)  # type: ignore[arg-type]


def test_a_decision_unpacks_like_a_pair() -> None:
    is_me, similarity = decision(0.75, Outcome.UNLOCKED)
    assert (is_me, similarity) == (True, 0.75)
    is_me, similarity = decision(0.25, Outcome.NOT_THE_OWNER)
    assert (is_me, similarity) == (False, 0.25)


def test_a_refusal_without_a_similarity_unpacks_to_nan() -> None:
    is_me, similarity = decision(float("nan"), Outcome.NO_FACE)
    assert is_me is False
    assert np.isnan(similarity)


def test_a_decision_has_the_face_that_was_compared() -> None:
    assert decision(0.9, Outcome.UNLOCKED).face is None
    face = Face(BOX, POINTS, 0.9)
    assert Decision(0.9, THRESHOLD, "by hand", Outcome.UNLOCKED, face).face is face


@pytest.mark.parametrize(
    ("record", "attribute"),
    [
        (Face(BOX, POINTS, 0.9), "score"),
        (Faces.none(), "scores"),
        (Crop(np.zeros((2, 2, 3), np.uint8), "margin"), "recipe"),
        (MODEL, "name"),
        (Template(np.array([[1, 0]], np.float32), MODEL), "model"),
        (THRESHOLD, "value"),
        (decision(0.1, Outcome.NOT_THE_OWNER), "outcome"),
    ],
)
def test_records_are_frozen(record: object, attribute: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, attribute, None)
    assert not hasattr(record, "__dict__")


def test_pixels_points_and_vectors_are_not_shown() -> None:
    vector = np.array([0.6, 0.8], np.float32)
    assert "0.6" not in repr(Template(vector[np.newaxis, :], MODEL))
    assert "array" not in repr(Crop(np.zeros((2, 2, 3), np.uint8), "margin"))
    assert "points" not in repr(Face(BOX, POINTS, 0.9))


def test_models_and_thresholds_compare_by_value_and_the_rest_by_identity() -> None:
    assert ModelId("sface", "ab" * 32) == MODEL
    assert ModelId("sface", "cd" * 32) != MODEL
    assert Threshold(0.5, "sface", "made by hand") == THRESHOLD
    assert Face(BOX, POINTS, 0.9) != Face(BOX, POINTS, 0.9)


# Faults known when these tests were written; the mark goes when the fault goes.


@pytest.mark.parametrize("similarity", [1.5, float("inf")])
def test_a_value_outside_the_range_of_a_cosine_is_never_unlocked(similarity: float) -> None:
    with pytest.raises(ValueError, match=r"unlocked at|cosine|similarity"):
        decision(similarity, Outcome.UNLOCKED)


def test_a_mask_takes_the_marked_faces_or_is_refused() -> None:
    mask = np.array([False, True, False])
    try:
        taken = three_faces().take(mask)
    except (TypeError, ValueError):
        return
    np.testing.assert_array_equal(taken.scores, np.array([0.8], np.float32))


@pytest.mark.filterwarnings("error")
def test_a_huge_vector_is_refused_without_a_warning() -> None:
    with pytest.raises(ValueError, match="length one"):
        Template(np.array([[3e38, 3e38]], np.float32), MODEL)


# arrays ------------------------------------------------------------------------------------


def test_arrays_of_records_are_read_only_and_those_given_stay_as_they_are() -> None:
    box, points, vector = BOX.copy(), POINTS.copy(), np.array([[1, 0]], np.float32)
    pixels = np.zeros((2, 2, 3), np.uint8)
    faces = Faces(box[np.newaxis], points[np.newaxis], np.ones(1, np.float32))
    records = [Face(box, points, 0.9), faces, faces[0], Crop(pixels, "margin")]
    records += [faces.take([0]), Faces.none(), Template(vector, MODEL)]
    for record in records:
        for field in dataclasses.fields(record):
            array = getattr(record, field.name)
            assert not (isinstance(array, np.ndarray) and array.flags.writeable)
    for given in (box, points, vector, pixels):
        given[0] = 7  # the caller's own array is still the caller's
    assert records[0].box_xyxy[0] != 7  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Face(BOX.astype(np.float64), POINTS, 0.9),
        lambda: Face(BOX, POINTS.astype(np.float64), 0.9),
        lambda: Faces(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0)),
        lambda: Crop(np.zeros((2, 2, 3), np.float32), "margin"),
        lambda: Template(np.array([[1.0, 0.0]]), MODEL),
    ],
)
def test_an_array_of_another_dtype_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must be (float32|uint8), got float(32|64)"):
        make()


def test_a_decision_is_plain_data_for_json() -> None:
    yes = Decision(0.9, THRESHOLD, "the same person", Outcome.UNLOCKED, Face(BOX, POINTS, 0.9))
    assert list(yes.to_dict()) == [
        "outcome", "exit_code", "similarity", "threshold", "model", "calibration", "reason",
        "odds", "faults", "face",
    ]  # fmt: skip
    assert (yes.to_dict()["outcome"], yes.to_dict()["exit_code"]) == ("unlocked", 0)
    no = Decision(float("nan"), THRESHOLD, "no face found", Outcome.NO_FACE)
    assert no.to_dict() == {
        "outcome": "no_face", "exit_code": 3, "similarity": None, "threshold": 0.5,
        "model": "sface", "calibration": None, "reason": "no face found", "odds": None,
        "faults": [], "face": None,
    }  # fmt: skip
    json.dumps([yes.to_dict(), no.to_dict()], allow_nan=False)
