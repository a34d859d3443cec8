"""FNMR at a target FMR with its interval over people; each round finds its own threshold."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mien.errors import NotEnoughEvidence
from mien.metrics.bootstrap import Counts, PersonCounts, draw_people, percentiles, widen_interval
from mien.metrics.evidence import ErrorRate, Interval, check_fmr_supported
from mien.metrics.rates import errors_allowed
from mien.metrics.scores import AnyFloats, CountArray, DoubleArray, score_array

CELLS = 1 << 22  # (rounds, comparisons) weighed at once: 32 MB a matrix
SPARE = 4  # a round may need more of the highest impostor scores than the data did


@dataclass(frozen=True, slots=True, eq=False)
class GenuineTrials:
    """Genuine comparisons: scores (n,), and the person (n,) of each."""

    scores: AnyFloats = field(repr=False)
    person: CountArray = field(repr=False)

    def __post_init__(self) -> None:
        score_array(self.scores)
        if self.scores.shape != self.person.shape:
            raise ValueError(f"{self.scores.shape} scores and {self.person.shape} people")


@dataclass(frozen=True, slots=True, eq=False)
class ImpostorTrials:
    """Impostor comparisons: all of them, or the highest ones and the counts of all.

    scores, person_a, person_b: (k,) float and whole numbers; every comparison that scored
    above the lowest one here must be here. trials: all comparisons, counted.
    """

    scores: AnyFloats = field(repr=False)
    person_a: CountArray = field(repr=False)
    person_b: CountArray = field(repr=False)
    trials: Counts = field(repr=False)

    def __post_init__(self) -> None:
        score_array(self.scores)
        if not self.scores.shape == self.person_a.shape == self.person_b.shape:
            raise ValueError("scores, person_a and person_b must have one shape (k,)")
        if len(self.scores) > self.trials.total:
            raise ValueError(f"{len(self.scores)} scores of {self.trials.total} comparisons")


@dataclass(frozen=True, slots=True)
class PointAtFmr:
    """The threshold for a target FMR and the FNMR there, each with its interval."""

    fmr: float
    threshold: float
    threshold_interval: Interval
    fnmr: ErrorRate


@dataclass(frozen=True, slots=True)
class FnmrChange:
    """FNMR at one FMR, each at its own threshold, of two ways to compare the same photos.

    rise: after - before, with the interval of the paired bootstrap. share_worse: of the
    rounds, in which the FNMR rose.
    """

    before: float
    after: float
    interval: Interval
    share_worse: float

    @property
    def rise(self) -> float:
        return self.after - self.before


def paired_fnmr_change(
    before: tuple[GenuineTrials, ImpostorTrials],
    after: tuple[GenuineTrials, ImpostorTrials],
    fmr: float,
    *,
    rng: np.random.Generator,
    n_rounds: int = 1000,
    level: float = 0.95,
) -> FnmrChange:
    """How much the FNMR at an FMR changes; a round draws the same people for both.

    Raises NotEnoughEvidence as `bootstrap_at_fmr` does.
    """
    trials = before[1].trials
    check_fmr_supported(trials.total, fmr)
    mine = PersonCounts.of(before[0].person, trials.n_persons)
    if trials.total != after[1].trials.total or before[0].scores.shape != after[0].scores.shape:
        raise ValueError("a paired comparison needs the same comparisons on both sides")
    draws = draw_people(trials.n_persons, n_rounds, rng)
    drawn = draws[(trials.weigh(draws) > 0) & (mine.weigh(draws) > 0)]
    once = np.ones((1, trials.n_persons))
    was, now = (_fnmr_of_rounds(side, fmr, once)[0] for side in (before, after))
    rises = _fnmr_of_rounds(after, fmr, drawn) - _fnmr_of_rounds(before, fmr, drawn)
    low, high = percentiles(rises, level=level)
    interval = Interval(low, high, level, "paired bootstrap over people")
    return FnmrChange(float(was), float(now), interval, float(np.mean(rises > 0)))


def bootstrap_at_fmr(
    genuine: GenuineTrials,
    impostor: ImpostorTrials,
    fmr: float,
    *,
    rng: np.random.Generator,
    n_rounds: int = 1000,
    level: float = 0.95,
    require_evidence: bool = True,
) -> PointAtFmr:
    """Threshold at FMR and FNMR there; people are the same draw on both sides of a round.

    Raises NotEnoughEvidence as `threshold_at_fmr` does, and when `impostor` holds fewer of
    the highest scores than the rounds need: 4 * fmr * trials is enough as a rule.
    """
    total = impostor.trials.total
    if require_evidence:
        check_fmr_supported(total, fmr)
    n_persons = impostor.trials.n_persons
    mine = PersonCounts.of(genuine.person, n_persons)
    if total < 1 or mine.total < 1:
        raise NotEnoughEvidence("comparisons of both kinds are needed; add people and photos")
    draws = draw_people(n_persons, n_rounds, rng)
    once = np.ones((1, n_persons))
    threshold = float(_thresholds(impostor, fmr, once)[0])
    misses = round(float(_fnmr(genuine, once, np.array([threshold]))[0]) * mine.total)
    some = (impostor.trials.weigh(draws) > 0) & (mine.weigh(draws) > 0)
    drawn = draws[some]
    thresholds = _thresholds(impostor, fmr, drawn)
    low, high = percentiles(thresholds, level=level)
    rates = _fnmr(genuine, drawn, thresholds)
    return PointAtFmr(
        fmr,
        threshold,
        Interval(low, high, level, "bootstrap over people"),
        widen_interval(rates, misses, mine, level=level),
    )


def _fnmr_of_rounds(
    side: tuple[GenuineTrials, ImpostorTrials], fmr: float, draws: DoubleArray
) -> DoubleArray:
    """FNMR of each round at the round's own threshold: (r,)."""
    return _fnmr(side[0], draws, _thresholds(side[1], fmr, draws))


def _thresholds(impostor: ImpostorTrials, fmr: float, draws: DoubleArray) -> DoubleArray:
    """The smallest threshold of each round with a weighted FMR of at most `fmr`: (r,).

    Looks at the highest scores only, at more of them when a round needs that.
    """
    n = len(impostor.scores)
    ordered = np.argsort(-impostor.scores, kind="stable")
    totals = impostor.trials.weigh(draws)
    allowed = np.array([errors_allowed(fmr, round(total)) for total in totals])
    reach = min(n, int(SPARE * fmr * impostor.trials.total) + 100)
    while True:
        rows = ordered[:reach]
        refused = _first_refused(impostor, rows, draws, allowed)
        if reach == n or not np.any(refused == reach):
            break
        reach = min(n, reach * SPARE)
    if np.any(refused == n) and n < impostor.trials.total:
        raise NotEnoughEvidence(
            f"the {n:,} highest impostor scores are too few for FMR {fmr:g}; keep more of them"
        )
    kind = impostor.scores.dtype.type
    above = np.nextafter(impostor.scores[rows], kind(np.inf)).astype(np.float64)
    return np.append(above, -np.inf)[refused]


def _first_refused(
    impostor: ImpostorTrials,
    rows: npt.NDArray[np.intp],
    draws: DoubleArray,
    allowed: CountArray,
) -> npt.NDArray[np.intp]:
    """Place in `rows`, highest score first, where each round has more than it allows: (r,)."""
    a, b = impostor.person_a[rows], impostor.person_b[rows]
    step = max(1, CELLS // max(1, len(rows)))
    parts = [np.zeros(0, np.intp)]
    for start in range(0, len(draws), step):
        some = draws[start : start + step]
        reached = np.cumsum(some[:, a] * some[:, b], axis=1)
        parts.append(np.count_nonzero(reached <= allowed[start : start + step, None], axis=1))
    return np.concatenate(parts)


def _fnmr(genuine: GenuineTrials, draws: DoubleArray, thresholds: DoubleArray) -> DoubleArray:
    """The weighted share of genuine scores below each round's threshold: (r,)."""
    ordered = np.argsort(genuine.scores, kind="stable")
    below = np.searchsorted(genuine.scores[ordered], thresholds, side="left")
    person = genuine.person[ordered]
    step = max(1, CELLS // len(ordered))
    parts = [np.zeros(0)]
    for start in range(0, len(draws), step):
        some = slice(start, start + step)
        missed = np.cumsum(draws[some][:, person], axis=1)
        ends = np.concatenate([np.zeros((len(missed), 1)), missed], axis=1)
        parts.append(ends[np.arange(len(ends)), below[some]] / missed[:, -1])
    return np.concatenate(parts)
