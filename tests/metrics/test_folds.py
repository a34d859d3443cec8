"""Accuracy by LFW's rule: a fold is judged by a threshold that never saw it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import NotEnoughEvidence
from mien.metrics import accuracy_10_fold, best_threshold

PAIRS = st.lists(
    st.tuples(st.integers(-8, 8).map(lambda n: n / 8), st.booleans()), min_size=1, max_size=30
)


def test_the_best_threshold_is_in_the_middle_of_the_gap() -> None:
    assert best_threshold([0.2, 0.4, 0.8, 0.9], [False, False, True, True]) == pytest.approx(0.6)


def test_of_equally_good_thresholds_the_middle_one_is_taken() -> None:
    # below 0.4, 0.6 or 0.8: one error each
    scores, same = [0.2, 0.4, 0.6, 0.8], [False, True, False, True]
    assert best_threshold(scores, same) == pytest.approx(0.3)
    scores, same = [0.1, 0.2, 0.4, 0.6, 0.8, 0.9], [False, False, True, False, True, True]
    assert best_threshold(scores, same) == pytest.approx(0.3)


def test_pairs_of_one_kind_are_all_accepted_or_all_refused() -> None:
    assert best_threshold([0.3, 0.5], [True, True]) == 0.3
    assert best_threshold([0.3, 0.5], [False, False]) == np.nextafter(0.5, 1)
    with pytest.raises(NotEnoughEvidence, match="no pair"):
        best_threshold([], [])


def test_two_neighbouring_floats_are_separated() -> None:
    low, high = 0.5, np.nextafter(0.5, 1)
    assert best_threshold([low, high], [False, True]) == high


def test_a_pair_that_could_not_be_compared_is_refused_whatever_the_threshold() -> None:
    assert best_threshold([-np.inf, 0.5], [False, True]) == 0.5
    result = accuracy_10_fold(
        [0.1, 0.9, 0.1, 0.9, -np.inf], [False, True, False, True, True], [1, 1, 2, 2, 2]
    )
    assert result.accuracies == pytest.approx((1.0, 2 / 3))


@given(pairs=PAIRS)
def test_no_threshold_does_better_than_the_best(pairs: list[tuple[float, bool]]) -> None:
    scores, same = np.array([s for s, _ in pairs]), np.array([t for _, t in pairs])
    found = np.sum((scores >= best_threshold(scores, same)) == same)
    others = [np.sum((scores >= t) == same) for t in [*scores, np.inf]]
    assert found == max(others)


def test_each_fold_is_judged_by_the_threshold_of_the_others() -> None:
    scores = [0.25, 0.75, 0.5, 1.0]
    result = accuracy_10_fold(scores, [False, True, False, True], [1, 1, 2, 2])
    assert result.thresholds == (0.75, 0.5)  # the middle of 0.5 and 1, and of 0.25 and 0.75
    assert result.folds == (1, 2)
    assert result.accuracies == (1.0, 0.5)  # the 0.5 of a stranger is accepted
    assert result.mean == 0.75
    assert result.standard_error == pytest.approx(np.std([1.0, 0.5], ddof=1) / np.sqrt(2))


@pytest.mark.parametrize("n_folds", [5, 10])
def test_five_folds_do_as_well_as_ten(n_folds: int) -> None:
    rng = np.random.default_rng(5)
    folds = np.repeat(np.arange(n_folds), 60)
    same = np.tile(np.repeat([True, False], 30), n_folds)
    scores = rng.normal(np.where(same, 0.6, 0.0), 0.15)
    result = accuracy_10_fold(scores, same, folds)
    assert len(result.accuracies) == len(result.thresholds) == n_folds
    assert result.mean == pytest.approx(0.977, abs=0.02)  # Phi(2), both kinds alike
    assert 0 < result.standard_error < 0.02


def test_perfect_pairs_score_one_with_no_error() -> None:
    result = accuracy_10_fold([0.1, 0.9] * 10, [False, True] * 10, np.repeat(np.arange(10), 2))
    assert (result.mean, result.standard_error) == (1.0, 0.0)


def test_one_fold_or_shapes_that_differ_are_refused() -> None:
    with pytest.raises(NotEnoughEvidence, match="other folds"):
        accuracy_10_fold([0.1, 0.9], [False, True], [1, 1])
    with pytest.raises(ValueError, match="one shape"):
        accuracy_10_fold([0.1, 0.9], [False, True], [1])
    with pytest.raises(ValueError, match="bool"):
        accuracy_10_fold([0.1, 0.9], [0, 1], [1, 2])


def test_a_fold_without_a_comparable_pair_is_evaluated() -> None:
    scores = np.array([-np.inf, -np.inf, 0.9, 0.1], np.float32)
    same = np.array([True, False, True, False])
    found = accuracy_10_fold(scores, same, np.array([1, 1, 2, 2]))
    assert found.accuracies == (0.5, 0.5)
