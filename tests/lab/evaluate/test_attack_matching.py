"""IAPAR on vectors made by hand: what passes the liveness check and matches the attacked person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.lab.evaluate.attack_manifest import Clip
from mien.lab.evaluate.attack_matching import measure_iapar, templates_of
from mien.lab.evaluate.attack_scoring import ClipScore
from mien.liveness.motion import MotionFault
from mien.matching.matcher import Matcher
from mien.models import SFACE
from mien.results import FloatArray

MATCHER = Matcher(SFACE)
AXES = np.eye(SFACE.dims, dtype=np.float32)
ANNA, BEN = AXES[0], AXES[1]


def rows(*vectors: FloatArray) -> FloatArray:
    return np.stack(vectors)


def clip(
    split: str,
    vectors: FloatArray | None,
    *,
    subject: str = "anna",
    species: str = "print",
    score: float = 5.0,
    motion: MotionFault | None = None,
) -> ClipScore:
    label = "attack" if species else "live"
    made = Clip("clip", Path("x"), 25.0, subject, "", "", "", label, species, "", "", split)
    frames = 0 if vectors is None else len(vectors)
    return ClipScore(made, score if frames else np.nan, frames, 6.0, motion, vectors)


ENROLLED = clip("enroll", rows(ANNA, ANNA), species="")
MATCHING, STRANGER = rows(*[ANNA] * 5), rows(*[BEN] * 5)


def accepted(*scores: ClipScore, threshold: float = 0.0) -> tuple[int, int]:
    rate = measure_iapar([ENROLLED, *scores], {"anna": threshold}, MATCHER)
    assert rate is not None
    return rate.errors, rate.trials


def test_an_attack_counts_that_passes_the_check_and_matches() -> None:
    assert accepted(clip("test", MATCHING)) == (1, 1)


@pytest.mark.parametrize(
    "refused",
    [
        clip("test", STRANGER),
        clip("test", MATCHING, score=-0.1),
        clip("test", MATCHING, motion=MotionFault.RIGID),
        clip("test", rows(ANNA, ANNA, BEN, BEN, BEN)),  # three of five frames must agree
        clip("test", None),  # no face was found
    ],
    ids=["match", "passive", "motion", "vote", "no face"],
)
def test_an_attack_that_one_of_them_refuses_is_a_trial_without_success(refused: ClipScore) -> None:
    assert accepted(clip("test", MATCHING), refused) == (1, 2)


def test_the_personal_threshold_is_used() -> None:
    assert accepted(clip("test", MATCHING, score=2.0), threshold=3.0) == (0, 1)


def test_other_splits_living_people_and_people_without_a_template_are_no_trials() -> None:
    others = [
        clip("devel", MATCHING),
        clip("test", MATCHING, species=""),
        clip("test", MATCHING, subject="ben"),
    ]
    assert accepted(clip("test", MATCHING), *others) == (1, 1)
    assert measure_iapar([ENROLLED, *others], {}, MATCHER) is None
    assert measure_iapar([clip("test", MATCHING)], {}, MATCHER) is None


def test_a_template_has_at_most_five_frames_spread_over_the_clips() -> None:
    first, second = rows(*AXES[:5]), rows(*AXES[5:10])
    made = templates_of(
        [clip("enroll", first, species=""), clip("enroll", second, species="")], MATCHER
    )
    assert made["anna"].vectors.argmax(axis=1).tolist() == [0, 2, 4, 6, 9]
