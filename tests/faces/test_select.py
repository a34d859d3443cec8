"""Which of several faces is meant: hand-made faces, one answer for each rule."""

from __future__ import annotations

import numpy as np
import pytest

from mien.faces.select import CENTRE_WEIGHT, MIN_SCORE, SELECTION_METHODS, rank_faces
from mien.results import Faces

SHAPE = (100, 200, 3)  # its middle is at (100, 50)


def faces(*rows: tuple[float, float, float, float, float]) -> Faces:
    """Each row: left, top, right, bottom, score."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Faces(table[:, :4], np.zeros((len(table), 5, 2), np.float32), table[:, 4])


SMALL_IN_THE_MIDDLE = (95, 45, 105, 55, 0.99)
MIDDLING_AND_SURE = (0, 0, 30, 30, 0.95)
LARGE_AND_DOUBTFUL = (140, 0, 190, 60, 0.8)
THREE = faces(MIDDLING_AND_SURE, LARGE_AND_DOUBTFUL, SMALL_IN_THE_MIDDLE)


def test_the_four_methods_are_those_of_the_reference() -> None:
    assert SELECTION_METHODS == (
        "probability",
        "largest",
        "largest_over_threshold",
        "center_weighted_size",
    )


@pytest.mark.parametrize(
    ("method", "order"),
    [
        ("probability", [2, 0, 1]),
        ("largest", [1, 0, 2]),
        ("largest_over_threshold", [0, 2]),
        # 100 - 0; 900 - 2 * (85^2 + 35^2); 3000 - 2 * (65^2 + 20^2)
        ("center_weighted_size", [2, 1, 0]),
    ],
)
def test_each_method_has_its_order(method: str, order: list[int]) -> None:
    assert rank_faces(THREE, method, SHAPE).tolist() == order


@pytest.mark.parametrize("method", SELECTION_METHODS)
def test_no_face_gives_no_row(method: str) -> None:
    rows = rank_faces(Faces.none(), method, SHAPE)
    assert rows.shape == (0,)
    assert len(Faces.none().take(rows)) == 0


def test_largest_over_threshold_leaves_out_a_score_at_the_threshold() -> None:
    exactly = faces((0, 0, 9, 9, MIN_SCORE), (0, 0, 5, 5, 0.91))
    assert rank_faces(exactly, "largest_over_threshold", SHAPE).tolist() == [1]


def test_largest_over_threshold_may_leave_no_face() -> None:
    doubtful = faces((0, 0, 9, 9, 0.8), (0, 0, 5, 5, 0.7))
    assert rank_faces(doubtful, "largest_over_threshold", SHAPE).tolist() == []


def test_a_squared_pixel_off_the_centre_costs_two_pixels_of_area() -> None:
    assert CENTRE_WEIGHT == 2.0
    centred, eight_off = (95, 45, 105, 55, 0.9), (102, 44, 114, 56, 0.9)  # 100 and 144 - 2 * 64
    assert rank_faces(faces(eight_off, centred), "center_weighted_size", SHAPE).tolist() == [1, 0]
    four_off = (98, 44, 110, 56, 0.9)  # 144 - 2 * 16
    assert rank_faces(faces(centred, four_off), "center_weighted_size", SHAPE).tolist() == [1, 0]


@pytest.mark.parametrize("method", SELECTION_METHODS)
def test_equal_faces_keep_the_order_of_the_detector(method: str) -> None:
    twins = faces((10, 40, 20, 50, 0.95), (10, 40, 20, 50, 0.95))
    assert rank_faces(twins, method, SHAPE).tolist() == [0, 1]


@pytest.mark.parametrize("method", ["", "Largest", "smallest", "none"])
def test_an_unknown_method_is_refused_with_the_known_ones(method: str) -> None:
    with pytest.raises(ValueError, match="unknown selection_method") as caught:
        rank_faces(THREE, method, SHAPE)
    assert all(known in str(caught.value) for known in SELECTION_METHODS)
