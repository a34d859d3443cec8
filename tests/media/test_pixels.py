"""Shrinking a picture to a number of pixels, by hand-made numbers."""

from __future__ import annotations

import numpy as np
import pytest

from mien.media.pixels import factor_to_fit, shrink_to


@pytest.mark.parametrize(
    ("height", "width", "most_pixels", "factor"),
    [(10, 10, 100, 1), (10, 10, 99, 2), (10, 10, 25, 2), (10, 10, 24, 3), (1, 1, 1000, 1)],
)
def test_the_factor_is_the_least_whole_one_that_fits(
    height: int, width: int, most_pixels: int, factor: int
) -> None:
    assert factor_to_fit(np.zeros((height, width, 3), np.uint8), most_pixels) == factor


def test_a_small_picture_is_left_as_it_is_and_a_large_one_averaged() -> None:
    columns = np.zeros((4, 4, 3), np.uint8)
    columns[:, ::2] = 100
    assert shrink_to(columns, 16) is columns
    assert shrink_to(columns, 4).tolist() == np.full((2, 2, 3), 50).tolist()
