"""Verification accuracy by the protocol of Labeled Faces in the Wild (View 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.errors import NotEnoughEvidence
from mien.metrics.scores import AnyFloats, score_array


@dataclass(frozen=True, slots=True)
class FoldAccuracy:
    """mean: of the folds' accuracies, 0..1. standard_error: of that mean.

    folds: their labels, in order; accuracies and thresholds: one of each per fold.
    """

    mean: float
    standard_error: float
    folds: tuple[int, ...]
    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]


def accuracy_10_fold(
    scores: npt.ArrayLike, same: npt.ArrayLike, folds: npt.ArrayLike
) -> FoldAccuracy:
    """Accuracy of same-or-different, each fold with the best threshold of all others.

    scores: (n,); same: (n,) bool, whether the pair shows one person; folds: (n,) whole
    numbers, which fold a pair is in, as few as two folds. The standard error is LFW's:
    the deviation between folds (n - 1 in the divisor) over the root of their number.
    Give a pair that could not be compared the score -inf, so that it is not dropped.
    Raises NotEnoughEvidence for fewer than two folds.
    """
    values, truth, labels = score_array(scores), np.asarray(same), np.asarray(folds)
    values = values.astype(np.float64)  # as the thresholds, which may lie beyond float32
    if not values.shape == truth.shape == labels.shape or truth.dtype != np.bool_:
        raise ValueError(
            f"expected scores, same (bool) and folds of one shape (n,), got {values.shape}, "
            f"{truth.shape} {truth.dtype} and {labels.shape}"
        )
    names = np.unique(labels)
    if len(names) < 2:
        raise NotEnoughEvidence("a threshold is chosen on the other folds; give two or more")
    thresholds, accuracies = [], []
    for name in names:
        inside = labels == name
        threshold = best_threshold(values[~inside], truth[~inside])
        thresholds.append(threshold)
        accuracies.append(float(np.mean((values[inside] >= threshold) == truth[inside])))
    error = float(np.std(accuracies, ddof=1) / np.sqrt(len(names)))
    return FoldAccuracy(
        float(np.mean(accuracies)),
        error,
        tuple(int(name) for name in names),
        tuple(accuracies),
        tuple(thresholds),
    )


def best_threshold(scores: npt.ArrayLike, same: npt.ArrayLike) -> float:
    """The threshold that decides the most pairs correctly, halfway between two scores.

    If several do equally well, the middle one (the lower of two), as the least tuned.
    Never -inf. Raises NotEnoughEvidence for no pair.
    """
    values, truth = score_array(scores).astype(np.float64), np.asarray(same, np.bool_)
    if not len(values):
        raise NotEnoughEvidence("no pair to choose a threshold on; give at least one")
    levels, place = np.unique(values, return_inverse=True)
    # right[j]: pairs decided correctly when levels[j] is the lowest that is accepted
    ours = np.bincount(place[truth], minlength=len(levels))
    theirs = np.bincount(place[~truth], minlength=len(levels))
    accepted = np.append(np.cumsum(ours[::-1])[::-1], 0)
    refused = np.append(0, np.cumsum(theirs))
    right = accepted + refused
    if np.isneginf(levels[0]):
        right[0] = -1  # a pair that could not be compared is not to be accepted
    best = np.flatnonzero(right == right.max())
    return _just_below(levels, int(best[(len(best) - 1) // 2]))


def _just_below(levels: AnyFloats, row: int) -> float:
    """A threshold that accepts levels[row] and above, and nothing below."""
    if row == len(levels):
        return float(np.nextafter(levels[-1], np.inf))
    if row == 0:
        return float(levels[0])
    low, high = float(levels[row - 1]), float(levels[row])
    middle = low + (high - low) / 2.0 if np.isfinite(low) else high
    return middle if low < middle else high  # two neighbouring numbers have no middle
