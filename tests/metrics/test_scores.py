"""Scores sorted once, and the tally that stands in for more of them than memory holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.metrics import ImpostorTally, Scores, as_scores, threshold_at_fmr

COSINES = st.lists(st.floats(-1, 1, width=32), max_size=60)
WIDTH = 2.0**-4  # of the coarse bins below


def test_counts_are_of_scores_that_reach_the_threshold() -> None:
    scores = as_scores([0.1, 0.5, 0.5, 0.9])
    assert scores.n == len(scores) == 4
    wanted = [-1.0, 0.1, 0.5, np.nextafter(0.5, 1), 0.9, 1.0, -np.inf, np.inf]
    assert scores.count_at_least(wanted).tolist() == [4, 4, 3, 1, 1, 0, 4, 0]


def test_an_empty_list_of_scores_is_accepted() -> None:
    scores = as_scores([])
    assert scores.n == 0
    assert scores.count_at_least(0.5) == 0
    assert scores.least_threshold(0) == -np.inf


def test_tied_scores_share_a_row_and_count_each() -> None:
    scores = as_scores([0.3] * 3 + [0.7])
    assert scores.values.tolist() == [0.3, 0.7]
    assert scores.at_least.tolist() == [4, 1, 0]


def test_the_least_threshold_is_one_step_above_the_score_that_must_fail() -> None:
    scores = as_scores([0.1, 0.5, 0.5, 0.9])
    assert scores.least_threshold(0) == np.nextafter(0.9, 1)
    assert scores.least_threshold(1) == scores.least_threshold(2) == np.nextafter(0.5, 1)
    assert scores.least_threshold(4) == -np.inf
    with pytest.raises(ValueError, match="not negative"):
        scores.least_threshold(-1)


def test_a_threshold_of_float32_scores_survives_a_comparison_in_float32() -> None:
    values = np.array([0.1, 0.3, 0.7], np.float32)
    threshold = as_scores(values).least_threshold(0)
    assert np.float32(threshold) == threshold
    assert not np.any(values >= np.float32(threshold))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_a_score_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="failure to acquire"):
        as_scores([0.1, bad])
    with pytest.raises(ValueError, match="shape"):
        as_scores([[0.1]])


def test_a_threshold_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        as_scores([0.1]).count_at_least(np.nan)


def test_a_comparison_without_a_score_is_accepted_by_no_threshold_but_one() -> None:
    scores = as_scores([-np.inf, 0.5])
    assert scores.count_at_least([-1e300, -np.inf]).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("values", "at_least"),
    [([0.2, 0.1], [2, 1, 0]), ([0.1, 0.1], [2, 1, 0]), ([0.1], [1, 1]), ([0.1], [1])],
)
def test_unsorted_scores_are_refused(values: list[float], at_least: list[int]) -> None:
    with pytest.raises(ValueError, match=r"expected|strictly"):
        Scores(np.array(values), np.array(at_least))


@given(values=COSINES, thresholds=st.lists(st.floats(-1.5, 1.5), min_size=1))
def test_counts_agree_with_direct_comparisons(values: list[float], thresholds: list[float]) -> None:
    array = np.array(values, np.float32)
    counted = as_scores(array).count_at_least(thresholds)
    plain = [int(np.sum(array.astype(np.float64) >= t)) for t in thresholds]
    assert counted.tolist() == plain


@given(values=COSINES.filter(len), count=st.integers(0, 60))
def test_the_least_threshold_is_the_smallest_possible_float(
    values: list[float], count: int
) -> None:
    array = np.array(values, np.float32)
    threshold = as_scores(array).least_threshold(count)
    assert np.sum(array >= threshold) <= count
    if np.isfinite(threshold):
        assert np.sum(array >= np.nextafter(np.float32(threshold), np.float32(-2))) > count


def test_a_tally_whose_tail_holds_all_is_the_sorted_scores() -> None:
    values = np.array([0.25, -0.5, 0.25, 0.9], np.float32)
    tally = ImpostorTally()
    tally.add(values)
    assert tally.scores().values.tolist() == as_scores(values).values.tolist()
    assert tally.scores().at_least.tolist() == [4, 3, 1, 0]


def test_a_tally_without_scores_is_empty() -> None:
    tally = ImpostorTally()
    tally.add([])
    assert tally.n == tally.scores().n == 0


def test_outside_the_tail_a_score_is_rounded_up_to_the_edge_of_its_bin() -> None:
    tally = ImpostorTally(bin_bits=1, n_tail=1)
    tally.add(np.array([-0.9, 0.1, 0.5, 0.8], np.float32))
    assert tally.scores().values.tolist() == pytest.approx([-0.5, 0.5, 0.8])
    assert tally.scores().at_least.tolist() == [4, 3, 1, 0]


def test_scores_outside_the_range_are_counted_and_never_rounded_down() -> None:
    tally = ImpostorTally(bin_bits=1, n_tail=1)
    tally.add(np.array([-7, 3, 4, 5], np.float32))
    assert tally.scores().values.tolist() == [-1.0, 5.0]
    assert tally.scores().at_least.tolist() == [4, 3, 0]


@given(
    blocks=st.lists(COSINES, max_size=4),
    n_tail=st.integers(1, 30),
    allowed=st.integers(0, 100),
)
def test_a_tally_is_exact_in_the_tail_and_at_most_a_bin_too_strict_below(
    blocks: list[list[float]], n_tail: int, allowed: int
) -> None:
    tally = ImpostorTally(bin_bits=4, n_tail=n_tail)
    for block in blocks:
        tally.add(np.array(block, np.float32))
    everything = as_scores(np.array([s for block in blocks for s in block], np.float32))
    exact, rough = everything.least_threshold(allowed), tally.scores().least_threshold(allowed)
    assert tally.scores().n == everything.n
    if allowed < n_tail:
        assert rough == exact
    elif np.isfinite(exact):
        # both lie one step above the score that must be refused; the scores are a bin apart
        refused, binned = (np.nextafter(np.float32(s), np.float32(-2)) for s in (exact, rough))
        assert refused <= binned <= refused.astype(np.float64) + WIDTH
        assert everything.count_at_least(rough) <= allowed


@given(blocks=st.lists(COSINES, min_size=1, max_size=4), n_tail=st.integers(1, 9))
def test_tallies_of_several_processes_merge_into_the_tally_of_one(
    blocks: list[list[float]], n_tail: int
) -> None:
    one = ImpostorTally(bin_bits=4, n_tail=n_tail)
    merged = ImpostorTally(bin_bits=4, n_tail=n_tail)
    for block in blocks:
        part = ImpostorTally(bin_bits=4, n_tail=n_tail)
        for tally in (one, part):
            tally.add(np.array(block, np.float32))
        merged.merge(part)
    assert merged.scores().values.tolist() == one.scores().values.tolist()
    assert merged.scores().at_least.tolist() == one.scores().at_least.tolist()


def test_two_million_scores_keep_the_threshold_of_one_in_a_million_exact() -> None:
    values = np.random.default_rng(1).normal(0, 0.15, 2_200_000).astype(np.float32)
    tally = ImpostorTally(n_tail=100)
    for block in np.split(values, 11):
        tally.add(block)
    kept = tally.scores()
    for fmr in (3e-6, 1e-5):
        exact = threshold_at_fmr(values, fmr)
        assert threshold_at_fmr(kept, fmr) == exact
    assert abs(threshold_at_fmr(kept, 1e-2) - threshold_at_fmr(values, 1e-2)) <= 2.0**-16


@pytest.mark.parametrize(
    "odd",
    [{"low": 1.0}, {"low": 0.3}, {"n_tail": 0}, {"bin_bits": 30}, {"dtype": np.int32}],
)
def test_a_tally_that_cannot_count_exactly_is_refused(odd: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"expected|too fine"):
        ImpostorTally(**odd)  # type: ignore[arg-type]


def test_a_tally_takes_one_number_type_and_one_kind_of_tally() -> None:
    with pytest.raises(ValueError, match="made for float32"):
        ImpostorTally().add(np.array([0.1]))
    with pytest.raises(ValueError, match="other bins"):
        ImpostorTally().merge(ImpostorTally(n_tail=3))
