"""Error rates of the scores of an evaluation, each with the interval that the data supports.

A photo of which no face was acquired makes no comparison. Error rates are of the
comparisons that were made; FRR counts a genuine pair that could not be compared as one
that was refused, and LFW's accuracy takes every such pair as told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mien.errors import NotEnoughEvidence
from mien.metrics import (
    Counts,
    EqualError,
    ErrorRate,
    FoldAccuracy,
    GenuineTrials,
    ImpostorTrials,
    Interval,
    Scores,
    accuracy_10_fold,
    as_scores,
    bootstrap_at_fmr,
    eer,
    failure_rate,
    false_reject_rate,
    fnmr_at_fmr,
    well_measured_fmr,
)
from mien.metrics.scores import CountArray
from mien.results import FloatArray

N_ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class TargetPoint:
    """Threshold and FNMR at a target FMR, or the reason why the data cannot tell.

    frr: FNMR with the pairs that could not be compared counted as refused. coarse: with
    fewer than 30 errors expected, the FMR is an order of magnitude. observed_fnmr: the
    share that was seen, which is no figure where refusal says so; None without pairs.
    """

    fmr: float
    threshold: float | None
    threshold_interval: Interval | None
    fnmr: ErrorRate | None
    frr: float | None
    coarse: bool
    refusal: str
    observed_fnmr: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ErrorFigures:
    """Error rates of one set of comparisons.

    genuine, impostor: the scores. n_lost: genuine pairs that were not compared.
    n_person_pairs: how many two people were compared. eer: None without both kinds.
    """

    name: str
    genuine: Scores = field(repr=False)
    impostor: Scores = field(repr=False)
    n_lost: int
    n_person_pairs: int
    eer: EqualError | None
    at: tuple[TargetPoint, ...]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """LFW's accuracy, or the reason why there is none."""

    folds: FoldAccuracy | None
    refusal: str


def measure_errors(
    name: str,
    genuine: GenuineTrials,
    impostor: ImpostorTrials,
    impostor_scores: Scores,
    fmrs: Sequence[float],
    *,
    n_lost: int,
    seed: int,
) -> ErrorFigures:
    """ErrorFigures at each FMR. impostor: the highest comparisons; impostor_scores: all of them.

    seed: every interval starts from it, so all rest on the same draws of people.
    """
    ours = as_scores(genuine.scores)
    some = ours.n > 0 and impostor_scores.n > 0
    lost = failure_rate(n_lost, ours.n + n_lost) if ours.n + n_lost else 0.0
    return ErrorFigures(
        name,
        ours,
        impostor_scores,
        n_lost,
        _units(impostor.trials),
        eer(ours, impostor_scores) if some else None,
        tuple(
            _operating_point(genuine, impostor, ours, impostor_scores, fmr, lost=lost, seed=seed)
            for fmr in fmrs
        ),
    )


def measure_accuracy(scores: FloatArray, same: npt.NDArray[np.bool_], fold: CountArray) -> Accuracy:
    """LFW's accuracy; a pair that could not be compared has the score -inf."""
    try:
        return Accuracy(accuracy_10_fold(scores, same, fold), "")
    except NotEnoughEvidence as error:
        return Accuracy(None, str(error))


def _operating_point(
    genuine: GenuineTrials,
    impostor: ImpostorTrials,
    ours: Scores,
    theirs: Scores,
    fmr: float,
    *,
    lost: float,
    seed: int,
) -> TargetPoint:
    coarse = fmr < well_measured_fmr(theirs.n)
    some = ours.n > 0 and theirs.n > 0
    observed = fnmr_at_fmr(ours, theirs, fmr, require_evidence=False) if some else None
    try:
        point = bootstrap_at_fmr(
            genuine, impostor, fmr, rng=np.random.default_rng(seed), n_rounds=N_ROUNDS
        )
    except NotEnoughEvidence as error:
        return TargetPoint(fmr, None, None, None, None, coarse, str(error), observed)
    frr = false_reject_rate(point.fnmr.value, fta=lost)
    span = point.threshold_interval
    return TargetPoint(fmr, point.threshold, span, point.fnmr, frr, coarse, "", observed)


def _units(trials: Counts) -> int:
    return trials.units
