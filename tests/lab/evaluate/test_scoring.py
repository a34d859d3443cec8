"""All pairs in blocks give what one matrix gives."""

from __future__ import annotations

import numpy as np
import pytest

from mien.errors import UsageError
from mien.lab.evaluate import scoring
from mien.lab.evaluate.scoring import compare_all, pair_scores, score_blocks
from mien.results import FloatArray


def _people(n: int, n_people: int) -> tuple[FloatArray, np.ndarray]:
    rng = np.random.default_rng(n)
    vectors = rng.normal(size=(n, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, rng.integers(0, n_people, n)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BLOCK_ROWS", 7)
    monkeypatch.setattr(scoring, "BLOCK_COLUMNS", 11)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 50])
def test_every_two_photos_are_compared_once(n: int) -> None:
    vectors, _ = _people(n, 3)
    met = np.zeros((n, n), np.int64)
    blocks = list(score_blocks(vectors))
    for block in blocks:
        met[np.ix_(block.rows, block.columns)] += block.counts
    np.testing.assert_array_equal(met, np.triu(np.ones((n, n), np.int64), 1))


@pytest.mark.usefixtures("small_blocks")
def test_genuine_and_impostor_scores_are_those_of_the_whole_matrix() -> None:
    vectors, person = _people(60, 20)
    found = compare_all(vectors, person, keep=25)
    matrix = vectors @ vectors.T
    upper = np.triu(np.ones((60, 60), bool), 1)
    same = person[:, np.newaxis] == person
    np.testing.assert_allclose(
        np.sort(found.genuine.scores), np.sort(matrix[upper & same]), atol=1e-6
    )
    strangers = np.sort(matrix[upper & ~same])[::-1]
    assert found.impostor.n == len(strangers)
    np.testing.assert_allclose(found.highest.scores, strangers[:25], atol=1e-6)
    np.testing.assert_allclose(
        matrix[found.highest.a, found.highest.b], found.highest.scores, atol=1e-6
    )
    assert not np.any(person[found.highest.a] == person[found.highest.b])


@pytest.mark.usefixtures("small_blocks")
def test_blocks_and_pairs_subtract_the_shifts_of_both_photos() -> None:
    vectors, person = _people(30, 5)
    shifts = np.linspace(-0.4, 0.3, 30).astype(np.float32)
    found = compare_all(vectors, person, keep=10, shifts=shifts)
    best = found.highest
    plain = np.sum(vectors[best.a] * vectors[best.b], axis=1)
    np.testing.assert_allclose(best.scores, plain - shifts[best.a] - shifts[best.b], atol=1e-6)
    np.testing.assert_allclose(
        pair_scores(vectors, best.a, best.b, shifts=shifts), best.scores, atol=1e-6
    )


def test_any_number_of_pairs_is_scored() -> None:
    vectors, _ = _people(5, 2)
    a, b = np.array([0, 4]), np.array([1, 0])
    np.testing.assert_allclose(
        pair_scores(vectors, a, b), [vectors[0] @ vectors[1], vectors[4] @ vectors[0]], atol=1e-6
    )
    assert pair_scores(vectors, a[:0], b[:0]).shape == (0,)


def test_too_many_genuine_pairs_for_memory_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scoring, "MAX_GENUINE", 2)
    vectors, _ = _people(3, 1)
    with pytest.raises(UsageError, match="3 genuine pairs"):
        compare_all(vectors, np.zeros(3, np.int64), keep=5)
