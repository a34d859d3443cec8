"""Error rates on scores that one can count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import NotEnoughEvidence
from mien.metrics import (
    apcer,
    as_scores,
    bpcer,
    failure_rate,
    false_reject_rate,
    fnmr_at_fmr,
    operating_point,
    point_at_fmr,
    threshold_at_fmr,
    worst_apcer,
)
from mien.metrics.rates import errors_allowed

SOME = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50)
RATE = st.floats(0, 1)

GENUINE = [0.4, 0.6, 0.6, 0.9]
IMPOSTOR = [0.1, 0.2, 0.4, 0.4, 0.5]


@pytest.mark.parametrize(
    ("threshold", "fmr", "fnmr"),
    [
        (0.0, 1.0, 0.0),
        (0.4, 0.6, 0.0),
        (0.41, 0.2, 0.25),
        (0.6, 0.0, 0.25),
        (0.61, 0.0, 0.75),
        (1.0, 0.0, 1.0),
    ],
)
def test_a_score_that_equals_the_threshold_is_accepted(
    threshold: float, fmr: float, fnmr: float
) -> None:
    point = operating_point(GENUINE, IMPOSTOR, threshold)
    assert (point.fmr, point.fnmr) == (fmr, fnmr)
    assert (point.n_impostor, point.n_genuine) == (5, 4)


@pytest.mark.parametrize(
    ("fmr", "last_refused"), [(0.0, 0.5), (0.19, 0.5), (0.2, 0.4), (0.59, 0.4), (0.6, 0.2)]
)
def test_the_threshold_at_an_fmr_is_just_above_the_highest_refused_score(
    fmr: float, last_refused: float
) -> None:
    threshold = threshold_at_fmr(IMPOSTOR, fmr, require_evidence=False)
    assert threshold == np.nextafter(last_refused, 1)


def test_at_fmr_one_everything_is_accepted() -> None:
    assert threshold_at_fmr(IMPOSTOR, 1.0) == -np.inf


def test_equal_scores_are_all_refused_together() -> None:
    assert threshold_at_fmr([0.5] * 10, 0.9, require_evidence=False) == np.nextafter(0.5, 1)
    assert fnmr_at_fmr([0.5] * 10, [0.5] * 10, 0.9) == 1.0


def test_perfect_separation_has_no_errors_and_total_overlap_the_expected_ones() -> None:
    assert fnmr_at_fmr([0.8, 0.9], np.linspace(0, 0.5, 30), 0.1) == 0.0
    same = np.arange(100) / 100
    assert fnmr_at_fmr(same, same, 0.1) == pytest.approx(0.9)


@pytest.mark.parametrize("call", [threshold_at_fmr, apcer, bpcer])
def test_a_rate_without_scores_is_refused(call: type) -> None:
    with pytest.raises(NotEnoughEvidence, match="score was given"):
        call([], 0.5)


def test_a_rate_that_the_pairs_do_not_support_is_refused_with_the_reason() -> None:
    pairs = as_scores(np.linspace(-0.5, 0.5, 3000))
    assert pairs.count_at_least(threshold_at_fmr(pairs, 1e-3)) == 3
    expected = (
        "3,000 impostor pairs say nothing below FMR 1e-3; "
        "zero errors need 30,000 independent trials for 1e-4"
    )
    for call in (
        lambda: threshold_at_fmr(pairs, 1e-4),
        lambda: fnmr_at_fmr(GENUINE, pairs, 1e-4),
        lambda: point_at_fmr(GENUINE, pairs, 1e-4),
    ):
        with pytest.raises(NotEnoughEvidence, match=expected):
            call()
    assert threshold_at_fmr(pairs, 1e-4, require_evidence=False) > 0.5


@pytest.mark.parametrize("fmr", [-0.1, 1.1, np.nan])
def test_a_value_that_is_not_a_rate_is_refused(fmr: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        threshold_at_fmr(IMPOSTOR, fmr, require_evidence=False)


@given(values=SOME, fmr=RATE)
def test_the_threshold_is_the_smallest_float_that_keeps_the_fmr(
    values: list[float], fmr: float
) -> None:
    impostor = np.array(values, np.float32)
    threshold = threshold_at_fmr(impostor, fmr, require_evidence=False)
    assert np.mean(impostor >= threshold) <= fmr
    if np.isfinite(threshold):
        below = np.nextafter(np.float32(threshold), np.float32(-np.inf))
        assert np.mean(impostor >= below) > fmr


@given(values=SOME, low=RATE, high=RATE)
def test_a_stricter_fmr_never_lowers_the_threshold(
    values: list[float], low: float, high: float
) -> None:
    low, high = min(low, high), max(low, high)
    strict = threshold_at_fmr(values, low, require_evidence=False)
    assert strict >= threshold_at_fmr(values, high, require_evidence=False)


@given(genuine=SOME, impostor=SOME, fmr=RATE)
def test_doubling_all_pairs_or_scaling_all_scores_changes_no_rate(
    genuine: list[float], impostor: list[float], fmr: float
) -> None:
    rate = fnmr_at_fmr(genuine, impostor, fmr, require_evidence=False)
    assert fnmr_at_fmr(genuine * 2, impostor * 2, fmr, require_evidence=False) == rate
    ours, theirs = np.array(genuine) * 4, np.array(impostor) * 4  # a power of two is exact
    assert fnmr_at_fmr(ours, theirs, fmr, require_evidence=False) == rate


@given(genuine=SOME, impostor=SOME, a=st.floats(-2, 2), b=st.floats(-2, 2))
def test_a_higher_threshold_trades_false_matches_for_false_non_matches(
    genuine: list[float], impostor: list[float], a: float, b: float
) -> None:
    loose = operating_point(genuine, impostor, min(a, b))
    strict = operating_point(genuine, impostor, max(a, b))
    assert strict.fmr <= loose.fmr
    assert strict.fnmr >= loose.fnmr


@given(rate=RATE, n=st.integers(1, 10**8))
def test_the_errors_allowed_are_the_most_that_keep_the_rate(rate: float, n: int) -> None:
    count = errors_allowed(rate, n)
    assert 0 <= count <= n
    assert count / n <= rate
    assert count == n or (count + 1) / n > rate


def test_the_errors_allowed_are_exact_despite_rounding() -> None:
    assert 0.29 * 100 < 29  # the trap
    assert errors_allowed(0.29, 100) == 29


def test_failures_are_counted_over_attempts() -> None:
    assert failure_rate(3, 60) == 0.05
    assert failure_rate(0, 60) == 0.0
    with pytest.raises(NotEnoughEvidence, match="no attempt"):
        failure_rate(0, 0)
    with pytest.raises(ValueError, match="failures <= attempts"):
        failure_rate(61, 60)


def test_a_failure_to_acquire_counts_as_a_false_rejection() -> None:
    assert false_reject_rate(0.1, fta=0.2) == pytest.approx(0.2 + 0.8 * 0.1)
    assert false_reject_rate(0.1, fta=0.0) == 0.1
    assert false_reject_rate(0.0, fta=1.0) == 1.0


def test_the_generalised_rates_count_those_who_could_not_enroll() -> None:
    assert false_reject_rate(0.1, fta=0.2, fte=0.5) == pytest.approx(0.5 + 0.5 * 0.28)
    with pytest.raises(ValueError, match="fte is a rate"):
        false_reject_rate(0.1, fta=0.2, fte=1.5)


def test_apcer_and_bpcer_count_at_the_same_threshold() -> None:
    assert apcer([0.1, 0.5, 0.7, 0.2], 0.5) == 0.5
    assert bpcer([0.9, 0.5, 0.4, 0.8], 0.5) == 0.25


def test_apcer_is_that_of_the_worst_kind_of_attack() -> None:
    species = {"print": [0.1, 0.2], "screen": [0.6, 0.2], "mask": [0.1]}
    assert worst_apcer(species, 0.5) == ("screen", 0.5)
    with pytest.raises(NotEnoughEvidence, match="no attack"):
        worst_apcer({}, 0.5)
