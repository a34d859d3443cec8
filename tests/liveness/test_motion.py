"""The motion rules refuse what does not move and what moves as one piece, and nothing short."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mien.liveness.motion import (
    LEAST_S,
    PAIRS,
    MotionFault,
    MotionPair,
    judge_motion,
    measure_pair,
)


def pairs(face: float, around: float, count: int = PAIRS) -> list[MotionPair]:
    """Pairs in which both move to the right by so many distances of the eyes."""
    return [MotionPair(np.array([face, 0.0]), np.array([around, 0.0]))] * count


@pytest.mark.parametrize(
    ("face", "around", "expected"),
    [
        (0.05, 0.0, None),  # a person before a wall
        (0.0, 0.0, MotionFault.FROZEN),
        (0.0029, 0.0, MotionFault.FROZEN),
        (0.0031, 0.0, None),
        (0.1, 0.1, MotionFault.RIGID),  # a print held by hand
        (0.1, 0.06, MotionFault.RIGID),  # 0.04 / 0.17 = 0.24
        (0.1, 0.05, None),  # 0.05 / 0.16 = 0.31
        (0.1, -0.1, None),  # against each other
        (0.0061, 0.0061, MotionFault.RIGID),
        (0.0059, 0.0059, MotionFault.FROZEN),  # the surroundings move too little to be rigid
    ],
)
def test_the_rules(face: float, around: float, expected: MotionFault | None) -> None:
    assert judge_motion(pairs(face, around)) is expected


def test_an_attempt_shorter_than_six_seconds_is_not_judged() -> None:
    assert LEAST_S == 6.0
    assert judge_motion(pairs(0.0, 0.0, count=PAIRS - 1)) is None
    assert judge_motion([]) is None


def test_the_median_of_the_pairs_decides() -> None:
    living, frozen = pairs(0.05, 0.0, 1), pairs(0.0, 0.0, 1)
    assert judge_motion(living * 3 + frozen) is None
    assert judge_motion(living + frozen * 3) is MotionFault.FROZEN


def test_directions_count_and_not_lengths_alone() -> None:
    across = MotionPair(np.array([0.1, 0.0]), np.array([0.0, 0.1]))
    assert judge_motion([across] * PAIRS) is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_displacement_that_is_no_number_is_refused(value: float) -> None:
    assert judge_motion(pairs(value, 0.0)) is MotionFault.NOT_MEASURED


def test_a_pair_is_medians_of_tracks_in_distances_of_the_eyes() -> None:
    face = np.array([[10.0, 10.0], [20.0, 10.0], [30.0, 10.0]])
    moved = face + np.array([[4.0, 2.0], [4.0, 2.0], [90.0, 0.0]])  # one track is lost
    around = np.array([[0.0, 0.0], [100.0, 0.0]])
    pair = measure_pair(face, moved, around, around + np.array([2.0, 0.0]), eye_distance_px=40.0)
    np.testing.assert_allclose(pair.face_xy, [0.1, 0.05])
    np.testing.assert_allclose(pair.surroundings_xy, [0.05, 0.0])


@pytest.mark.parametrize("distance", [0.0, -1.0, math.nan])
def test_without_points_or_a_distance_there_is_no_pair(distance: float) -> None:
    points, none = np.zeros((1, 2)), np.zeros((0, 2))
    with pytest.raises(ValueError, match="points of the face"):
        measure_pair(points, points, points, points, eye_distance_px=distance)
    for face, around in ((none, points), (points, none)):
        with pytest.raises(ValueError, match="points of the face"):
            measure_pair(face, face, around, around, eye_distance_px=40.0)


def test_a_pair_of_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"surroundings_xy must have shape \(2,\)"):
        MotionPair(np.zeros(2), np.zeros(3))
