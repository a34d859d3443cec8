"""How alike strangers are whose photos were degraded in the same way."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mien.matching.matcher import Matcher
from mien.matching.score import reaches
from mien.results import FloatArray

LOOSE_FMR = 2e-3  # of clean photos: a threshold at which even few photos of a kind have passes


@dataclass(frozen=True, slots=True, eq=False)
class KindRate:
    """Strangers of one kind against each other.

    passes of pairs reach the one-photo threshold, at_door is their share. relative: how many
    times as many as of the clean photos reach a threshold at which 2e-3 of those pass.
    z: (n,) how many standard deviations a photo's mean score lies under the threshold.
    """

    passes: int
    pairs: int
    relative: float
    z: npt.NDArray[np.float64] = field(repr=False)

    @property
    def at_door(self) -> float:
        return self.passes / max(self.pairs, 1)


class Alikeness:
    """Scores of strangers above the one-photo threshold of an embedder.

    vectors: (n, d) plain unit rows. person: (n,). clean: (n,) which rows are clean.
    """

    def __init__(
        self,
        vectors: FloatArray,
        person: npt.NDArray[np.int64],
        clean: npt.NDArray[np.bool_],
        matcher: Matcher,
    ) -> None:
        self._vectors, self._person = vectors, person
        self._shifts = matcher.shifts(vectors).astype(np.float64)
        self._threshold = matcher.threshold_for(photos=1)
        rows = np.flatnonzero(clean)
        margins = self._margins(rows)
        scores = np.sort(margins[self._one_of_each_pair(rows)])
        self._loose = float(scores[int(len(scores) * (1 - LOOSE_FMR))]) if len(scores) else 0.0

    def of_kind(self, rows: npt.NDArray[np.intp]) -> KindRate:
        """Every two of these rows that are of different people."""
        margins = self._margins(rows)
        once = self._one_of_each_pair(rows)
        scores = margins[once]
        strangers = np.where(self._are_strangers(rows), margins, np.nan)
        if not len(scores):
            return KindRate(0, 0, 0.0, np.full(len(rows), np.inf))
        spread = np.maximum(np.nanstd(strangers, axis=1), 1e-9)
        return KindRate(
            passes=int(self.passes(rows)[once].sum()),
            pairs=len(scores),
            relative=float((scores >= self._loose).mean()) / LOOSE_FMR,
            z=-np.nanmean(strangers, axis=1) / spread,
        )

    def passes(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """(n, n) whether a photo passes for another, by the rule of the unlock decision."""
        cosines, shifts = self._cosines_and_shifts(rows)
        return reaches(self._threshold, cosines.astype(np.float32), shifts.astype(np.float32))

    def _margins(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        cosines, shifts = self._cosines_and_shifts(rows)
        return cosines - shifts - self._threshold.value

    def _cosines_and_shifts(
        self, rows: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        vectors, own = self._vectors[rows], self._shifts[rows]
        return (vectors @ vectors.T).astype(np.float64), own[:, np.newaxis] + own

    def _are_strangers(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        person = self._person[rows]
        return np.asarray(person[:, np.newaxis] != person)

    def _one_of_each_pair(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        return np.asarray(self._are_strangers(rows) & np.tri(len(rows), k=-1, dtype=bool))
