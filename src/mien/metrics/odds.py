"""Translate a score into odds: how often a stranger would reach it, from impostor scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mien.errors import NotEnoughEvidence
from mien.metrics.evidence import lowest_supported_fmr
from mien.metrics.rates import require_scores
from mien.metrics.scores import CountArray, DoubleArray, Scores, ScoresLike
from mien.records import dataclass, field

ROWS_PER_DECADE = 20  # neighbouring rows differ by 12 % in FMR


@dataclass(frozen=True, slots=True)
class StrangerReading:
    """The odds of one score. one_in: a stranger reaches it about once in this many comparisons.

    is_bound: no impostor score of the data reached it, so it is rarer than that (at 95 %).
    among: the number of templates with which the stranger is compared; the best counts.
    """

    similarity: float
    one_in: float
    is_bound: bool
    among: int = 1

    def __str__(self) -> str:
        where = "this high" if self.among == 1 else f"this high with one of {self.among:,} enrolled"
        if self.is_bound and self.one_in < 2.0:
            return f"too few strangers were compared to say how rarely one scores {where}"
        if self.is_bound:
            return f"a stranger would score {where} less than once in {_rounded(self.one_in)}"
        if self.one_in < 2.0:
            return f"most strangers would score {where}"
        return f"a stranger would score {where} about once in {_rounded(self.one_in)}"


@dataclass(frozen=True, slots=True, eq=False)
class StrangerOdds:
    """A table of similarity against FMR, and how low an FMR its data supports.

    similarity: (m,) float64, strictly ascending; fmr: (m,) float64, strictly descending
    from 1, above 0; counts: (m,) int64, impostor pairs at or above the similarity.
    n_impostor: pairs compared. n_independent: as how many independent trials they are
    taken; nothing is claimed below 3 / n_independent.
    """

    similarity: DoubleArray = field(repr=False)
    fmr: DoubleArray = field(repr=False)
    counts: CountArray = field(repr=False)
    n_impostor: int
    n_independent: int

    def __post_init__(self) -> None:
        shapes = {self.similarity.shape, self.fmr.shape, self.counts.shape}
        if len(shapes) != 1 or self.similarity.ndim != 1 or not len(self.similarity):
            raise ValueError("a table of odds has parallel (m,) columns with a row or more")
        ascending = np.all(np.diff(self.similarity) > 0)  # also refuses NaN
        descending = np.all(np.diff(self.fmr) < 0) and np.all(np.diff(self.counts) < 0)
        if not (ascending and descending and np.isfinite(self.similarity).all()):
            raise ValueError("similarity must rise and fmr and counts fall, row by row")
        if self.counts[0] != self.n_impostor or self.counts[-1] < 1:
            raise ValueError("counts must start with all impostor pairs and stay above 0")
        if not np.allclose(self.fmr, self.counts / self.n_impostor, rtol=1e-6, atol=0.0):
            raise ValueError("fmr must be counts / n_impostor")
        if not 1 <= self.n_independent <= self.n_impostor:
            raise ValueError("n_independent must be 1 or more and at most n_impostor")

    @property
    def supported_fmr(self) -> float:
        """The lowest FMR that is ever claimed: 3 / n_independent."""
        return lowest_supported_fmr(self.n_independent)

    def fmr_at(self, similarity: float) -> float:
        """FMR of this score, never below `supported_fmr`; 1 below the table.

        Between two rows log FMR is interpolated, so it never rises with the score.
        """
        if math.isnan(similarity):
            raise ValueError("the similarity is NaN; a face that was not compared has no odds")
        if similarity < self.similarity[0]:
            return 1.0
        if similarity > self.similarity[-1]:
            return self.supported_fmr
        log_fmr = float(np.interp(similarity, self.similarity, np.log(self.fmr)))
        return min(1.0, max(self.supported_fmr, math.exp(log_fmr)))

    def read(self, similarity: float, *, among: int = 1) -> StrangerReading:
        """About once in N; beyond the highest impostor of the data, rarer than once in N.

        among: with so many templates the stranger is compared: the chance that one of the
        scores is this high is at most their number times as great (Boole's inequality).
        The bound holds at 95 %: the share of strangers above the highest of n independent
        ones is at most 3/n that often. ValueError for NaN.
        """
        fmr = min(1.0, self.fmr_at(similarity) * among)
        is_bound = bool(similarity > self.similarity[-1])
        return StrangerReading(float(similarity), 1.0 / fmr, is_bound, among)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers, for json.dump."""
        return {
            "n_impostor": self.n_impostor,
            "n_independent": self.n_independent,
            "similarity": self.similarity.tolist(),
            "fmr": self.fmr.tolist(),
            "count": self.counts.tolist(),
        }

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> StrangerOdds:
        """The table that `to_json` wrote. ValueError for one that is not such a table."""
        try:
            return cls(
                np.asarray(table["similarity"], np.float64),
                np.asarray(table["fmr"], np.float64),
                _whole_numbers(table["count"]),
                int(table["n_impostor"]),
                int(table["n_independent"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a table of odds: {error!r}") from error


def stranger_odds(impostor: ScoresLike, *, n_independent: int) -> StrangerOdds:
    """Make the table from impostor scores; about 20 rows per decade of FMR.

    Every row is a score of the data with the exact count at or above it, from the lowest
    score to the highest. n_independent: as how many independent trials the pairs are to
    be taken: their number if no person is in two pairs, at most the number of pairs of
    people (`CrossCounts.units`) where everybody was compared with everybody else. It
    has no default because the whole claim hangs on it.
    Raises NotEnoughEvidence for no score.
    """
    scores = require_scores(impostor, "impostor")
    if not np.isfinite(scores.values[0]):
        raise NotEnoughEvidence("an impostor score is -inf; count it as a failure to acquire")
    rows = _rows(scores)
    counts = scores.at_least[rows]
    return StrangerOdds(
        scores.values[rows].astype(np.float64), counts / scores.n, counts, scores.n, n_independent
    )


def _rows(scores: Scores) -> CountArray:
    """Rows of Scores spread evenly over log FMR: the lowest, the highest, and between."""
    steps = math.ceil(math.log10(scores.n) * ROWS_PER_DECADE) + 1
    ranks = np.unique(np.geomspace(1, scores.n, steps).round().astype(np.int64)) - 1
    rows = len(scores.values) - np.searchsorted(scores.at_least[::-1], ranks, side="right")
    return np.unique(np.concatenate([[0], rows]))


def _whole_numbers(column: Sequence[int]) -> CountArray:
    array = np.asarray(column)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError("counts must be whole numbers")
    return array.astype(np.int64)


def _rounded(one_in: float) -> str:
    """Rounded down to two digits, so that it claims no more: 12,345 to 12,000."""
    digits = max(0, math.floor(math.log10(one_in)) - 1)
    return f"{math.floor(one_in / 10**digits + 1e-9) * 10**digits:,}"
