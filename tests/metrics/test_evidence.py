"""What a number of trials can say, held against the textbook and against SciPy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mien.errors import NotEnoughEvidence, Outcome, UsageError
from mien.metrics import (
    check_fmr_supported,
    clopper_pearson,
    independent_rate,
    lowest_supported_fmr,
    rule_of_3,
    trials_needed,
    well_measured_fmr,
)
from mien.metrics.evidence import format_percent, format_rate


@pytest.mark.parametrize(
    ("n", "lowest", "measured"), [(0, 1, 1), (2, 1, 1), (3000, 1e-3, 1e-2), (30_000, 1e-4, 1e-3)]
)
def test_n_trials_bound_a_rate_by_three_and_measure_it_by_thirty(
    n: int, lowest: float, measured: float
) -> None:
    assert rule_of_3(n) == lowest_supported_fmr(n) == lowest
    assert well_measured_fmr(n) == measured


@pytest.mark.parametrize(
    ("fmr", "n"), [(1.0, 1), (0.5, 6), (1e-3, 3000), (1e-4, 30_000), (1 / 50_000, 150_000)]
)
def test_zero_errors_need_three_times_as_many_trials_as_the_rate_says(fmr: float, n: int) -> None:
    assert trials_needed(fmr) == n


@given(fmr=st.floats(1e-12, 1))
def test_the_trials_needed_support_the_rate_and_one_less_does_not(fmr: float) -> None:
    n = trials_needed(fmr)
    check_fmr_supported(n, fmr)
    if n > 1:
        with pytest.raises(NotEnoughEvidence):
            check_fmr_supported(n - 1, fmr)


def test_the_refusal_says_what_the_data_supports_and_what_would_be_needed() -> None:
    with pytest.raises(NotEnoughEvidence) as caught:
        check_fmr_supported(3000, 1e-4)
    assert str(caught.value) == (
        "3,000 impostor pairs say nothing below FMR 1e-3; zero errors need 30,000 independent "
        "trials for 1e-4; compare more people or ask for a higher FMR"
    )
    with pytest.raises(NotEnoughEvidence, match=r"need 150,000 independent trials for 2e-5"):
        check_fmr_supported(100_000, 1 / 50_000)


def test_nothing_supports_a_rate_of_zero_or_a_rate_without_trials() -> None:
    with pytest.raises(NotEnoughEvidence, match="no number of trials"):
        check_fmr_supported(10**9, 0.0)
    with pytest.raises(NotEnoughEvidence, match="no impostor pair"):
        check_fmr_supported(0, 0.1)
    for rate in (0.0, -1.0, 1.5):
        with pytest.raises(ValueError, match="above 0"):
            trials_needed(rate)


def test_too_little_evidence_is_a_usage_error_of_one_line() -> None:
    assert issubclass(NotEnoughEvidence, UsageError)
    assert NotEnoughEvidence.outcome is Outcome.USAGE


def test_clopper_pearson_agrees_with_the_closed_form_where_there_is_one() -> None:
    none, every = clopper_pearson(0, 20), clopper_pearson(20, 20)
    assert none.low == 0.0
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 20))
    assert every.high == 1.0
    assert every.low == pytest.approx(0.025 ** (1 / 20))


@pytest.mark.parametrize(
    ("errors", "trials"),
    [(1, 10), (5, 10), (9, 10), (1, 3000), (72, 7_260_000), (120, 6300), (6299, 6300)],
)
@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_clopper_pearson_agrees_with_scipy(errors: int, trials: int, level: float) -> None:
    tail = (1 - level) / 2
    found = clopper_pearson(errors, trials, level=level)
    assert found.low == pytest.approx(stats.beta.ppf(tail, errors, trials - errors + 1), rel=1e-6)
    assert found.high == pytest.approx(
        stats.beta.ppf(1 - tail, errors + 1, trials - errors), rel=1e-6
    )


@given(trials=st.integers(1, 10**7), data=st.data())
def test_the_interval_holds_the_rate_and_mirrors(trials: int, data: st.DataObject) -> None:
    errors = data.draw(st.integers(0, trials))
    found, mirrored = clopper_pearson(errors, trials), clopper_pearson(trials - errors, trials)
    assert found.low <= errors / trials <= found.high
    assert found.low == pytest.approx(1 - mirrored.high, abs=1e-9)


@pytest.mark.parametrize("arguments", [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(arguments: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="errors <= trials"):
        clopper_pearson(*arguments)
    with pytest.raises(ValueError, match="level"):
        clopper_pearson(1, 5, level=1.0)


def test_no_error_is_bounded_by_the_rule_of_3() -> None:
    rate = independent_rate(0, 3000)
    assert (rate.value, rate.interval.high) == (0.0, 1e-3)
    assert str(rate) == "0 % (0 % to 0.1 % at 95 %, rule of 3; 0 of 3,000)"
    assert rule_of_3(1000, level=0.99) == pytest.approx(4.605e-3, rel=1e-3)


def test_a_rate_is_described_with_its_interval_and_counts() -> None:
    assert str(independent_rate(120, 6300)) == (
        "1.9 % (1.6 % to 2.3 % at 95 %, Clopper-Pearson; 120 of 6,300)"
    )
    with pytest.raises(NotEnoughEvidence, match="no trial"):
        independent_rate(0, 0)


@pytest.mark.parametrize(
    ("rate", "short", "long"),
    [
        (0.0, "0", "0 %"),
        (1.0, "1", "100 %"),
        (0.25, "0.25", "25 %"),
        (0.9996, "1", "99.96 %"),
        (1e-3, "1e-3", "0.1 %"),
        (3.3e-5, "3.3e-5", "0.0033 %"),
    ],
)
def test_a_rate_has_a_short_form_and_a_percentage(rate: float, short: str, long: str) -> None:
    assert format_rate(rate) == short
    assert format_percent(rate) == long
