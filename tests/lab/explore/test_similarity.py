"""Similarity matrix and principal components, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mien.lab.explore.similarity import pca, similarity_matrix
from mien.results import FloatArray


def test_no_vectors_give_an_empty_matrix() -> None:
    assert similarity_matrix([]).shape == (0, 0)
    assert similarity_matrix(np.zeros((0, 128), np.float32)).shape == (0, 0)


def test_cosines_by_hand() -> None:
    # right angle, 45 degrees, opposite; lengths do not matter
    matrix = similarity_matrix([[2.0, 0.0], [0.0, 3.0], [5.0, 5.0], [-0.1, 0.0]])
    half = np.sqrt(0.5)
    expected = [
        [1.0, 0.0, half, -1.0],
        [0.0, 1.0, half, 0.0],
        [half, half, 1.0, -half],
        [-1.0, 0.0, -half, 1.0],
    ]
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix, expected, atol=1e-6)


def test_a_list_of_vectors_and_an_array_give_the_same_matrix() -> None:
    rows = _unit_rows(5, 16)
    np.testing.assert_array_equal(similarity_matrix(list(rows)), similarity_matrix(rows))


def test_the_matrix_is_exactly_symmetric_with_exact_ones_and_never_past_one() -> None:
    rows = np.repeat(_unit_rows(40, 512), 2, axis=0)  # doubles: cosines that round past 1
    matrix = similarity_matrix(rows)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diagonal(matrix), np.ones(80, np.float32))
    assert np.abs(matrix).max() <= 1.0


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_very_short_and_very_long_vectors_keep_their_direction(scale: float) -> None:
    matrix = similarity_matrix(np.array([[3.0, 4.0], [4.0, 3.0]]) * scale)
    assert matrix[0, 1] == pytest.approx(0.96)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 0.0], [0.0, 0.0]], "row 1 is all zeros"),
        ([[1.0, 0.0], [np.nan, 1.0]], "row 1 holds a number that is not finite"),
        ([[np.inf, 0.0]], "row 0 holds a number that is not finite"),
        ([1.0, 2.0], r"must be \(n, d\)"),
    ],
)
def test_rows_without_a_direction_are_refused(rows: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        similarity_matrix(rows)


def test_points_on_a_line_have_one_component_along_it() -> None:
    # (0,0), (3,4), (6,8): steps of 5 along (0.6, 0.8), the middle one at the mean
    found = pca([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]], k=2)
    np.testing.assert_allclose(found.mean, [3.0, 4.0])
    np.testing.assert_allclose(found.components, [[0.6, 0.8], [0.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(found.coordinates, [[-5, 0], [0, 0], [5, 0]], atol=1e-5)
    np.testing.assert_allclose(found.explained, [1.0, 0.0], atol=1e-6)


def test_components_are_the_eigenvectors_of_the_covariance() -> None:
    rows = np.random.default_rng(1).normal(size=(30, 6)) * [5.0, 4.0, 3.0, 2.0, 1.0, 0.5]
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False))
    order = np.argsort(values)[::-1][:3]
    found = pca(rows, k=3)
    np.testing.assert_allclose(found.explained, values[order] / values.sum(), rtol=1e-5)
    for component, vector in zip(found.components, vectors[:, order].T, strict=True):
        assert abs(component @ vector) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(
        found.coordinates, (rows - rows.mean(axis=0)) @ found.components.T, atol=1e-4
    )


def test_the_largest_entry_of_each_component_is_positive() -> None:
    rows = np.random.default_rng(2).normal(size=(12, 5))
    for given in (rows, -rows, rows[::-1]):
        components = pca(given, k=4).components
        largest = components[np.arange(4), np.abs(components).argmax(axis=1)]
        assert np.all(largest > 0)


def test_of_equally_large_entries_the_first_is_positive() -> None:
    np.testing.assert_allclose(
        pca([[1.0, -1.0], [-1.0, 1.0]], k=1).components, [[np.sqrt(0.5), -np.sqrt(0.5)]], atol=1e-6
    )


@pytest.mark.parametrize("n", [0, 1, 2])
def test_more_components_than_directions_are_zero(n: int) -> None:
    rows = np.array([[0.3, 0.1, 0.2], [0.1, 0.3, 0.7]])[:n]
    found = pca(rows, k=4)
    rank = max(n - 1, 0)
    assert found.coordinates.shape == (n, 4)
    assert found.components.shape == (4, 3)
    assert not found.coordinates[:, rank:].any()
    assert not found.components[rank:].any()
    assert found.explained.sum() == pytest.approx(1.0 if rank else 0.0)


def test_equal_vectors_have_no_direction_left() -> None:
    found = pca(np.full((7, 3), 0.1), k=2)
    assert not found.explained.any()
    assert not found.coordinates.any()


def test_zero_components_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1"):
        pca([[1.0, 0.0]], k=0)


def _unit_rows(n: int, d: int) -> FloatArray:
    rows = np.random.default_rng(0).normal(size=(n, d))
    unit: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit
