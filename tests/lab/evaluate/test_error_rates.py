"""ErrorFigures from hand-made scores: counted, bounded, or refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from mien.lab.evaluate.error_rates import TargetPoint, measure_accuracy, measure_errors
from mien.metrics import GenuineTrials, ImpostorTrials, PairCounts, as_scores


def _at(genuine: list[float], impostor: list[float], fmr: float, *, n_lost: int = 0) -> TargetPoint:
    """Four people; genuine pairs go round them, impostor pairs are of 0 and 1, 1 and 2, ..."""
    ours = np.array(genuine, np.float32)
    theirs = np.array(impostor, np.float32)
    a = np.arange(len(theirs)) % 3
    made = measure_errors(
        "by hand",
        GenuineTrials(ours, np.arange(len(ours)) % 4),
        ImpostorTrials(theirs, a, a + 1, PairCounts.of(a, a + 1, 4)),
        as_scores(theirs),
        [fmr],
        n_lost=n_lost,
        seed=1,
    )
    return made.at[0]


STRANGERS = [at / 100 for at in range(100)]  # 0 to 0.99


def test_fnmr_is_counted_at_the_threshold_of_the_target_fmr() -> None:
    found = _at([0.5, 0.95, 0.96, 0.99], STRANGERS, 0.1)
    assert found.threshold == pytest.approx(0.89, abs=1e-6)  # just above: ten are higher
    assert found.fnmr is not None
    assert found.fnmr.errors == 1
    assert found.fnmr.trials == 4
    assert found.fnmr.interval.low <= 0.25 <= found.fnmr.interval.high
    assert found.refusal == ""


def test_a_pair_that_could_not_be_compared_is_in_frr_and_not_in_fnmr() -> None:
    found = _at([0.5, 0.95, 0.96, 0.99], STRANGERS, 0.1, n_lost=4)
    assert found.fnmr is not None
    assert found.fnmr.value == 0.25
    assert found.frr == pytest.approx(5 / 8)


def test_a_rate_below_what_the_data_supports_is_refused_with_the_reason() -> None:
    found = _at([0.5, 0.95], STRANGERS, 0.001)
    assert found.fnmr is found.threshold is found.frr is None
    assert "100 impostor pairs say nothing below" in found.refusal
    assert found.observed_fnmr == 1.0


def test_few_expected_errors_are_called_an_order_of_magnitude() -> None:
    assert _at([0.5, 0.95], STRANGERS, 0.1).coarse
    assert not _at([0.5, 0.95], STRANGERS, 0.4).coarse


@pytest.mark.parametrize(("genuine", "impostor"), [([], STRANGERS), ([0.5], [])])
def test_without_one_kind_of_pair_there_is_no_figure(
    genuine: list[float], impostor: list[float]
) -> None:
    found = _at(genuine, impostor, 0.1)
    assert found.fnmr is None
    assert found.refusal
    assert found.observed_fnmr is None


def test_accuracy_works_for_five_folds_and_is_refused_for_one() -> None:
    scores = np.tile(np.array([0.9, 0.1], np.float32), 5)
    same = np.tile([True, False], 5)
    five = measure_accuracy(scores, same, np.repeat(np.arange(1, 6), 2))
    assert five.folds is not None
    assert five.folds.mean == 1.0
    one = measure_accuracy(scores, same, np.ones(10, np.int64))
    assert one.folds is None
    assert "two or more" in one.refusal


def test_a_genuine_pair_without_a_face_counts_against_accuracy() -> None:
    scores = np.tile(np.array([0.9, 0.1], np.float32), 5)
    scores[0] = -np.inf
    found = measure_accuracy(scores, np.tile([True, False], 5), np.repeat(np.arange(1, 6), 2))
    assert found.folds is not None
    assert found.folds.mean == pytest.approx(0.9)
