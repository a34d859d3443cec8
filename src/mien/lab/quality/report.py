"""Strangers let in and photos refused, by kind of degradation, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mien.lab.quality.fit import MeasuredPhotos, fit_gate, gate_scores, label_samples
from mien.lab.quality.strangers import Alikeness
from mien.metrics.evidence import clopper_pearson


def scores_held_out(
    samples: MeasuredPhotos, alike: Alikeness, names: Sequence[str]
) -> npt.NDArray[np.float64]:
    """The score of each photo, less the limit, by the gate fitted to the others."""
    labels = label_samples(samples, alike)
    scores = np.zeros(len(samples.kind))
    for half in (0, 1):
        is_held = samples.person % 2 == half
        table = fit_gate(samples, labels, names, np.flatnonzero(~is_held))
        scores[is_held] = gate_scores(table, samples)[is_held]
    return scores


def report_lines(
    samples: MeasuredPhotos, alike: Alikeness, scores: npt.NDArray[np.float64]
) -> tuple[str, ...]:
    """A line for each kind: strangers let in, photos refused, and the same of what is left.

    scores: above 0 a photo is refused.
    """
    return tuple(
        _line(str(kind), np.flatnonzero(samples.kind == kind), alike, scores)
        for kind in sorted(set(samples.kind.tolist()))
    )


def _line(
    kind: str,
    rows: npt.NDArray[np.intp],
    alike: Alikeness,
    scores: npt.NDArray[np.float64],
) -> str:
    kept = rows[scores[rows] <= 0]
    before, after = alike.of_kind(rows), alike.of_kind(kept)
    words = (
        f"{kind}: {before.passes:,} of {before.pairs:,} strangers let in; "
        f"{len(rows) - len(kept)} of {len(rows)} photos refused"
    )
    if not after.pairs:
        return f"{words}; none left"
    bound = clopper_pearson(after.passes, after.pairs).high  # as if pairs were independent
    return f"{words}; then {after.passes:,} of {after.pairs:,}, at most {bound:.1e}"
