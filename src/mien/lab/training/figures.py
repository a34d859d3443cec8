"""What a net is worth before and after training, and what costs nothing beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mien.lab.audit.steps import STEPS
from mien.lab.evaluate.error_rates import ErrorFigures, TargetPoint, measure_errors
from mien.lab.evaluate.scoring import compare_all
from mien.matching.cohort import NEAREST, Cohort
from mien.metrics import (
    CrossCounts,
    FnmrChange,
    GenuineTrials,
    ImpostorTrials,
    paired_fnmr_change,
)
from mien.results import ByteArray, FloatArray
from mien.vectors import unit_rows

FMR = 1e-3
KEPT = 200_000  # highest impostor scores, for the bootstrap
COHORT = 400
MIN_COHORT = 30  # the mean of fewer people is no mean of strangers (docs/thresholds.md)
LEAST_PERCENTILE = 1.0  # as in `mien.lab.calibrate`
MAX_CHANGED = 24  # crops to which the audit's changes are applied

Embed = Callable[[ByteArray], tuple[FloatArray, FloatArray]]
"""Crops (n, side, side, 3) to unit embeddings (n, d) of them and of their mirror images."""
PersonRows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class NetEmbeddings:
    """Unit embeddings (n, d) of the evaluation's crops, of their mirror images, and of strangers.

    strangers: (m, d), one crop of each person of the training set.
    """

    plain: FloatArray = field(repr=False)
    mirrored: FloatArray = field(repr=False)
    strangers: FloatArray = field(repr=False)

    @property
    def mirror(self) -> float:
        """Mean similarity of a crop and its mirror image."""
        return float(np.einsum("nd,nd->n", self.plain, self.mirrored).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Every two crops compared. figures: EER, and FNMR at `FMR`."""

    method: str
    figures: ErrorFigures = field(repr=False)
    genuine: GenuineTrials = field(repr=False)
    impostor: ImpostorTrials = field(repr=False)

    @property
    def at_fmr(self) -> TargetPoint:
        return self.figures.at[0]


def compare_methods(found: NetEmbeddings, person: PersonRows, *, seed: int) -> tuple[Compared, ...]:
    """The plain comparison first, then flip averaging, centring and a cohort.

    The last two need `MIN_COHORT` strangers, and are left out with fewer.
    """
    return tuple(
        _compare(name, vectors, person, shifts, seed) for name, vectors, shifts in _methods(found)
    )


def fnmr_change(before: Compared, after: Compared, *, seed: int) -> FnmrChange:
    """Of the plain comparisons. NotEnoughEvidence for too few impostor comparisons."""
    return paired_fnmr_change(
        (before.genuine, before.impostor),
        (after.genuine, after.impostor),
        FMR,
        rng=np.random.default_rng(seed),
    )


def changed_similarities(
    crops: ByteArray, embed: Embed, *, seed: int
) -> tuple[tuple[str, str, float], ...]:
    """Title, amount and mean similarity of crop and changed crop, for the audit's strongest steps.

    At most `MAX_CHANGED` crops (n, side, side, 3), spread evenly over all.
    """
    rows = np.unique(np.linspace(0, len(crops) - 1, min(MAX_CHANGED, len(crops))).astype(int))
    chosen = crops[rows]
    originals = embed(chosen)[0]
    rng = np.random.default_rng(seed)
    found = []
    for step in STEPS:
        if abs(step.strength) < 1:
            continue
        changed = np.stack([step.apply(crop, rng) for crop in chosen])
        similarity = float(np.einsum("nd,nd->n", originals, embed(changed)[0]).mean())
        found.append((step.kind.title, step.amount, similarity))
    return tuple(found)


def _methods(found: NetEmbeddings) -> Iterator[tuple[str, FloatArray, FloatArray | None]]:
    yield "plain", found.plain, None
    yield "flip-averaged", unit_rows(found.plain + found.mirrored), None
    if len(found.strangers) < MIN_COHORT:
        return
    yield "centred", unit_rows(found.plain - found.strangers.mean(axis=0)), None
    chosen = np.linspace(0, len(found.strangers) - 1, min(COHORT, len(found.strangers)))
    members = found.strangers[chosen.astype(int)]
    unfitted = Cohort(members, min(NEAREST, len(members) - 1), typical=0.0, least=-1.0)
    near = unfitted.nearness(found.plain)
    typical, least = float(near.mean()), float(np.percentile(near, LEAST_PERCENTILE))
    cohort = Cohort(members, unfitted.nearest, typical=typical, least=min(least, typical))
    yield f"cohort of {len(members)}", found.plain, cohort.shifts(found.plain)


def _compare(
    name: str, vectors: FloatArray, person: PersonRows, shifts: FloatArray | None, seed: int
) -> Compared:
    compared = compare_all(vectors, person, keep=KEPT, shifts=shifts)
    high = compared.highest
    genuine = GenuineTrials(compared.genuine.scores, person[compared.genuine.a])
    trials = CrossCounts(np.bincount(person))
    impostor = ImpostorTrials(high.scores, person[high.a], person[high.b], trials)
    figures = measure_errors(
        name, genuine, impostor, compared.impostor, (FMR,), n_lost=0, seed=seed
    )
    return Compared(name, figures, genuine, impostor)
