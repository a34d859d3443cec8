"""The reading of a score: as rare as the data shows, and never rarer than it supports."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import NotEnoughEvidence
from mien.metrics import StrangerOdds, stranger_odds
from mien.metrics.scores import DoubleArray

SOME = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60)


def odds(values: npt.ArrayLike) -> StrangerOdds:
    """The table of pairs of which no two share a person."""
    return stranger_odds(values, n_independent=np.size(values))


def evenly(n: int) -> DoubleArray:
    """n scores from 0 up to below 1: the score s is reached by a share of 1 - s."""
    return np.arange(n) / n


def test_a_table_row_counts_the_pairs_that_reach_the_similarity() -> None:
    table = odds([0.1, 0.5, 0.5, 0.9])
    assert table.similarity.tolist() == [0.1, 0.5, 0.9]
    assert table.counts.tolist() == [4, 3, 1]
    assert table.fmr.tolist() == [1.0, 0.75, 0.25]
    assert (table.n_impostor, table.n_independent) == (4, 4)


@pytest.mark.parametrize(("similarity", "one_in"), [(0.5, 2), (0.9, 10), (0.99, 100)])
def test_the_odds_of_a_score_are_once_in_n(similarity: float, one_in: float) -> None:
    reading = odds(evenly(100_000)).read(similarity)
    assert reading.one_in == pytest.approx(one_in, rel=0.01)
    assert not reading.is_bound


def test_no_odds_claim_more_than_three_in_n() -> None:
    table = odds(evenly(3000))
    assert table.read(0.9996).one_in == table.read(2999 / 3000).one_in == 1000
    assert not table.read(2999 / 3000).is_bound


def test_above_the_highest_score_there_is_only_a_bound() -> None:
    reading = odds(evenly(3000)).read(1.0)
    assert reading.is_bound
    assert reading.one_in == 1000
    assert str(reading) == "a stranger would score this high less than once in 1,000"


def test_above_a_tied_highest_score_there_is_only_a_bound() -> None:
    table = odds([0.1] * 90 + [0.6] * 10)
    assert table.read(0.6).one_in == pytest.approx(10)
    assert table.read(0.61) == replace(table.read(1.0), similarity=0.61)
    assert table.read(0.61).one_in == pytest.approx(100 / 3)


def test_correlated_pairs_may_count_as_fewer_trials() -> None:
    table = stranger_odds(evenly(100_000), n_independent=300)
    assert table.read(1.0).one_in == table.read(0.999).one_in == 100


def test_the_bound_covers_the_truth_in_95_percent_of_draws() -> None:
    rng = np.random.default_rng(9)
    tries = 2000
    broken = 0
    for _ in range(tries):
        highest = odds(rng.random(50)).similarity[-1]
        broken += 1 - highest > 3 / 50  # the true share above the highest score
    assert broken / tries == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(
    ("similarity", "words"),
    [
        (-1.0, "most strangers would score this high"),
        (0.2, "most strangers would score this high"),
        (0.9, "a stranger would score this high about once in 10"),
        (0.9999, "a stranger would score this high about once in 10,000"),
    ],
)
def test_odds_are_described_in_a_sentence(similarity: float, words: str) -> None:
    assert str(odds(evenly(1_000_000)).read(similarity)) == words


@pytest.mark.parametrize(
    ("similarity", "among", "one_in", "words"),
    [
        (0.9999, 1, 10_000, "a stranger would score this high about once in 10,000"),
        (0.9999, 500, 20, "a stranger would score this high with one of 500 enrolled about once"),
        (0.9, 1000, 1, "most strangers would score this high with one of 1,000 enrolled"),
        (1.5, 1000, 1000 / 3, "this high with one of 1,000 enrolled less than once in 330"),
        (1.5, 10**6, 1, "too few strangers were compared to say how rarely one scores this high"),
    ],
)
def test_odds_grow_with_the_number_of_comparisons(
    similarity: float, among: int, one_in: float, words: str
) -> None:
    reading = odds(evenly(1_000_000)).read(similarity, among=among)
    assert reading.one_in == pytest.approx(one_in, rel=1e-3)
    assert words in str(reading)


def test_numbers_in_words_are_rounded_towards_the_common() -> None:
    assert "about once in 120," not in str(odds(evenly(1000)).read(0.5))
    reading = odds(evenly(3000)).read(1.0)
    assert str(replace(reading, one_in=12_999.0)).endswith("once in 12,000")
    assert str(replace(reading, one_in=99.9)).endswith("once in 99")


def test_too_few_strangers_give_no_odds() -> None:
    assert "too few strangers" in str(odds([0.1, 0.2]).read(0.9))
    with pytest.raises(NotEnoughEvidence, match="no impostor"):
        odds([])
    with pytest.raises(NotEnoughEvidence, match="-inf"):
        odds([-np.inf, 0.1])


def test_a_score_that_is_not_a_number_has_no_odds() -> None:
    with pytest.raises(ValueError, match="NaN"):
        odds([0.1]).read(float("nan"))


@given(values=SOME, a=st.floats(-2, 2), b=st.floats(-2, 2))
def test_a_higher_score_never_has_a_higher_rate(values: list[float], a: float, b: float) -> None:
    table = odds(values)
    assert table.fmr_at(max(a, b)) <= table.fmr_at(min(a, b))


@given(values=SOME)
def test_a_row_of_the_table_gives_its_own_odds_where_the_data_supports_it(
    values: list[float],
) -> None:
    table = odds(values)
    for similarity, fmr in zip(table.similarity, table.fmr, strict=True):
        assert table.fmr_at(similarity) == pytest.approx(max(fmr, table.supported_fmr))
        assert np.mean(np.array(values) >= similarity) == fmr


def test_a_table_of_a_million_scores_has_a_hundred_rows_and_stays_close() -> None:
    values = np.random.default_rng(2).normal(0, 0.15, 1_000_000)
    table = odds(values)
    assert len(table.similarity) < 130
    at = np.linspace(-0.2, 0.65, 40)
    exact = [np.mean(values >= s) for s in at]
    np.testing.assert_allclose([table.fmr_at(s) for s in at], exact, rtol=0.15)


@given(values=SOME)
def test_a_table_is_read_from_json_unchanged(values: list[float]) -> None:
    table = odds(values)
    again = StrangerOdds.from_json(json.loads(json.dumps(table.to_json())))
    assert again.to_json() == table.to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"similarity": [0.5, 0.1]},
        {"similarity": [0.1, float("nan")]},
        {"similarity": [0.1]},
        {"fmr": [1.0, 0.25]},
        {"fmr": [0.5, 1.0]},
        {"count": [2.0, 1.5]},
        {"count": [2, 0]},
        {"count": [3, 1]},
        {"n_independent": 0},
        {"n_independent": 3},
        {"n_impostor": None},
    ],
)
def test_a_table_that_was_tampered_with_is_refused(change: dict[str, Any]) -> None:
    good = odds([0.1, 0.5]).to_json()
    assert StrangerOdds.from_json(good).counts.tolist() == [2, 1]
    with pytest.raises(ValueError, match=r"must|columns|not a table"):
        StrangerOdds.from_json({**good, **change})
    with pytest.raises(ValueError, match="not a table"):
        StrangerOdds.from_json({})
