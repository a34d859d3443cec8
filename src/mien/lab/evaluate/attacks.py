"""Evaluate the liveness check on the clips of a manifest: rates, and a file with every score."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mien.app.pipeline import Pipeline
from mien.errors import NotEnoughEvidence
from mien.lab.evaluate.attack_manifest import Clip
from mien.lab.evaluate.attack_matching import measure_iapar
from mien.lab.evaluate.attack_rates import (
    BPCERS,
    MIN_CLIPS,
    AttackRates,
    measure_attacks,
    non_response_rates,
    personal_thresholds,
    threshold_at_bpcer,
)
from mien.lab.evaluate.attack_scoring import ClipScore, score_clip
from mien.lab.report.output import write_output
from mien.liveness.passive import FLOOR, ScoreFace
from mien.metrics import ErrorRate
from mien.results import ByteArray, Face, FloatArray

JSON_NAME = "attacks.json"


@dataclass(frozen=True, slots=True)
class AttackEvaluation:
    """scores: of every clip. rates: by the way to decide. refusals: what the data cannot say.

    iapar: None where nobody was enrolled and attacked.
    """

    scores: tuple[ClipScore, ...]
    rates: tuple[AttackRates, ...]
    non_response: dict[str, ErrorRate]
    refusals: tuple[str, ...]
    iapar: ErrorRate | None = None


def evaluate_attacks(
    clips: Iterable[Clip], *, pipeline: Pipeline, score_face: ScoreFace
) -> AttackEvaluation:
    """Score the clips and measure. Raises UsageError or UnreadableImage for a clip."""

    def embed(image_rgb: ByteArray, face: Face) -> FloatArray:
        vector: FloatArray = pipeline.embed([pipeline.crop(image_rgb, face)])[0]
        return vector

    scores = [score_clip(clip, pipeline.door_face, score_face, embed) for clip in clips]
    iapar = measure_iapar(scores, personal_thresholds(scores), pipeline.matcher)
    return replace(measure(scores), iapar=iapar)


def measure(scores: Sequence[ClipScore]) -> AttackEvaluation:
    """Rates of the ways to decide that the clips allow."""
    rates = [
        measure_attacks("passive, threshold 0", scores, {}, FLOOR, with_motion=False),
        measure_attacks("with motion rules", scores, {}, FLOOR, with_motion=True),
    ]
    refusals = []
    if personal := personal_thresholds(scores):
        name = "personal thresholds, with motion rules"
        rates.append(measure_attacks(name, scores, personal, FLOOR, with_motion=True))
    else:
        refusals.append("personal thresholds: no clip of a living person has the split enroll")
    for bpcer in BPCERS:
        try:
            fitted = threshold_at_bpcer(scores, bpcer)
        except NotEnoughEvidence as error:
            refusals.append(str(error))
            continue
        name = f"threshold {fitted:.2f}, BPCER {bpcer:.0%} on devel"
        rates.append(measure_attacks(name, scores, {}, fitted, with_motion=False))
    refusals += [
        f"APCER of {species}: {count} clips, {MIN_CLIPS} are needed; record more"
        for species, count in rates[0].refused.items()
    ]
    return AttackEvaluation(
        tuple(scores), tuple(rates), non_response_rates(scores), tuple(refusals)
    )


def summary_lines(evaluation: AttackEvaluation) -> list[str]:
    """What the command prints."""
    lines = [f"{len(evaluation.scores)} clips scored; rates are of the split test"]
    for rates in evaluation.rates:
        lines.append(f"{rates.name}:")
        if rates.bpcer is not None:
            lines.append(f"  BPCER {rates.bpcer}")
        lines += [f"  APCER of {species} {rate}" for species, rate in rates.apcer.items()]
        if rates.worst is not None:
            lines.append(f"  worst species: {rates.worst}")
        if rates.overall is not None:
            lines.append(f"  attacks of every species that pass {rates.overall}")
        if rates.best_of_three is not None:
            lines.append(f"  at least one of three attempts passes {rates.best_of_three}")
    if evaluation.iapar is not None:
        lines.append(f"IAPAR, attacks on enrolled people that unlock {evaluation.iapar}")
    lines += [f"{name} {rate}" for name, rate in evaluation.non_response.items()]
    lines += [f"not stated: {refusal}" for refusal in evaluation.refusals]
    return lines


def evaluation_data(evaluation: AttackEvaluation) -> dict[str, object]:
    """For JSON: rates and the score of every clip; no picture."""
    return {
        "rates": [
            {
                "name": rates.name,
                "bpcer": None if rates.bpcer is None else _rate(rates.bpcer),
                "apcer": {species: _rate(rate) for species, rate in rates.apcer.items()},
                "worst": rates.worst,
                "overall": None if rates.overall is None else _rate(rates.overall),
                "best_of_three": (
                    None if rates.best_of_three is None else _rate(rates.best_of_three)
                ),
            }
            for rates in evaluation.rates
        ],
        "iapar": None if evaluation.iapar is None else _rate(evaluation.iapar),
        "non_response": {name: _rate(rate) for name, rate in evaluation.non_response.items()},
        "refusals": list(evaluation.refusals),
        "clips": [
            {
                "clip": one.clip.name,
                "label": one.clip.label,
                "species": one.clip.species,
                "split": one.clip.split,
                "score": round(one.score, 4) if one.is_response else None,
                "frames": one.frames,
                "motion": None if one.motion is None else one.motion.name.lower(),
            }
            for one in evaluation.scores
        ],
    }


def write_scores(data: dict[str, object], folder: Path) -> Path:
    """Write the JSON file; returns its path. UsageError if it cannot be written."""
    return write_output(folder / JSON_NAME, (json.dumps(data, indent=2) + "\n").encode())


def _rate(rate: ErrorRate) -> dict[str, object]:
    return {
        "value": round(rate.value, 6),
        "errors": rate.errors,
        "trials": rate.trials,
        "low": round(rate.interval.low, 6),
        "high": round(rate.interval.high, 6),
    }
