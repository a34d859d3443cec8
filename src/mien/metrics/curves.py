"""The DET curve as parallel arrays, and the equal error rate."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mien.metrics.rates import require_scores, threshold_at_fmr
from mien.metrics.scores import CountArray, DoubleArray, Scores, ScoresLike


@dataclass(frozen=True, slots=True, eq=False)
class DetCurve:
    """False non-match rate against false match rate, strictest threshold first.

    thresholds: (m,) float64, descending from inf (nothing accepted) to the lowest score
    (all accepted). fmr: (m,) float64, 0..1, never falling; fnmr: (m,) float64, 0..1, never
    rising: from (0, 1) to (1, 0). The ROC curve has the same points with 1 - fnmr. For the
    normal-deviate axes of a DET plot see `normal_deviates`; on logarithmic axes points with
    a rate of 0 have no place.
    """

    thresholds: DoubleArray = field(repr=False)
    fmr: DoubleArray = field(repr=False)
    fnmr: DoubleArray = field(repr=False)

    def __post_init__(self) -> None:
        _expect_parallel(self.thresholds, self.fmr, self.fnmr)


@dataclass(frozen=True, slots=True)
class EqualError:
    """rate: EER, 0..1. threshold: the smallest at which the FMR is at most that."""

    rate: float
    threshold: float


def det(genuine: ScoresLike, impostor: ScoresLike, *, max_points: int | None = 2000) -> DetCurve:
    """The corners of the curve; points on a straight line between two of them are left out.

    With `max_points` corners too close to be told apart in a plot are left out as well:
    none is further than 8 / max_points of an axis, linear or logarithmic, from one that
    is kept. None keeps every corner. Raises NotEnoughEvidence without both kinds of pair.
    """
    return DetCurve(*_curve(genuine, impostor, max_points))


def eer(genuine: ScoresLike, impostor: ScoresLike) -> EqualError:
    """The rate at which FMR and FNMR are equal.

    Where they are not equal at any threshold, the two operating points between which
    they cross are joined by a straight line, and the rate is read where it meets
    FMR = FNMR. Raises NotEnoughEvidence without both kinds of pair.
    """
    _, fmr, fnmr = _curve(genuine, impostor, None)
    ahead = fmr - fnmr  # never falls, from -1 to 1
    row = int(np.argmax(ahead >= 0.0))
    step = ahead[row] - ahead[row - 1]
    rate = float(fmr[row] - (fmr[row] - fmr[row - 1]) * ahead[row] / step)
    return EqualError(rate, threshold_at_fmr(impostor, rate, require_evidence=False))


def normal_deviates(rates: npt.ArrayLike) -> DoubleArray:
    """Rates (n,) on the axis of a DET plot: 0.5 to 0, 0.023 to -2; 0 and 1 to -inf and inf."""
    array = np.asarray(rates, np.float64)
    if not np.all((array >= 0.0) & (array <= 1.0)):
        raise ValueError("a rate is between 0 and 1")
    deviates = np.where(array > 0.5, np.inf, -np.inf)
    inside = (array > 0.0) & (array < 1.0)
    deviates[inside] = [NormalDist().inv_cdf(float(rate)) for rate in array[inside]]
    return deviates


def _curve(
    genuine: ScoresLike, impostor: ScoresLike, max_points: int | None
) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Thresholds, FMR and FNMR of the corners, strictest first."""
    ours, theirs = require_scores(genuine, "genuine"), require_scores(impostor, "impostor")
    thresholds = _corner_thresholds(ours, theirs)
    matches, hits = theirs.count_at_least(thresholds), ours.count_at_least(thresholds)
    kept = _off_the_line(matches, hits)
    if max_points is not None:
        kept = kept[_apart(matches[kept], theirs.n, hits[kept], ours.n, max_points)]
    fmr = matches[kept] / theirs.n
    fnmr = (ours.n - hits[kept]) / ours.n
    return thresholds[kept], fmr, fnmr


def _corner_thresholds(ours: Scores, theirs: Scores) -> DoubleArray:
    """Every threshold at which the ROC may turn, descending from inf.

    The curve turns only where a score of the rarer kind comes in: just before it and
    with it. So millions of the other kind are searched, not walked.
    """
    few, many = sorted((ours, theirs), key=lambda scores: len(scores.values))
    rare, common = few.values.astype(np.float64), many.values
    above = np.searchsorted(common, rare, side="right")
    next_common = np.append(common.astype(np.float64), np.inf)[above]
    before = np.minimum(np.append(rare[1:], np.inf), next_common)
    lowest = min(float(rare[0]), float(common[0]))
    return np.unique(np.concatenate([rare, before, [lowest, np.inf]]))[::-1]


def _off_the_line(x: CountArray, y: CountArray) -> npt.NDArray[np.intp]:
    """Rows of the points that are not between two others on a straight line."""
    dx, dy = np.diff(x), np.diff(y)
    turns = dx[:-1] * dy[1:] != dx[1:] * dy[:-1]
    return np.flatnonzero(np.concatenate([[True], turns, [True]]))


def _apart(
    matches: CountArray, n_theirs: int, hits: CountArray, n_ours: int, max_points: int
) -> npt.NDArray[np.intp]:
    """Rows of at most `max_points` points that look like all of them.

    The way along the curve, summed over four axes that each run from 0 to 1, is cut into
    equal pieces; the first and the last point in each piece stay.
    """
    if max_points < 4:
        raise ValueError(f"a curve needs at least 4 points, got max_points={max_points}")
    if len(matches) <= max_points:
        return np.arange(len(matches))
    misses = n_ours - hits
    way = (
        matches / n_theirs
        + hits / n_ours
        + _log_place(matches, n_theirs)
        + (1.0 - _log_place(misses, n_ours))
    )
    pieces = max_points // 2
    piece = np.minimum((way / 4.0 * pieces).astype(np.int64), pieces - 1)
    changes = piece[1:] != piece[:-1]
    first = np.concatenate([[True], changes])
    last = np.concatenate([changes, [True]])
    return np.flatnonzero(first | last)


def _log_place(counts: CountArray, n: int) -> DoubleArray:
    """Place on a logarithmic axis: 1 for all, 0 for none, as if none were half a count."""
    place: DoubleArray = np.log(np.maximum(counts, 0.5) / 0.5) / np.log(n / 0.5)
    return place


def _expect_parallel(*arrays: DoubleArray) -> None:
    if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
        raise ValueError(f"expected parallel (m,) arrays, got {[a.shape for a in arrays]}")
