"""Scores to error rates, in the terms of ISO/IEC 19795-1, with what the data supports.

Pure numpy. A score is a similarity, higher is more alike; a comparison is accepted when
score >= threshold. Figures that the data cannot support raise NotEnoughEvidence.
"""

from __future__ import annotations

from mien.metrics.bootstrap import (
    Counts,
    CrossCounts,
    PairCounts,
    PersonCounts,
    bootstrap_rate,
    draw_people,
)
from mien.metrics.curves import DetCurve, EqualError, RocCurve, det, eer, normal_deviates, roc
from mien.metrics.evidence import (
    ErrorRate,
    Interval,
    NotEnoughEvidence,
    check_fmr_supported,
    clopper_pearson,
    independent_rate,
    lowest_supported_fmr,
    rule_of_3,
    trials_needed,
    well_measured_fmr,
)
from mien.metrics.folds import FoldAccuracy, accuracy_10_fold, best_threshold
from mien.metrics.odds import StrangerOdds, StrangerReading, stranger_odds
from mien.metrics.rates import (
    OperatingPoint,
    apcer,
    bpcer,
    failure_rate,
    false_accept_rate,
    false_reject_rate,
    fmr_at,
    fnmr_at,
    fnmr_at_fmr,
    operating_point,
    point_at_fmr,
    threshold_at_fmr,
    worst_apcer,
)
from mien.metrics.resample import GenuineTrials, ImpostorTrials, PointAtFmr, bootstrap_at_fmr
from mien.metrics.scores import ImpostorTally, Scores, ScoresLike, as_scores

__all__ = [
    "Counts",
    "CrossCounts",
    "DetCurve",
    "EqualError",
    "ErrorRate",
    "FoldAccuracy",
    "GenuineTrials",
    "ImpostorTally",
    "ImpostorTrials",
    "Interval",
    "NotEnoughEvidence",
    "OperatingPoint",
    "PairCounts",
    "PersonCounts",
    "PointAtFmr",
    "RocCurve",
    "Scores",
    "ScoresLike",
    "StrangerOdds",
    "StrangerReading",
    "accuracy_10_fold",
    "apcer",
    "as_scores",
    "best_threshold",
    "bootstrap_at_fmr",
    "bootstrap_rate",
    "bpcer",
    "check_fmr_supported",
    "clopper_pearson",
    "det",
    "draw_people",
    "eer",
    "failure_rate",
    "false_accept_rate",
    "false_reject_rate",
    "fmr_at",
    "fnmr_at",
    "fnmr_at_fmr",
    "independent_rate",
    "lowest_supported_fmr",
    "normal_deviates",
    "operating_point",
    "point_at_fmr",
    "roc",
    "rule_of_3",
    "stranger_odds",
    "threshold_at_fmr",
    "trials_needed",
    "well_measured_fmr",
    "worst_apcer",
]
