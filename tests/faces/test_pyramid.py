"""Area means against a slow and obvious resize, on the shapes that could break the packing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.faces.pyramid import MAX_CELL, AreaTable, cell_edges
from mien.results import ByteArray


def slow_resize(image: ByteArray, height: int, width: int) -> npt.NDArray[np.float64]:
    """Adaptive average pooling, one cell after the other: (3, height, width)."""
    rows, columns = image.shape[:2]
    out = np.zeros((3, height, width))
    for y in range(height):
        top, bottom = y * rows // height, -((-(y + 1) * rows) // height)
        for x in range(width):
            left, right = x * columns // width, -((-(x + 1) * columns) // width)
            out[:, y, x] = image[top:bottom, left:right].mean(axis=(0, 1), dtype=np.float64)
    return out


def noise(height: int, width: int, seed: int = 0) -> ByteArray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def white(height: int, width: int) -> ByteArray:
    return np.full((height, width, 3), 255, np.uint8)


def assert_same(ours: npt.NDArray[np.float32], slow: npt.NDArray[np.float64]) -> None:
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, slow, atol=1e-4, rtol=0)


def test_halving_averages_four_pixels_of_each_channel() -> None:
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, :2, 0] = [[10, 20], [30, 40]]
    image[:, 2:, 1] = [[1, 2], [3, 5]]
    image[1, 3, 2] = 255
    level = AreaTable(image).resized(1, 2)
    np.testing.assert_allclose(level, [[[[25, 0]], [[0, 2.75]], [[0, 63.75]]]])
    assert level.shape == (1, 3, 1, 2)


def test_cells_overlap_when_the_size_is_not_a_multiple() -> None:
    first, last = cell_edges(np.array([0]), np.array([5]), 3)
    assert first.tolist() == [[0, 1, 3]]
    assert last.tolist() == [[2, 4, 5]]


@pytest.mark.parametrize(("size", "cells"), [(1, 1), (1, 9), (7, 3), (3, 7), (12, 12), (100, 24)])
def test_cells_cover_every_pixel_and_none_is_empty(size: int, cells: int) -> None:
    first, last = cell_edges(np.array([4]), np.array([4 + size]), cells)
    assert np.all(last > first)
    assert set(
        np.concatenate([np.arange(a, b) for a, b in zip(first[0], last[0], strict=True)])
    ) == set(range(4, 4 + size))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.integers(1, 50))
def test_a_picture_of_any_size_is_scaled_to_any_size(
    rows: int, columns: int, height: int, width: int
) -> None:
    image = noise(rows, columns, seed=rows * 41 + columns)
    assert_same(AreaTable(image).resized(height, width)[0], slow_resize(image, height, width))


@st.composite
def rectangles(draw: st.DrawFn) -> tuple[ByteArray, npt.NDArray[np.intp]]:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
        rows.append([left, top, right, bottom])
    return noise(height, width, seed=height), np.array(rows, np.intp)


@settings(max_examples=60, deadline=None)
@given(rectangles(), st.sampled_from([1, 5, 24]))
def test_any_rectangle_is_scaled_to_a_square_of_any_side(
    drawn: tuple[ByteArray, npt.NDArray[np.intp]], side: int
) -> None:
    image, rows = drawn
    crops = AreaTable(image).crops(rows, side)
    assert crops.shape == (len(rows), 3, side, side)
    assert crops.flags.c_contiguous
    for crop, (left, top, right, bottom) in zip(crops, rows, strict=True):
        assert_same(crop, slow_resize(image[top:bottom, left:right], side, side))


def test_no_rectangle_gives_no_crop() -> None:
    crops = AreaTable(noise(5, 6)).crops(np.zeros((0, 4), np.intp), 24)
    assert crops.shape == (0, 3, 24, 24)
    assert crops.dtype == np.float32


def test_a_rectangle_of_one_pixel_is_that_pixel_everywhere() -> None:
    image = noise(6, 7)
    crop = AreaTable(image).crops(np.array([[6, 5, 7, 6]]), 24)[0]
    np.testing.assert_array_equal(crop, np.broadcast_to(image[5, 6][:, None, None], (3, 24, 24)))


def test_enlarging_repeats_pixels() -> None:
    image = noise(2, 2)
    level = AreaTable(image).resized(4, 4)[0]
    np.testing.assert_array_equal(level, image.transpose(2, 0, 1).repeat(2, 1).repeat(2, 2))


# white is the worst case: each channel's field is as full as it can be


@pytest.mark.parametrize(
    ("height", "width"),
    [
        (1, MAX_CELL),  # the fullest cell that one packed number holds
        (1, MAX_CELL + 1),
        (MAX_CELL + 1, 1),
        (2, MAX_CELL),
        (91, 91),  # 8281 pixels
        (3, 3 * MAX_CELL + 7),
        (400, 300),
    ],
)
def test_a_white_cell_of_any_size_is_white(height: int, width: int) -> None:
    table = AreaTable(white(height, width))
    np.testing.assert_array_equal(table.resized(1, 1), np.full((1, 3, 1, 1), 255, np.float32))
    whole = np.array([[0, 0, width, height]])
    np.testing.assert_array_equal(table.crops(whole, 1), np.full((1, 3, 1, 1), 255, np.float32))


def test_cells_beyond_the_packed_limit_are_right_in_every_channel() -> None:
    image = noise(230, 260)
    image[:, :, 0] = 255  # a full field beside two that vary
    assert_same(AreaTable(image).resized(2, 2)[0], slow_resize(image, 2, 2))
    rows = np.array([[0, 0, 260, 230], [3, 4, 200, 229], [5, 5, 8, 9]])  # large and small mixed
    for crop, (left, top, right, bottom) in zip(AreaTable(image).crops(rows, 2), rows, strict=True):
        assert_same(crop, slow_resize(image[top:bottom, left:right], 2, 2))


def test_differences_are_right_although_the_table_overflows() -> None:
    # 130 x 130 white pixels pass 2**64 in the upper channel; this has sixty times as many
    image = white(1000, 1000)
    image[600:700, 300:500] = noise(100, 200)
    table = AreaTable(image)
    rows = np.array([[290, 590, 510, 710], [976, 976, 1000, 1000], [300, 600, 500, 700]])
    for crop, (left, top, right, bottom) in zip(table.crops(rows, 24), rows, strict=True):
        assert_same(crop, slow_resize(image[top:bottom, left:right], 24, 24))
    assert_same(table.resized(40, 40)[0], slow_resize(image, 40, 40))


def test_the_picture_is_not_changed() -> None:
    image = noise(9, 9)
    before = image.copy()
    image.flags.writeable = False
    AreaTable(image).resized(3, 3)
    np.testing.assert_array_equal(image, before)


def test_a_view_that_is_not_contiguous_is_read_right() -> None:
    image = noise(20, 30)
    view = image[::2, ::-3]
    assert_same(AreaTable(view).resized(4, 5)[0], slow_resize(view, 4, 5))
