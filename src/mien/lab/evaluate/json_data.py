"""The figures of an evaluation as plain data for `evaluation.json`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mien import __version__
from mien.lab.evaluate.error_rates import ErrorFigures, TargetPoint
from mien.lab.evaluate.run import Evaluation, MethodResult
from mien.lab.labels import clean_text
from mien.metrics import ErrorRate, Interval

FORMAT = 4  # one more when a reader of the JSON would have to change


def evaluation_data(evaluation: Evaluation, now: datetime) -> dict[str, Any]:
    """The figures for programs; rates are 0..1."""
    n, failed = len(evaluation.people.photos), len(evaluation.failures)
    return {
        "format": FORMAT,
        "mien": __version__,
        "date": now.isoformat(timespec="seconds"),
        "protocol": evaluation.protocol,
        "data": clean_text(evaluation.data),
        "photos": n,
        "people": len(evaluation.people.names),
        "pairs": evaluation.n_pairs,
        "failures_to_acquire": failed,
        "failure_to_acquire_rate": failed / n,
        "pairs_not_compared": {
            "genuine": evaluation.lost_genuine,
            "impostor": evaluation.lost_impostor,
        },
        "model": evaluation.model.name,
        "model_sha256": evaluation.model.sha256,
        "engine": evaluation.engine,
        "face": evaluation.plan.choice,
        "seed": evaluation.plan.seed,
        "methods": [_method_data(method) for method in evaluation.methods],
    }


def _method_data(method: MethodResult) -> dict[str, Any]:
    data: dict[str, Any] = {
        "method": method.name,
        "photos_known_to_cohort": method.n_in_cohort,
        "accuracy": None,
    }
    if method.accuracy is not None:
        folds = method.accuracy.folds
        data["accuracy"] = (
            {"refused": method.accuracy.refusal}
            if folds is None
            else {
                "mean": folds.mean,
                "standard_error": folds.standard_error,
                "folds": list(folds.accuracies),
            }
        )
    data["comparisons"] = [_error_figures_data(figures) for figures in method.figures]
    data["by_quality"] = [
        {
            "quality": one.band,
            "photos": one.photos,
            "genuine_refused": _rate_data(one.genuine),
            "impostor_accepted": _rate_data(one.impostor),
        }
        for one in method.by_quality
    ]
    return data


def _rate_data(rate: ErrorRate | None) -> dict[str, object] | None:
    if rate is None:
        return None
    return {
        "errors": rate.errors,
        "trials": rate.trials,
        "rate": rate.value,
        "interval": _interval_data(rate.interval),
    }


def _error_figures_data(figures: ErrorFigures) -> dict[str, Any]:
    return {
        "name": figures.name,
        "genuine": figures.genuine.n,
        "impostor": figures.impostor.n,
        "genuine_not_compared": figures.n_lost,
        "pairs_of_people": figures.n_person_pairs,
        "eer": None if figures.eer is None else figures.eer.rate,
        "at_fmr": [_point_data(at) for at in figures.at],
    }


def _point_data(at: TargetPoint) -> dict[str, Any]:
    if at.fnmr is None:
        return {"fmr": at.fmr, "refused": at.refusal, "observed_fnmr": at.observed_fnmr}
    return {
        "fmr": at.fmr,
        "threshold": at.threshold,
        "threshold_interval": _interval_data(at.threshold_interval),
        "fnmr": at.fnmr.value,
        "fnmr_interval": _interval_data(at.fnmr.interval),
        "false_non_matches": at.fnmr.errors,
        "frr": at.frr,
        "order_of_magnitude_only": at.coarse,
    }


def _interval_data(interval: Interval | None) -> dict[str, object] | None:
    if interval is None:
        return None
    low, high, level, basis = interval.low, interval.high, interval.level, interval.basis
    return {"low": _finite(low), "high": _finite(high), "level": level, "basis": basis}


def _finite(value: float) -> float | None:
    """JSON has no infinity; a threshold that accepts everything is none."""
    return value if abs(value) < float("inf") else None
