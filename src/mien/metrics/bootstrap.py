"""Confidence intervals that resample people, because comparisons of a person are correlated.

Two comparisons that share a person are not independent: someone who resembles nobody
makes all of their pairs easy. So a round of the bootstrap draws as many people as there are,
with replacement; a genuine comparison then counts as often as its person was drawn, an
impostor comparison as often as the product of its two people says. The products make
intervals somewhat too wide where people matter little (Owen's pigeonhole bootstrap),
but not too narrow because people were ignored.

Counts are first summed per person, or per pair of people, so that a round costs what
the number of people costs and not what the number of comparisons costs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mien.errors import NotEnoughEvidence
from mien.metrics.evidence import ErrorRate, Interval, clopper_pearson, rule_of_3
from mien.metrics.scores import CountArray, DoubleArray

BLOCK_ROWS = 512  # people in one block: a block of counts is (512, people) float64


class Counts(Protocol):
    """Numbers of comparisons, by the people who took part in them."""

    @property
    def n_persons(self) -> int: ...

    @property
    def total(self) -> int:
        """The number of comparisons."""
        ...

    @property
    def units(self) -> int:
        """The number of people, or pairs of people, with at least one comparison."""
        ...

    def weigh(self, draws: DoubleArray) -> DoubleArray:
        """The number of comparisons in each round: draws (r, n_persons) to (r,)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PersonCounts:
    """Genuine comparisons of each person. counts: (n_persons,) int64."""

    counts: CountArray = field(repr=False)

    @classmethod
    def of(cls, person: npt.ArrayLike, n_persons: int) -> PersonCounts:
        """Count comparisons given by their person (n,), whole numbers below n_persons."""
        return cls(np.bincount(_people(person, n_persons), minlength=n_persons))

    @property
    def n_persons(self) -> int:
        return len(self.counts)

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def units(self) -> int:
        return int(np.count_nonzero(self.counts))

    def weigh(self, draws: DoubleArray) -> DoubleArray:
        weighed: DoubleArray = draws @ self.counts.astype(np.float64)
        return weighed


@dataclass(frozen=True, slots=True, eq=False)
class PairCounts:
    """Impostor comparisons of each pair of people that has one.

    lower, higher: (u,) int64, the two people, lower < higher, ordered by both, no pair
    twice; counts: (u,) int64.
    """

    n_persons: int
    lower: CountArray = field(repr=False)
    higher: CountArray = field(repr=False)
    counts: CountArray = field(repr=False)

    @classmethod
    def of(
        cls,
        person_a: npt.ArrayLike,
        person_b: npt.ArrayLike,
        n_persons: int,
        *,
        counts: npt.ArrayLike | None = None,
    ) -> PairCounts:
        """Sum comparisons given by their two people (n,), in either order.

        counts: (n,) how many comparisons each row stands for, if not one; so what blocks
        of a large comparison have summed can be summed again.
        """
        a, b = _people(person_a, n_persons), _people(person_b, n_persons)
        if a.shape != b.shape or np.any(a == b):
            raise ValueError("an impostor comparison has two different people")
        number = np.ones(len(a), np.int64) if counts is None else np.asarray(counts, np.int64)
        if number.shape != a.shape:
            raise ValueError(f"counts must have shape {a.shape}, got {number.shape}")
        keys, place = np.unique(
            np.minimum(a, b) * n_persons + np.maximum(a, b), return_inverse=True
        )
        summed = np.zeros(len(keys), np.int64)
        np.add.at(summed, place, number)
        some = summed > 0
        return cls(n_persons, keys[some] // n_persons, keys[some] % n_persons, summed[some])

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def units(self) -> int:
        return len(self.counts)

    def weigh(self, draws: DoubleArray) -> DoubleArray:
        weighed = np.zeros(len(draws))
        rows = np.unique(self.lower)
        for start in range(0, len(rows), BLOCK_ROWS):
            people = rows[start : start + BLOCK_ROWS]
            inside = slice(
                np.searchsorted(self.lower, people[0], side="left"),
                np.searchsorted(self.lower, people[-1], side="right"),
            )
            others, column = np.unique(self.higher[inside], return_inverse=True)
            block = np.zeros((len(people), len(others)))
            block[np.searchsorted(people, self.lower[inside]), column] = self.counts[inside]
            weighed += np.einsum("rp,rp->r", draws[:, people], draws[:, others] @ block.T)
        return weighed


@dataclass(frozen=True, slots=True, eq=False)
class CrossCounts:
    """All impostor comparisons of each image with each image of anybody else.

    images: (n_persons,) int64, how many images each person has. Needs no list of pairs.
    """

    images: CountArray = field(repr=False)

    @property
    def n_persons(self) -> int:
        return len(self.images)

    @property
    def total(self) -> int:
        return int(self.images.sum() ** 2 - (self.images**2).sum()) // 2

    @property
    def units(self) -> int:
        n = int(np.count_nonzero(self.images))
        return n * (n - 1) // 2

    def weigh(self, draws: DoubleArray) -> DoubleArray:
        images = self.images.astype(np.float64)
        weighed: DoubleArray = ((draws @ images) ** 2 - draws**2 @ images**2) / 2.0
        return weighed


def draw_people(n_persons: int, n_rounds: int, rng: np.random.Generator) -> DoubleArray:
    """How often each person is drawn in each round: (n_rounds, n_persons), rows sum to n_persons.

    Use the same draws for all figures of a report, so that they vary together. Raises
    NotEnoughEvidence for fewer than two people.
    """
    if n_persons < 2 or n_rounds < 1:
        raise NotEnoughEvidence("a bootstrap over people needs two people or more, and a round")
    even = np.full(n_persons, 1.0 / n_persons)
    return rng.multinomial(n_persons, even, size=n_rounds).astype(np.float64)


def widen_interval(rates: DoubleArray, errors: int, trials: Counts, *, level: float) -> ErrorRate:
    """The error rate with the percentile interval of the rounds' rates (r,).

    errors: the comparisons that went wrong; trials: all comparisons of the same people. The
    interval is never narrower than that of independent comparisons, and its upper end is
    never below the rule of 3 over the people (genuine) or pairs of people (impostor): few
    errors, or none, would resample to an interval that is too narrow.
    """
    independent = clopper_pearson(errors, trials.total, level=level)
    floor = rule_of_3(trials.units, level=level)
    if errors == 0:
        return ErrorRate(0, trials.total, Interval(0.0, floor, level, "rule of 3 over people"))
    low, high = percentiles(rates, level=level)
    return ErrorRate(
        errors,
        trials.total,
        Interval(
            min(low, independent.low),
            max(high, independent.high, floor),
            level,
            "bootstrap over people",
        ),
    )


def percentiles(rounds: DoubleArray, *, level: float) -> tuple[float, float]:
    """Low and high end of the middle `level` of the rounds. NotEnoughEvidence for none."""
    if not len(rounds):
        raise NotEnoughEvidence("no round drew a comparison; add people or rounds")
    tail = (1.0 - level) / 2.0
    # only values that occur, because a threshold of -inf cannot be averaged
    low, high = np.quantile(rounds, [tail, 1.0 - tail], method="inverted_cdf")
    return float(low), float(high)


def _people(person: npt.ArrayLike, n_persons: int) -> CountArray:
    array = np.asarray(person)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"people must be whole numbers, got {array.dtype}")
    if array.ndim != 1 or (array.size and not 0 <= array.min() <= array.max() < n_persons):
        raise ValueError(f"people must be (n,) whole numbers from 0 below {n_persons}")
    return array.astype(np.int64)
