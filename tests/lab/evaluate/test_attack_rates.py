"""APCER of each species, BPCER and thresholds, on scores made by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mien.errors import NotEnoughEvidence
from mien.lab.evaluate.attack_manifest import Clip
from mien.lab.evaluate.attack_rates import (
    measure_attacks,
    non_response_rates,
    personal_thresholds,
    threshold_at_bpcer,
)
from mien.lab.evaluate.attack_scoring import ClipScore
from mien.lab.evaluate.attacks import evaluation_data, measure, summary_lines
from mien.liveness.motion import MotionFault

NAN = math.nan


def clips(
    *scores: float, species: str = "", split: str = "test", motion: MotionFault | None = None,
    subject: str = "anna",
) -> list[ClipScore]:  # fmt: skip
    label = "attack" if species else "live"
    return [
        ClipScore(
            Clip(f"{species}{split}{n}", Path("x"), 25.0, subject, "", "", "", label, species,
                 "", "", split),
            score, 0 if math.isnan(score) else 5, 6.0, motion,
        )
        for n, score in enumerate(scores)
    ]  # fmt: skip


def rates(scores: list[ClipScore], default: float = 0.0, **options: Any) -> Any:
    options = {"with_motion": False} | options
    return measure_attacks("made", scores, options.pop("thresholds", {}), default, **options)


def test_the_rates_are_shares_of_the_clips_with_a_face() -> None:
    scores = clips(1, 1, 1, -1, NAN) + clips(*[1] * 6 + [-1] * 24, species="print")
    found = rates(scores)
    assert (found.bpcer.errors, found.bpcer.trials) == (1, 4)
    assert (found.apcer["print"].errors, found.apcer["print"].trials) == (6, 30)
    assert found.worst == "print"


def test_a_species_with_fewer_than_30_clips_is_not_stated_and_there_is_no_worst() -> None:
    scores = clips(*[1] * 29, species="mask") + clips(*[-1] * 30, species="print")
    found = rates(scores)
    assert found.refused == {"mask": 29}
    assert list(found.apcer) == ["print"]
    assert found.worst is None


def test_the_worst_species_is_the_one_that_passes_most_often() -> None:
    scores = clips(*[1] * 3 + [-1] * 27, species="print")
    scores += clips(*[1] * 9 + [-1] * 31, species="tablet")
    assert rates(scores).worst == "tablet"


def test_motion_refuses_where_it_is_asked_for() -> None:
    scores = clips(*[5] * 30, species="print", motion=MotionFault.RIGID)
    assert rates(scores).apcer["print"].errors == 30
    assert rates(scores, with_motion=True).apcer["print"].errors == 0


def test_a_personal_threshold_is_of_the_subject_alone() -> None:
    enrolled = clips(6.0, 8.0, split="enroll")
    assert personal_thresholds(enrolled) == {"anna": 3.0}
    scores = clips(2.0, 4.0) + clips(2.0, subject="ben")
    assert rates(scores, thresholds={"anna": 3.0}).bpcer.errors == 1


def test_a_threshold_is_fitted_on_devel_and_never_on_test() -> None:
    devel = clips(*[float(n) for n in range(20)], split="devel")
    scores = devel + clips(*[-9.0] * 50)
    threshold = threshold_at_bpcer(scores, 0.05)
    assert threshold == 1.0  # one of twenty is below it
    with pytest.raises(NotEnoughEvidence, match="needs 20 clips of living people in the split"):
        threshold_at_bpcer(devel[:19] + clips(*[1.0] * 99), 0.05)


def test_clips_without_a_face_are_non_responses() -> None:
    found = non_response_rates(clips(1, NAN) + clips(NAN, NAN, 1, 1, species="print"))
    assert {name: (r.errors, r.trials) for name, r in found.items()} == {
        "APNRR": (2, 4), "BPNRR": (1, 2),
    }  # fmt: skip


def test_the_summary_says_what_the_data_cannot_say() -> None:
    evaluation = measure(clips(1.0) + clips(1.0, species="mask"))
    lines = "\n".join(summary_lines(evaluation))
    assert "not stated: personal thresholds: no clip" in lines
    assert "not stated: a BPCER of 5% needs 20 clips" in lines
    assert "not stated: APCER of mask: 1 clips, 30 are needed" in lines
    assert "APCER of mask " not in lines.replace("not stated: APCER of mask", "")
    json.dumps(evaluation_data(evaluation), allow_nan=False)


def test_all_attacks_together_and_the_best_of_three_are_counted_over_subjects() -> None:
    scores = clips(-1, -1, 1, -1, -1, -1, -1, species="print")  # a seventh starts no three
    scores += clips(-1, -1, -1, species="print", subject="ben")
    scores += clips(1, 1, -1, species="tablet", subject="ben") + clips(1, 1)
    found = rates(scores)
    assert (found.overall.errors, found.overall.trials) == (3, 13)
    assert (found.best_of_three.errors, found.best_of_three.trials) == (2, 4)
    assert found.overall.interval.basis == "bootstrap over people"
    alone = rates(clips(1, -1, species="print"))
    assert alone.best_of_three is None
    assert (alone.overall.errors, alone.overall.trials) == (1, 2)
    assert rates(clips(1, 1)).overall is None
