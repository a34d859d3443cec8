"""What a number of trials says about an error rate: intervals and supported rates.

Two rules are used, both for independent trials.

Rule of 3: no error in n trials bounds the rate by 3/n at 95 % confidence. So n trials
support no rate below 3/n, and a lower one is refused.

Rule of 30 (Doddington, in ISO/IEC 19795-1): with 30 errors the true rate is within
30 % of the observed one at 90 % confidence. A rate between 3/n and 30/n is an order of
magnitude, not a measurement.

Pairs that share people are not independent: for those, see `mien.metrics.bootstrap`.
"""

from __future__ import annotations

import math

from mien.errors import NotEnoughEvidence
from mien.metrics.beta import beta_quantile
from mien.records import dataclass

RULE_OF_3 = 3
RULE_OF_30 = 30


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a rate lies, 0..1, at this level of confidence. basis: how that was found."""

    low: float
    high: float
    level: float
    basis: str


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Errors counted over trials, with the interval that they support."""

    errors: int
    trials: int
    interval: Interval

    @property
    def value(self) -> float:
        """The observed rate, 0..1."""
        return self.errors / self.trials

    def __str__(self) -> str:
        span = self.interval
        low, high = format_percent(span.low), format_percent(span.high)
        return (
            f"{format_percent(self.value)} ({low} to {high} at {format_percent(span.level)}, "
            f"{span.basis}; {self.errors:,} of {self.trials:,})"
        )


def rule_of_3(n_trials: int, *, level: float = 0.95) -> float:
    """Upper bound of the rate after no error in n independent trials; 1 for no trial.

    3/n at 95 %; at another level -ln(1 - level)/n, of which the 3 is the rounded case.
    """
    _expect_level(level)
    errors = RULE_OF_3 if level == 0.95 else -math.log1p(-level)
    return min(1.0, errors / n_trials) if n_trials > 0 else 1.0


def lowest_supported_fmr(n_impostor: int) -> float:
    """The lowest false match rate of which n independent impostor trials say anything: 3/n."""
    return rule_of_3(n_impostor)


def well_measured_fmr(n_impostor: int) -> float:
    """The lowest rate that n trials measure within 30 %, 90 % sure: 30/n."""
    return min(1.0, RULE_OF_30 / n_impostor) if n_impostor > 0 else 1.0


def trials_needed(fmr: float) -> int:
    """Independent trials without error that bound the rate by `fmr`: 3/fmr, rounded up."""
    if not 0.0 < fmr <= 1.0:
        raise ValueError(f"a rate that trials can bound is above 0 and at most 1, got {fmr}")
    if fmr == 1.0:
        return 1  # no rate is above 1
    n = max(1, math.floor(RULE_OF_3 / fmr) - 1)
    while RULE_OF_3 / n > fmr:
        n += 1
    return n


def check_fmr_supported(n_impostor: int, fmr: float) -> None:
    """Raise NotEnoughEvidence when `n_impostor` trials say nothing about a rate this low."""
    if not 0.0 <= fmr <= 1.0:
        raise ValueError(f"a false match rate is between 0 and 1, got {fmr}")
    if n_impostor < 1:
        raise NotEnoughEvidence("no impostor pair was compared; add photos of other people")
    if fmr == 0.0:
        raise NotEnoughEvidence("no number of trials supports FMR 0; ask for a rate above 0")
    lowest = lowest_supported_fmr(n_impostor)
    if fmr < lowest:
        raise NotEnoughEvidence(
            f"{n_impostor:,} impostor pairs say nothing below FMR {format_rate(lowest)}; "
            f"zero errors need {trials_needed(fmr):,} independent trials for {format_rate(fmr)}; "
            "compare more people or ask for a higher FMR"
        )


def independent_rate(errors: int, trials: int, *, level: float = 0.95) -> ErrorRate:
    """Errors over independent trials: Clopper-Pearson, and the rule of 3 where none was seen.

    Raises NotEnoughEvidence for no trial.
    """
    if trials < 1:
        raise NotEnoughEvidence("there was no trial, so there is no rate")
    if errors == 0:
        bound = rule_of_3(trials, level=level)
        return ErrorRate(0, trials, Interval(0.0, bound, level, "rule of 3"))
    return ErrorRate(errors, trials, clopper_pearson(errors, trials, level=level))


def clopper_pearson(errors: int, trials: int, *, level: float = 0.95) -> Interval:
    """Exact two-sided interval of a rate from independent trials (Clopper and Pearson, 1934)."""
    _expect_level(level)
    if not 0 <= errors <= trials or trials < 1:
        raise ValueError(f"expected 0 <= errors <= trials and a trial, got {errors} of {trials}")
    tail = (1.0 - level) / 2.0
    right = trials - errors
    low = 0.0 if errors == 0 else beta_quantile(tail, errors, right + 1)
    high = 1.0 if right == 0 else beta_quantile(1.0 - tail, errors + 1, right)
    return Interval(low, high, level, "Clopper-Pearson")


def format_rate(rate: float) -> str:
    """A rate as a person writes it: 1e-4, 3.3e-5, 0.25."""
    if rate >= 0.01 or rate == 0.0:
        return f"{rate:.2g}"
    mantissa, exponent = f"{rate:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def format_percent(rate: float) -> str:
    """A rate in percent with two digits that count: 1.9 %, 0.00031 %, 99.6 %."""
    near_end = min(rate, 1.0 - rate)  # 99.96 % must not be rounded to 100 %
    if near_end <= 0.0:
        return f"{rate * 100:.0f} %"
    digits = max(0, 1 - math.floor(math.log10(near_end * 100)))
    text = f"{rate * 100:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def _expect_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError(f"a level of confidence is between 0 and 1, got {level}")
