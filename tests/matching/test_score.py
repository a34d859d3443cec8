"""Scores are compared with a threshold, one at a time and as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from mien.matching.score import Score, reaches
from mien.results import Threshold

HALF = Threshold(0.5, "sface", "by hand")


@pytest.mark.parametrize(
    ("cosine", "shift", "accepted"),
    [
        (0.5, 0.0, True),
        (np.nextafter(0.5, 0), 0.0, False),
        (0.5, 0.125, False),
        (0.625, 0.125, True),
        (0.375, -0.125, True),
        (1.0, 0.75, True),  # a threshold is moved to 1 at most
        (float("nan"), 0.0, False),
        (0.9, float("nan"), False),
    ],
)
def test_a_score_reaches_the_threshold_moved_by_its_shift(
    cosine: float, shift: float, accepted: bool
) -> None:
    assert Score(cosine, shift).reaches(HALF) is accepted
    assert reaches(HALF, np.array([cosine]), np.array([shift])).tolist() == [accepted]


def test_a_score_and_the_moved_threshold_of_a_decision_agree_to_the_bit() -> None:
    rng = np.random.default_rng(1)
    for cosine, shift in rng.uniform(-0.2, 0.2, (500, 2)):
        moved = HALF.moved(float(shift))
        for value in (moved.value, np.nextafter(moved.value, -1), 0.5 + float(cosine)):
            assert Score(value, float(shift)).reaches(HALF) is bool(value >= moved.value)


def test_the_normalised_score_is_the_cosine_minus_the_shift() -> None:
    assert Score(0.5, 0.125).normalised == 0.375
    assert Score(0.5).normalised == 0.5
