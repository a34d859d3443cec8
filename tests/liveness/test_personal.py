"""The personal threshold narrows after three days, and is never below the floor."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest

from mien.liveness.personal import personal_threshold

DAY = date(2026, 1, 31)
DAYS = [DAY + timedelta(days=number) for number in range(5)]


def test_it_is_the_mean_of_the_enrollment_less_four() -> None:
    assert personal_threshold([6.0, 8.0], []) == 3.0


def test_it_narrows_to_three_after_successes_on_three_different_days() -> None:
    assert personal_threshold([7.0], DAYS[:2]) == 3.0
    assert personal_threshold([7.0], [DAY] * 9) == 3.0  # one day, however often
    assert personal_threshold([7.0], DAYS[:3]) == 4.0
    assert personal_threshold([7.0], DAYS) == 4.0


@pytest.mark.parametrize("scores", [[3.9], [-9.0], [], [math.nan], [9.0, math.nan], [math.inf]])
def test_it_is_never_below_the_floor(scores: list[float]) -> None:
    assert personal_threshold(scores, DAYS) in (0.0, pytest.approx(0.9))
    assert personal_threshold(scores, []) == 0.0
