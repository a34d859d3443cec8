"""Fit the quality gate, a logistic score of photos on which strangers resemble each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.faces.quality.gate import MAX_TAIL, Gate
from mien.lab.quality.strangers import Alikeness
from mien.results import FloatArray

REFUSED_SHARE = 0.006  # of the clean photos, by the limit
L1 = 20.0  # on the weights, which are not negative; leaves 17 of 42
CLEAN_WEIGHT = 6.0  # of a clean or harmless photo against a degraded one
SHARP_WEIGHT = 4.0  # of a sharpened one besides: phones sharpen, and the clean set did not
MAX_DEVIATIONS = 9.0  # of a harmful photo's scores below the threshold; further off, it is clean
KIND_SIZE = 80  # a kind with more photos counts as one with so many
ROUNDS = 1500

HARMLESS, UNCLEAR, HARMFUL = 0, -1, 1


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredPhotos:
    """Measured photos, a row each.

    names: of the measures. values: (n, m) float64. kind: (n,) of degradation, "clean" for none;
    those that must pass begin with "ok_". person: (n,). vectors: (n, d) plain unit rows.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64] = field(repr=False)
    kind: npt.NDArray[np.str_]
    person: npt.NDArray[np.int64]
    vectors: FloatArray = field(repr=False)

    @property
    def is_clean(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.kind == "clean")

    @property
    def is_harmless(self) -> npt.NDArray[np.bool_]:
        """Clean, or changed in a way that has to pass."""
        return np.asarray(self.is_clean | np.char.startswith(self.kind, "ok_"))

    def columns(self, names: Sequence[str]) -> npt.NDArray[np.float64]:
        return self.values[:, [self.names.index(name) for name in names]]


def label_samples(samples: MeasuredPhotos, alike: Alikeness) -> npt.NDArray[np.int64]:
    """Label each photo `HARMFUL` if its kind makes strangers alike and it is no exception.

    A kind at more than twice the clean FMR is harmful, one at less than 1.3 times it is not, and
    those between teach nothing. (n,)
    """
    labels = np.full(len(samples.kind), UNCLEAR)
    labels[samples.is_harmless] = HARMLESS
    for kind in np.unique(samples.kind[~samples.is_harmless]):
        rows = np.flatnonzero(samples.kind == kind)
        rate = alike.of_kind(rows)
        if rate.at_door < 1.3e-4 and rate.relative < 1.3:
            labels[rows] = HARMLESS
        elif rate.relative > 2 and rate.at_door > 2e-4:
            labels[rows[rate.z < MAX_DEVIATIONS]] = HARMFUL
    return labels


def fit_gate(
    samples: MeasuredPhotos,
    labels: npt.NDArray[np.int64],
    names: Sequence[str],
    rows: npt.NDArray[np.intp],
) -> dict[str, Any]:
    """The table that `Gate.from_json` reads, fitted to these rows of the samples."""
    values = samples.columns(names)
    low, high = _ends(values[samples.is_harmless])
    tails = _tails(values, low, high)
    used = rows[labels[rows] != UNCLEAR]
    bias, weights = _fit_weights(tails[used], labels[used], _sample_weights(samples, labels)[used])
    scores = tails @ weights
    clean = rows[samples.is_clean[rows]]
    limit = float(np.quantile(scores[clean], 1 - REFUSED_SHARE))
    half = len(names)
    table = {
        name: [*map(_short, (*low[at], weights[at], *high[at], weights[half + at]))]
        for at, name in enumerate(names)
        if weights[at] > 0.005 or weights[half + at] > 0.005
    }
    return {"limit": _short(limit), "bias": _short(bias), "measures": table}


def gate_scores(table: dict[str, Any], samples: MeasuredPhotos) -> npt.NDArray[np.float64]:
    """The score less the limit of each sample: above 0 it is refused. (n,)"""
    gate = Gate.from_json(table)
    found = [dict(zip(samples.names, row, strict=True)) for row in samples.values.tolist()]
    return np.array([gate.assess(one).score - gate.limit for one in found])


def _ends(values: npt.NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
    """(m, 2) each: where the low tail begins and its scale; the same of the high one."""
    p2, p10, middle, p90, p98 = np.quantile(values, [0.02, 0.10, 0.5, 0.90, 0.98], axis=0)
    low = np.stack([p10, np.maximum(middle - p2, 1e-6)], axis=1)
    high = np.stack([p90, np.maximum(p98 - middle, 1e-6)], axis=1)
    return low, high


def _tails(
    values: npt.NDArray[np.float64], low: FloatArray, high: FloatArray
) -> npt.NDArray[np.float64]:
    below = np.clip((low[:, 0] - values) / low[:, 1], 0, MAX_TAIL)
    above = np.clip((values - high[:, 0]) / high[:, 1], 0, MAX_TAIL)
    return np.concatenate([below, above], axis=1)


def _sample_weights(
    samples: MeasuredPhotos, labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    weights = np.ones(len(samples.kind))
    for kind in np.unique(samples.kind):
        rows = samples.kind == kind
        weights[rows] = min(1.0, KIND_SIZE / rows.sum())
    weights[samples.is_harmless] = CLEAN_WEIGHT
    is_sharp = np.char.find(samples.kind, "sharp") >= 0
    weights[is_sharp] *= SHARP_WEIGHT
    return weights


def _fit_weights(
    tails: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    importance: npt.NDArray[np.float64],
) -> tuple[float, npt.NDArray[np.float64]]:
    """Logistic regression with weights >= 0, by accelerated projected gradient descent.

    Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm", 2009.
    """
    design = np.concatenate([np.ones((len(tails), 1)), tails], axis=1)
    penalty = np.array([0.0] + [L1] * tails.shape[1])
    curvature = (design * importance[:, np.newaxis]).T @ design / 4
    step = 1 / (float(np.linalg.eigvalsh(curvature)[-1]) + 1)
    weights = ahead = np.zeros(design.shape[1])
    momentum = 1.0
    for _ in range(ROUNDS):
        odds = 1 / (1 + np.exp(-np.clip(design @ ahead, -500, 500)))
        slope = design.T @ ((odds - labels) * importance) + penalty + ahead * (penalty > 0)
        moved = ahead - step * slope
        moved[1:] = np.maximum(moved[1:], 0)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / following * (moved - weights)
        weights, momentum = moved, following
    return float(weights[0]), weights[1:]


def _short(number: float) -> float:
    return float(f"{number:.6g}")
