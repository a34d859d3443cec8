"""Intervals over people: the sums by hand, and the coverage on simulated people."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mien.errors import NotEnoughEvidence
from mien.metrics import (
    CrossCounts,
    GenuineTrials,
    ImpostorTrials,
    PairCounts,
    PersonCounts,
    bootstrap_at_fmr,
    clopper_pearson,
    draw_people,
    fnmr_at_fmr,
    threshold_at_fmr,
)
from mien.metrics.bootstrap import Counts, percentiles, widen_interval
from mien.metrics.evidence import ErrorRate
from mien.metrics.resample import _thresholds
from mien.metrics.scores import CountArray

RNG = np.random.default_rng


def all_pairs(n: int) -> tuple[CountArray, CountArray]:
    a, b = np.triu_indices(n, 1)
    return a.astype(np.int64), b.astype(np.int64)


def error_rate(
    errors: Counts, trials: Counts, rng: np.random.Generator, *, n_rounds: int = 1000
) -> ErrorRate:
    """The rate with its interval over people, from the parts that `bootstrap_at_fmr` uses."""
    draws = draw_people(trials.n_persons, n_rounds, rng)
    made = trials.weigh(draws)
    some = made > 0  # a round may draw nobody who has a comparison
    rates = errors.weigh(draws)[some] / made[some]
    return widen_interval(rates, errors.total, trials, level=0.95)


def test_a_genuine_comparison_counts_as_often_as_its_person_was_drawn() -> None:
    counts = PersonCounts.of([0, 0, 2], 3)
    assert (counts.total, counts.units) == (3, 2)
    assert counts.weigh(np.array([[1.0, 1, 1], [3, 0, 0], [0, 2, 1]])).tolist() == [3, 6, 1]


def test_an_impostor_comparison_counts_as_the_product_of_its_people() -> None:
    counts = PairCounts.of([0, 1, 2], [1, 0, 1], 3)
    assert (counts.total, counts.units) == (3, 2)
    assert counts.weigh(np.array([[1.0, 1, 1], [2, 1, 0], [0, 1, 2]])).tolist() == [3, 4, 2]


def test_sums_of_blocks_can_be_summed_again() -> None:
    once = PairCounts.of([0, 1, 2, 0], [1, 0, 1, 1], 3)
    again = PairCounts.of([0, 2, 1], [1, 1, 2], 3, counts=[3, 1, 0])
    assert again.lower.tolist() == once.lower.tolist() == [0, 1]
    assert again.higher.tolist() == once.higher.tolist() == [1, 2]
    assert again.counts.tolist() == once.counts.tolist() == [3, 1]


@given(images=hnp.arrays(np.int64, st.integers(2, 12), elements=st.integers(0, 4)))
def test_all_cross_pairs_need_no_list_of_pairs(images: CountArray) -> None:
    short = CrossCounts(images)
    a, b = all_pairs(len(images))
    listed = PairCounts.of(a, b, len(images), counts=images[a] * images[b])
    assert (short.total, short.units) == (listed.total, listed.units)
    draws = draw_people(len(images), 5, RNG(0))
    np.testing.assert_allclose(short.weigh(draws), listed.weigh(draws))


def test_more_people_than_one_block_holds_are_weighed_alike() -> None:
    rng, n = RNG(1), 1300
    a = rng.integers(0, n, 5000)
    b = (a + rng.integers(1, n, 5000)) % n
    draws = draw_people(n, 4, rng)
    plain = (draws[:, a] * draws[:, b]).sum(axis=1)
    assert PairCounts.of(a, b, n).weigh(draws).tolist() == plain.tolist()


def test_each_round_draws_as_many_people_as_there_are() -> None:
    draws = draw_people(7, 50, RNG(2))
    assert draws.shape == (50, 7)
    assert np.all(draws.sum(axis=1) == 7)
    assert draws.tolist() == draw_people(7, 50, RNG(2)).tolist()


def test_a_bootstrap_needs_two_people() -> None:
    with pytest.raises(NotEnoughEvidence, match="two people"):
        draw_people(1, 10, RNG(0))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([0], [0], "two different"),
        ([0], [1, 2], "two different"),
        ([0], [3], "below 3"),
        ([-1], [0], "below 3"),
        ([0.5], [1], "whole numbers"),
    ],
)
def test_an_impostor_pair_has_two_known_people(a: list[float], b: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PairCounts.of(a, b, 3)


def test_no_error_is_bounded_by_the_rule_of_3_over_people() -> None:
    trials = PersonCounts(np.full(100, 30))
    rate = error_rate(PersonCounts(np.zeros(100, np.int64)), trials, RNG(0), n_rounds=50)
    assert (rate.value, rate.interval.low, rate.interval.high) == (0.0, 0.0, 0.03)
    assert rate.interval.basis == "rule of 3 over people"


def test_one_error_never_gives_a_lower_bound_than_none() -> None:
    trials = CrossCounts(np.full(30, 5))
    empty = np.zeros(0, np.int64)
    none = error_rate(PairCounts.of(empty, empty, 30), trials, RNG(0), n_rounds=100)
    one = error_rate(PairCounts.of([0], [1], 30), trials, RNG(0), n_rounds=100)
    assert none.interval.high == 3 / (30 * 29 / 2)
    assert one.interval.high >= none.interval.high


def test_errors_of_one_person_say_less_than_the_same_errors_of_many() -> None:
    trials = PersonCounts(np.full(50, 20))
    spread = PersonCounts(np.full(50, 2))
    heaped = PersonCounts(np.array([20] * 5 + [0] * 45))
    even = error_rate(spread, trials, RNG(3))
    wide = error_rate(heaped, trials, RNG(3))
    assert even.value == wide.value == 0.1
    independent = clopper_pearson(100, 1000)
    assert (even.interval.low, even.interval.high) == (independent.low, independent.high)
    assert wide.interval.high - wide.interval.low > 3 * (independent.high - independent.low)


def test_rounds_that_drew_no_comparison_are_refused() -> None:
    with pytest.raises(NotEnoughEvidence, match="no round drew"):
        percentiles(np.zeros(0), level=0.95)


def test_the_interval_of_genuine_pairs_covers_the_truth_where_independence_does_not() -> None:
    rng, n_people, n_pairs = RNG(10), 60, 20
    truth, covered, naive = 0.1, 0, 0
    for _ in range(200):
        chance = rng.beta(0.2, 1.8, n_people)  # a few people fail often: mean 0.1
        errors = PersonCounts(rng.binomial(n_pairs, chance))
        trials = PersonCounts(np.full(n_people, n_pairs))
        span = error_rate(errors, trials, rng, n_rounds=300).interval
        covered += span.low <= truth <= span.high
        plain = clopper_pearson(errors.total, trials.total)
        naive += plain.low <= truth <= plain.high
    assert 0.88 <= covered / 200 <= 1.0
    assert naive / 200 < 0.7


def test_the_interval_of_impostor_pairs_covers_the_truth_where_independence_does_not() -> None:
    rng, n_people = RNG(11), 60
    a, b = all_pairs(n_people)
    trials = CrossCounts(np.ones(n_people, np.int64))
    covered, naive = 0, 0
    truth = 0.3**2  # the mean of a product of independent effects
    for _ in range(200):
        effect = rng.beta(0.6, 1.4, n_people)  # "lambs" and "wolves": mean 0.3
        hit = rng.random(len(a)) < effect[a] * effect[b]
        errors = PairCounts.of(a[hit], b[hit], n_people)
        span = error_rate(errors, trials, rng, n_rounds=200).interval
        covered += span.low <= truth <= span.high
        plain = clopper_pearson(errors.total, trials.total)
        naive += plain.low <= truth <= plain.high
    assert 0.88 <= covered / 200 <= 1.0
    assert naive / 200 < 0.7


def people(seed: int, n_people: int = 80) -> tuple[GenuineTrials, ImpostorTrials]:
    """All pairs of people once, and ten genuine comparisons of each person."""
    rng = RNG(seed)
    a, b = all_pairs(n_people)
    far = rng.normal(0, 0.15, len(a)).astype(np.float32)
    person = np.repeat(np.arange(n_people), 10)
    near = rng.normal(0.45, 0.1, n_people)[person] + rng.normal(0, 0.05, len(person))
    trials = PairCounts.of(a, b, n_people)
    return GenuineTrials(near.astype(np.float32), person), ImpostorTrials(far, a, b, trials)


def test_the_point_at_an_fmr_is_that_of_the_plain_functions() -> None:
    genuine, impostor = people(20)
    found = bootstrap_at_fmr(genuine, impostor, 0.01, rng=RNG(0), n_rounds=200)
    assert found.threshold == threshold_at_fmr(impostor.scores, 0.01)
    assert found.fnmr.value == fnmr_at_fmr(genuine.scores, impostor.scores, 0.01)
    assert found.threshold_interval.low <= found.threshold <= found.threshold_interval.high
    assert found.fnmr.interval.low < found.fnmr.value < found.fnmr.interval.high


def test_the_highest_impostor_scores_are_enough() -> None:
    genuine, impostor = people(21)
    top = np.argsort(impostor.scores)[-300:]
    short = ImpostorTrials(
        impostor.scores[top], impostor.person_a[top], impostor.person_b[top], impostor.trials
    )
    whole = bootstrap_at_fmr(genuine, impostor, 0.01, rng=RNG(0), n_rounds=100)
    assert bootstrap_at_fmr(genuine, short, 0.01, rng=RNG(0), n_rounds=100) == whole


def test_too_few_of_the_highest_scores_are_refused() -> None:
    genuine, impostor = people(22)
    top = np.argsort(impostor.scores)[-5:]
    short = ImpostorTrials(
        impostor.scores[top], impostor.person_a[top], impostor.person_b[top], impostor.trials
    )
    with pytest.raises(NotEnoughEvidence, match="5 highest impostor scores are too few"):
        bootstrap_at_fmr(genuine, short, 0.01, rng=RNG(0), n_rounds=20)
    with pytest.raises(NotEnoughEvidence, match="say nothing below"):
        bootstrap_at_fmr(genuine, impostor, 1e-5, rng=RNG(0), n_rounds=20)


def test_a_rounds_threshold_is_that_of_its_people_written_out() -> None:
    _, impostor = people(23, n_people=12)
    draws = draw_people(12, 30, RNG(1))
    found = _thresholds(impostor, 0.2, draws)
    for draw, threshold in zip(draws, found, strict=True):
        times = (draw[impostor.person_a] * draw[impostor.person_b]).astype(int)
        written_out = np.repeat(impostor.scores, times)
        assert threshold == threshold_at_fmr(written_out, 0.2, require_evidence=False)


def test_the_interval_of_fnmr_at_fmr_covers_the_truth() -> None:
    big_genuine, big_impostor = people(30, n_people=3000)
    truth = fnmr_at_fmr(big_genuine.scores, big_impostor.scores, 0.02)
    covered = 0
    for seed in range(100, 200):
        genuine, impostor = people(seed, n_people=50)
        span = bootstrap_at_fmr(genuine, impostor, 0.02, rng=RNG(seed), n_rounds=200).fnmr.interval
        covered += span.low <= truth <= span.high
    assert covered >= 88


def test_trials_whose_columns_differ_are_refused() -> None:
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="people"):
        GenuineTrials(np.zeros(1), two)
    with pytest.raises(ValueError, match="one shape"):
        ImpostorTrials(np.zeros(1), one, two, CrossCounts(np.ones(3, np.int64)))
    with pytest.raises(ValueError, match="4 scores of 3"):
        ImpostorTrials(
            np.zeros(4),
            np.zeros(4, np.int64),
            np.ones(4, np.int64),
            CrossCounts(np.ones(3, np.int64)),
        )
