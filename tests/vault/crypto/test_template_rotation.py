"""Rotated templates keep their similarities, and are useless under another key."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.vault.crypto.template_rotation import MAX_MATRIX_DIMS, TemplateRotation

Floats = npt.NDArray[np.float64]
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


def units(rows: int, dims: int, *, seed: int) -> npt.NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(rows, dims))
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32)


def matrix_of(rotation: TemplateRotation) -> Floats:
    """(d, d) float64: a row vector times it is the rotated vector."""
    return rotation._rotated(np.eye(rotation.dims))


def by_hand(key: bytes, dims: int) -> Floats:
    """The rotation from the text of its definition, one number after the other."""
    count = dims * (dims + 1) // 2 - 1 + dims
    count += count % 2
    stream = hashlib.shake_256(b"mien transform 1" + dims.to_bytes(4, "big") + key)
    data, normal = stream.digest(8 * count), []
    words = [int.from_bytes(data[at : at + 8], "little") >> 11 for at in range(0, 8 * count, 8)]
    for one, two in zip(words[0::2], words[1::2], strict=True):
        radius = math.sqrt(-2 * math.log((one + 0.5) / 2**53))
        angle = 2 * math.pi * (two + 0.5) / 2**53
        normal += [radius * math.cos(angle), radius * math.sin(angle)]
    left = np.eye(dims)
    for size in range(dims, 1, -1):
        x, normal = normal[:size], normal[size:]
        x[0] += math.copysign(math.sqrt(math.fsum(a * a for a in x)), x[0])
        square = math.fsum(a * a for a in x)
        mirror = np.eye(dims)
        for i, a in enumerate(x, start=dims - size):
            for j, b in enumerate(x, start=dims - size):
                mirror[i, j] -= 2 * a * b / square
        left = mirror @ left
    return np.diag([-1.0 if a < 0 else 1.0 for a in normal[:dims]]) @ left


# frozen: a change of any number here loses every template that was ever stored
GOLDEN: dict[int, list[float]] = {
    4: [0.650323952594698, -0.638132278810269, 0.357004041963057, 0.121215728132021],
    128: [0.061169904952262, -0.020194594105195, -0.034082289315293, -0.171098098709892],
    512: [0.023634518032606, 0.006316754057363, 0.015511470551078, 0.011301291847029],
}


@pytest.mark.parametrize("dims", sorted(GOLDEN))
def test_the_rotation_of_a_key_never_changes(dims: int) -> None:
    found = matrix_of(TemplateRotation(KEY, dims))
    corners = [found[0, 0], found[0, -1], found[-1, 0], found[-1, -1]]
    np.testing.assert_allclose(corners, GOLDEN[dims], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dims", [2, 3, 4, 7, 32])
def test_the_rotation_matches_its_definition(dims: int) -> None:
    found = matrix_of(TemplateRotation(KEY, dims))
    np.testing.assert_allclose(found, by_hand(KEY, dims), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dims", [2, 128, 512])
def test_the_rotation_is_orthogonal(dims: int) -> None:
    matrix = matrix_of(TemplateRotation(KEY, dims))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(dims), rtol=0, atol=1e-12)


def test_the_rotation_may_include_a_reflection() -> None:
    found = {
        round(np.linalg.det(matrix_of(TemplateRotation(bytes([i]) * 32, 4)))) for i in range(16)
    }
    assert found == {-1, 1}


def test_the_first_axis_is_rotated_uniformly_over_the_sphere() -> None:
    rows = np.stack([matrix_of(TemplateRotation(i.to_bytes(32, "big"), 3))[0] for i in range(2000)])
    # mean 0 and covariance 1/3 on the sphere; five standard errors of 2000 draws
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=0.065)
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(3) / 3, atol=0.035)


@given(st.integers(2, 64), st.integers(0, 2**32 - 1))
def test_cosines_do_not_change(dims: int, seed: int) -> None:
    vectors = units(6, dims, seed=seed)
    rotated = TemplateRotation(KEY, dims).protect(vectors)
    assert rotated.dtype == np.float32
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dims", [128, 512])
def test_protect_is_the_matrix_and_reveal_its_inverse(dims: int) -> None:
    rotation, vectors = TemplateRotation(KEY, dims), units(8, dims, seed=1)
    rotated = rotation.protect(vectors)
    np.testing.assert_allclose(rotated, vectors @ matrix_of(rotation), rtol=0, atol=1e-7)
    np.testing.assert_allclose(rotation.reveal(rotated), vectors, rtol=0, atol=1e-6)
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, rtol=0, atol=1e-6)


def test_a_few_rows_and_many_are_rotated_alike() -> None:
    """Many rows by a matrix, a few by reflections."""
    rows = np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32)
    few, many = TemplateRotation(KEY, 16), TemplateRotation(KEY, 16)
    expected = many.protect(rows)
    for row, one in zip(rows[:3], expected, strict=False):
        np.testing.assert_allclose(few.protect(row[np.newaxis])[0], one, atol=1e-6)
        np.testing.assert_allclose(few.reveal(one[np.newaxis])[0], row, atol=1e-6)
    np.testing.assert_allclose(many.reveal(expected), rows, atol=1e-6)
    assert (few._matrix is None, many._matrix is None) == (True, False)


def test_a_large_rotation_has_no_matrix() -> None:
    large = TemplateRotation(KEY, MAX_MATRIX_DIMS + 1)
    large.protect(np.ones((MAX_MATRIX_DIMS, MAX_MATRIX_DIMS + 1), np.float32)[:1])
    large._rows_so_far = MAX_MATRIX_DIMS
    assert large._matrix_for(1) is None


def test_the_given_vectors_are_not_changed() -> None:
    vectors = units(3, 16, seed=2)
    before = vectors.copy()
    TemplateRotation(KEY, 16).protect(vectors)
    TemplateRotation(KEY, 16).reveal(vectors)
    assert np.array_equal(vectors, before)


def test_two_keys_give_vectors_that_cannot_be_linked() -> None:
    vectors = units(1000, 512, seed=3)
    one, two = (
        TemplateRotation(KEY, 512).protect(vectors),
        TemplateRotation(OTHER_KEY, 512).protect(vectors),
    )
    linked = np.abs(np.sum(one * two, axis=1)).mean()
    # the mean |cosine| of two random directions in d dimensions is sqrt(2 / (pi d)), 0.035
    assert linked == pytest.approx(math.sqrt(2 / (math.pi * 512)), rel=0.1)


@pytest.mark.parametrize(
    ("pairs", "least", "most"),
    [
        pytest.param(512, 0.9999, 1.0001, id="as many as dimensions: all is known"),
        pytest.param(256, 0.66, 0.75, id="half as many: a part is known"),
    ],
)
def test_known_pairs_recover_the_rotation(pairs: int, least: float, most: float) -> None:
    rotation = TemplateRotation(KEY, 512)
    known, others = units(pairs, 512, seed=4), units(200, 512, seed=5)
    guess = np.linalg.lstsq(known.astype(float), rotation.protect(known).astype(float), rcond=None)
    guessed = others @ guess[0]
    guessed /= np.linalg.norm(guessed, axis=1, keepdims=True)
    cosine = np.sum(guessed * rotation.protect(others), axis=1).mean()
    assert least < cosine < most


@pytest.mark.parametrize(("key", "dims"), [(b"short", 4), (KEY, 1), (KEY, 4097)])
def test_a_wrong_key_or_size_is_refused(key: bytes, dims: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TemplateRotation(key, dims)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 2, 4)])
def test_vectors_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        TemplateRotation(KEY, 4).protect(np.zeros(shape, np.float32))
