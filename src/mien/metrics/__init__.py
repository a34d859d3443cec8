"""Error rates from scores, in the terms of ISO/IEC 19795-1 and 30107-3, with their evidence.

Pure numpy. A score is a similarity, higher is more alike; a comparison is accepted when
score >= threshold. Figures that the data cannot support raise NotEnoughEvidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mien.metrics.bootstrap import (
        Counts,
        CrossCounts,
        PairCounts,
        PersonCounts,
        draw_people,
    )
    from mien.metrics.curves import DetCurve, EqualError, det, eer, normal_deviates
    from mien.metrics.evidence import (
        ErrorRate,
        Interval,
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
        false_reject_rate,
        fnmr_at_fmr,
        operating_point,
        point_at_fmr,
        threshold_at_fmr,
        worst_apcer,
    )
    from mien.metrics.resample import (
        FnmrChange,
        GenuineTrials,
        ImpostorTrials,
        PointAtFmr,
        bootstrap_at_fmr,
        paired_fnmr_change,
    )
    from mien.metrics.scores import ImpostorTally, Scores, ScoresLike, as_scores

__all__ = [
    "Counts",
    "CrossCounts",
    "DetCurve",
    "EqualError",
    "ErrorRate",
    "FnmrChange",
    "FoldAccuracy",
    "GenuineTrials",
    "ImpostorTally",
    "ImpostorTrials",
    "Interval",
    "OperatingPoint",
    "PairCounts",
    "PersonCounts",
    "PointAtFmr",
    "Scores",
    "ScoresLike",
    "StrangerOdds",
    "StrangerReading",
    "accuracy_10_fold",
    "apcer",
    "as_scores",
    "best_threshold",
    "bootstrap_at_fmr",
    "bpcer",
    "check_fmr_supported",
    "clopper_pearson",
    "det",
    "draw_people",
    "eer",
    "failure_rate",
    "false_reject_rate",
    "fnmr_at_fmr",
    "independent_rate",
    "lowest_supported_fmr",
    "normal_deviates",
    "operating_point",
    "paired_fnmr_change",
    "point_at_fmr",
    "rule_of_3",
    "stranger_odds",
    "threshold_at_fmr",
    "trials_needed",
    "well_measured_fmr",
    "worst_apcer",
]

# each name is loaded when it is first used, because an unlock reads only one table
_MODULES = {
    "Counts": "mien.metrics.bootstrap",
    "CrossCounts": "mien.metrics.bootstrap",
    "DetCurve": "mien.metrics.curves",
    "EqualError": "mien.metrics.curves",
    "ErrorRate": "mien.metrics.evidence",
    "FnmrChange": "mien.metrics.resample",
    "FoldAccuracy": "mien.metrics.folds",
    "GenuineTrials": "mien.metrics.resample",
    "ImpostorTally": "mien.metrics.scores",
    "ImpostorTrials": "mien.metrics.resample",
    "Interval": "mien.metrics.evidence",
    "OperatingPoint": "mien.metrics.rates",
    "PairCounts": "mien.metrics.bootstrap",
    "PersonCounts": "mien.metrics.bootstrap",
    "PointAtFmr": "mien.metrics.resample",
    "Scores": "mien.metrics.scores",
    "ScoresLike": "mien.metrics.scores",
    "StrangerOdds": "mien.metrics.odds",
    "StrangerReading": "mien.metrics.odds",
    "accuracy_10_fold": "mien.metrics.folds",
    "apcer": "mien.metrics.rates",
    "as_scores": "mien.metrics.scores",
    "best_threshold": "mien.metrics.folds",
    "bootstrap_at_fmr": "mien.metrics.resample",
    "bpcer": "mien.metrics.rates",
    "check_fmr_supported": "mien.metrics.evidence",
    "clopper_pearson": "mien.metrics.evidence",
    "det": "mien.metrics.curves",
    "draw_people": "mien.metrics.bootstrap",
    "eer": "mien.metrics.curves",
    "failure_rate": "mien.metrics.rates",
    "false_reject_rate": "mien.metrics.rates",
    "fnmr_at_fmr": "mien.metrics.rates",
    "independent_rate": "mien.metrics.evidence",
    "lowest_supported_fmr": "mien.metrics.evidence",
    "normal_deviates": "mien.metrics.curves",
    "operating_point": "mien.metrics.rates",
    "paired_fnmr_change": "mien.metrics.resample",
    "point_at_fmr": "mien.metrics.rates",
    "rule_of_3": "mien.metrics.evidence",
    "stranger_odds": "mien.metrics.odds",
    "threshold_at_fmr": "mien.metrics.rates",
    "trials_needed": "mien.metrics.evidence",
    "well_measured_fmr": "mien.metrics.evidence",
    "worst_apcer": "mien.metrics.rates",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'mien.metrics' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value
