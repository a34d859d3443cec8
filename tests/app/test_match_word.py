"""How well a face matches, in one word."""

from __future__ import annotations

import math

import pytest

from mien.app.match_word import match_word


@pytest.mark.parametrize(
    ("over", "word"),
    [
        *[(0.5, "good"), (0.2, "good"), (0.199, "fair"), (0.1, "fair"), (0.099, "poor")],
        *[(0.0, "poor"), (-0.2, "poor"), (math.nan, "poor")],
    ],
)
def test_a_match_is_good_fair_or_poor_by_how_far_it_is_over_the_threshold(
    over: float, word: str
) -> None:
    assert match_word(over) == word
