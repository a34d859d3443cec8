"""Sorted scores, and a tally that counts more scores than memory can hold.

A score is a similarity: higher is more alike, and a comparison is accepted when
its score reaches the threshold (score >= threshold). NaN and +inf are not scores.
-inf is one: a comparison that only the threshold -inf accepts.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mien.records import dataclass, field

AnyFloats: TypeAlias = npt.NDArray[np.floating[Any]]
DoubleArray: TypeAlias = npt.NDArray[np.float64]
CountArray: TypeAlias = npt.NDArray[np.int64]

CHUNK = 1 << 20  # scores binned at once: bounds the memory of a large block
EXACT_CODES = 1 << 24  # whole numbers that float32 holds exactly


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Distinct scores in ascending order, and how many comparisons reach each.

    values: (m,) float32 or float64, strictly ascending, m may be 0.
    at_least: (m + 1,) int64, strictly descending; at_least[j] scores are >= values[j],
    and the last entry is 0.
    """

    values: AnyFloats = field(repr=False)
    at_least: CountArray = field(repr=False)

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or self.at_least.shape != (len(self.values) + 1,):
            raise ValueError(
                f"expected (m,) values and (m + 1,) counts, got {self.values.shape} and "
                f"{self.at_least.shape}"
            )
        if not np.all(self.values[1:] > self.values[:-1]):
            raise ValueError("values must be strictly ascending")
        if self.at_least[-1] != 0 or not np.all(self.at_least[1:] < self.at_least[:-1]):
            raise ValueError("counts must be strictly descending and end in 0")

    @property
    def n(self) -> int:
        """How many comparisons there were."""
        return int(self.at_least[0])

    def __len__(self) -> int:
        return self.n

    def count_at_least(self, thresholds: npt.ArrayLike) -> CountArray:
        """How many scores reach each threshold: int64 of the thresholds' shape."""
        wanted = np.asarray(thresholds, np.float64)
        if np.isnan(wanted).any():
            raise ValueError("a threshold is NaN")
        return np.asarray(self.at_least[np.searchsorted(self.values, wanted, side="left")])

    def least_threshold(self, max_count: int) -> float:
        """The smallest threshold that at most `max_count` scores reach; -inf if all may.

        Smallest among the numbers of the scores' own type. A float32 answer stays right
        when it is compared in float32.
        """
        if max_count < 0:
            raise ValueError(f"a count is not negative, got {max_count}")
        if max_count >= self.n:
            return float("-inf")
        kind = self.values.dtype.type
        return float(np.nextafter(self.values[self._row_of_rank(max_count)], kind(np.inf)))

    def _row_of_rank(self, rank: int) -> int:
        """The last row that more than `rank` scores reach."""
        return len(self.values) - int(np.searchsorted(self.at_least[::-1], rank, side="right"))


ScoresLike: TypeAlias = Scores | npt.ArrayLike
"""Scores, or an array (n,) that is sorted on the way in. Sort once: pass Scores along."""


def as_scores(scores: ScoresLike) -> Scores:
    """Sort an array (n,) into Scores; Scores pass through. ValueError for NaN or +inf."""
    if isinstance(scores, Scores):
        return scores
    ordered = np.sort(score_array(scores))
    return _grouped(ordered, np.ones(len(ordered), np.int64))


def score_array(scores: npt.ArrayLike) -> AnyFloats:
    """An array (n,) of scores as float32 if it is that or float16, else as float64."""
    array = np.asarray(scores)
    kind = np.float32 if array.dtype in (np.float16, np.float32) else np.float64
    made: AnyFloats = array.astype(kind, copy=False)
    if made.ndim != 1:
        raise ValueError(f"scores must have shape (n,), got {made.shape}")
    if np.isnan(made).any() or np.isposinf(made).any():
        raise ValueError("a score is NaN or +inf; count it as a failure to acquire instead")
    return made


class ImpostorTally:
    """Counts impostor scores block by block in bounded memory.

    The `n_tail` highest scores are kept as they are. Each other score is rounded up to
    the next multiple of 2**-bin_bits (a score below `low` to `low`), so every FMR read
    from the tally is exact above the tail's lowest score and never too low below it, and
    a threshold found there is at most one bin width too high (1.5e-5 for 16 bits).

    Defaults fit cosines: 1 MB of counts, and a tail of 0.4 MB that holds all below
    FMR 1e-3 of a hundred million scores.
    """

    def __init__(
        self,
        *,
        low: float = -1.0,
        high: float = 1.0,
        bin_bits: int = 16,
        n_tail: int = 100_000,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        """low, high: multiples of the bin width; scores above `high` are taken well too.

        dtype: float32 or float64; `add` takes no other.
        """
        scale = 2.0**bin_bits
        if not low < high or n_tail < 1 or (low * scale) % 1 or (high * scale) % 1:
            raise ValueError("expected low < high, both multiples of the bin width, and a tail")
        if max(abs(low), abs(high)) * scale > EXACT_CODES:
            raise ValueError(f"bins of 2**-{bin_bits} are too fine for {low}..{high}")
        self._dtype = np.dtype(dtype)
        if self._dtype not in (np.float32, np.float64):
            raise ValueError(f"expected float32 or float64, got {self._dtype}")
        self._low, self._high, self._scale, self._n_tail = low, high, scale, n_tail
        self._counts = np.zeros(int((high - low) * scale) + 1, np.int64)
        self._kept: AnyFloats = np.zeros(0, self._dtype)

    @property
    def n(self) -> int:
        """How many scores were added."""
        return int(self._counts.sum())

    def add(self, scores: npt.ArrayLike) -> None:
        """Count a block of scores (n,), n may be 0."""
        block = score_array(scores)
        if block.dtype != self._dtype and block.size:
            raise ValueError(f"the tally was made for {self._dtype}, got {block.dtype}")
        for start in range(0, len(block), CHUNK):
            part = block[start : start + CHUNK]
            self._counts += np.bincount(self._codes(part), minlength=len(self._counts))
            self._keep(part)

    def merge(self, other: ImpostorTally) -> None:
        """Add what another tally of the same bins has counted, as of another process."""
        mine = (self._low, self._high, self._scale, self._n_tail, self._dtype)
        if mine != (other._low, other._high, other._scale, other._n_tail, other._dtype):
            raise ValueError("the two tallies have other bins, tails or number types")
        self._counts += other._counts
        self._keep(other._kept)

    def scores(self) -> Scores:
        """What was counted so far, as Scores."""
        tail = np.sort(self._trimmed())
        rest = self._counts - np.bincount(self._codes(tail), minlength=len(self._counts))
        bins = np.flatnonzero(rest)
        if not len(bins):
            return _grouped(tail, np.ones(len(tail), np.int64))
        edges = (bins / self._scale + self._low).astype(self._dtype)
        # no score outside the tail is above it, nor known to stay below `high`
        edges = np.where(bins == len(rest) - 1, tail[0], np.minimum(edges, tail[0]))
        weights = np.concatenate([rest[bins], np.ones(len(tail), np.int64)])
        return _grouped(np.concatenate([edges, tail]), weights)

    def _codes(self, scores: AnyFloats) -> CountArray:
        """Bin of each score. Scaling by a power of two and rounding up are exact."""
        inside = np.clip(scores, *np.array([self._low, self._high], self._dtype))
        codes: CountArray = np.ceil(inside * np.array(self._scale, self._dtype)).astype(np.int64)
        return codes - int(self._low * self._scale)

    def _keep(self, scores: AnyFloats) -> None:
        if len(self._kept) >= self._n_tail:
            scores = scores[scores > self._kept[: self._n_tail].min()]
        self._kept = np.concatenate([self._kept, scores])
        self._kept = self._trimmed()

    def _trimmed(self) -> AnyFloats:
        """The highest `n_tail` of what is kept."""
        extra = len(self._kept) - self._n_tail
        return self._kept if extra <= 0 else np.partition(self._kept, extra)[extra:]


def _grouped(ordered: AnyFloats, weights: CountArray) -> Scores:
    """Ascending scores with repeats, each standing for `weights` comparisons, as Scores."""
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    up_to = np.append(np.cumsum(weights[::-1])[::-1], 0)
    return Scores(ordered[first], np.append(up_to[first], 0).astype(np.int64))
