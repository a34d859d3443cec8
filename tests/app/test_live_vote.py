"""The vote with the liveness check: it only refuses, on the frames that were identified."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from mien.app.live_vote import PassiveCheck, choose_scorer, threshold_from, vote_live
from mien.errors import ModelAltered, ModelMissing, NoFaceFound, Outcome
from mien.liveness.passive import ScoreFace
from mien.media.frame import Frame
from mien.results import ByteArray, Decision, Face, Threshold
from mien.settings import Settings
from mien.vault.records.record import LivenessHistory

THRESHOLD = Threshold(0.5, "sface", "made for this test")
EYES = np.array([[50, 55], [70, 55], [60, 65], [52, 80], [68, 80]], np.float32)
FACE = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 0.9)


def frames(*values: int) -> Iterable[Frame]:
    """Grey frames; the value says what is on it."""
    return [Frame(n / 10, np.full((8, 8, 3), v, np.uint8)) for n, v in enumerate(values)]


HER, OTHER, NOBODY = 200, 100, 50


def decide(frame: Frame, *, whole: bool) -> Decision:
    value = int(frame.image_rgb[0, 0, 0])
    if value == NOBODY:
        return Decision(math.nan, THRESHOLD, "no face", Outcome.NO_FACE)
    outcome = Outcome.UNLOCKED if value >= HER else Outcome.NOT_THE_OWNER
    return Decision(0.9 if value >= HER else 0.1, THRESHOLD, "made", outcome, FACE)


class Scorer:
    """Gives its scores in turn, and keeps what it was asked about."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)
        self.asked: list[int] = []

    def __call__(self, image_rgb: ByteArray, face: Face) -> float:
        assert face is FACE
        self.asked.append(int(image_rgb[0, 0, 0]))
        return self.scores.pop(0)


def check(score_face: ScoreFace, threshold: float = 0.0) -> PassiveCheck:
    return PassiveCheck(score_face, lambda image_rgb: FACE, lambda decision: threshold)


def test_a_camera_whose_frames_repeat_bit_for_bit_is_refused() -> None:
    alive = (9.0, 9.0, 9.0)
    repeated, fresh = frames(HER, HER, HER), frames(HER, HER + 1, HER + 2)
    refused = vote_live(repeated, decide, check(Scorer(*alive)), is_camera=True)
    assert refused.outcome is Outcome.NOT_LIVE
    assert refused.liveness is not None
    assert refused.liveness.refused_by == "repeated"
    assert vote_live(fresh, decide, check(Scorer(*alive)), is_camera=True)
    assert vote_live(
        repeated, decide, check(Scorer(*alive))
    )  # a film may have the same frame twice


def test_a_living_owner_is_unlocked_with_the_evidence() -> None:
    decision = vote_live(frames(HER, HER, HER), decide, check(Scorer(1.0, -0.5, 2.5)))
    assert decision
    assert decision.liveness is not None
    assert decision.liveness.to_dict() == {
        "tier": "casual", "score": 1.0, "threshold": 0.0, "frames": 3,
    }  # fmt: skip


def test_a_person_who_looked_more_alive_when_enrolling_has_a_higher_threshold() -> None:
    threshold = threshold_from(LivenessHistory(7.0))
    assert threshold == 3.0  # less a margin of 4
    refused = vote_live(frames(HER, HER, HER), decide, check(Scorer(2.9, 2.9, 2.9), threshold))
    assert refused.outcome is Outcome.NOT_LIVE
    assert refused.liveness is not None
    assert refused.liveness.threshold == 3.0
    assert vote_live(frames(HER, HER, HER), decide, check(Scorer(3.0, 3.0, 3.0), threshold))


def test_the_margin_narrows_after_three_days_and_never_goes_below_the_floor() -> None:
    days = tuple(date(2026, 1, day) for day in (1, 2, 3))
    assert threshold_from(LivenessHistory(7.0, days[:2])) == 3.0
    assert threshold_from(LivenessHistory(7.0, days)) == 4.0
    assert threshold_from(LivenessHistory(1.0, days)) == 0.0
    assert threshold_from(None) == 0.0


@pytest.mark.parametrize(("step_s", "motion"), [(1.5, "frozen"), (0.1, "")])
def test_a_long_look_in_which_nothing_moves_is_not_live(step_s: float, motion: str) -> None:
    still = np.random.default_rng(0).integers(HER, 256, (120, 120, 3)).astype(np.uint8)
    nobody = still.copy()
    nobody[0, 0, 0] = NOBODY
    still[0, 0, 0] = HER
    seen = [Frame(n * step_s, one) for n, one in enumerate([nobody] * 2 + [still] * 3)]
    face = Face(np.array([40, 40, 80, 90], np.float32), EYES, 0.9)
    see = PassiveCheck(lambda image, found: 5.0, lambda image: face)
    decision = vote_live(seen, decide, see)
    assert decision.outcome is (Outcome.NOT_LIVE if motion else Outcome.UNLOCKED)
    assert decision.liveness is not None
    assert decision.liveness.to_dict().get("motion", "") == motion
    assert decision.liveness.refused_by == motion


@pytest.mark.parametrize("value", [HER, OTHER])
@pytest.mark.parametrize("score", [-0.01, -5.0, math.nan])
def test_a_picture_is_not_live_whoever_it_shows(value: int, score: float) -> None:
    decision = vote_live(frames(value, value, value), decide, check(Scorer(score, score, score)))
    assert decision.outcome is Outcome.NOT_LIVE
    assert not decision
    assert math.isnan(decision.similarity)  # a picture is not told whose it resembles
    assert decision.liveness is not None
    assert decision.liveness.refused_by == "passive"
    assert decision.to_dict()["exit_code"] == 9


def test_one_frame_without_a_number_refuses_the_attempt() -> None:
    decision = vote_live(frames(HER, HER, HER), decide, check(Scorer(9.0, math.nan, 9.0)))
    assert decision.outcome is Outcome.NOT_LIVE
    assert decision.liveness is not None
    assert decision.liveness.to_dict()["score"] is None


def test_a_living_stranger_is_not_the_owner() -> None:
    decision = vote_live(frames(OTHER, OTHER, OTHER), decide, check(Scorer(5.0, 5.0, 5.0)))
    assert decision.outcome is Outcome.NOT_THE_OWNER


def test_the_frames_that_are_scored_are_those_that_vote() -> None:
    scorer = Scorer(*[1.0] * 9)
    assert vote_live(frames(0, HER, NOBODY, OTHER, HER, HER, HER), decide, check(scorer))
    assert scorer.asked == [HER, OTHER, HER, HER]


def test_without_a_face_the_outcome_stays() -> None:
    decision = vote_live(frames(NOBODY, NOBODY), decide, check(Scorer()))
    assert decision.outcome is Outcome.NO_FACE
    assert decision.liveness is None
    with pytest.raises(NoFaceFound):
        vote_live(frames(0, 0), decide, check(Scorer()))


def test_a_face_that_cannot_be_cut_out_is_not_live() -> None:
    def refuse(image_rgb: ByteArray, face: Face) -> float:
        raise ValueError("the face's box is not finite or has no area")

    decision = vote_live(frames(HER, HER, HER), decide, check(refuse))
    assert decision.outcome is Outcome.NOT_LIVE


def test_another_error_of_the_check_is_raised() -> None:
    def fail(image_rgb: ByteArray, face: Face) -> float:
        raise RuntimeError("the engine failed")

    with pytest.raises(RuntimeError):
        vote_live(frames(HER, HER, HER), decide, check(fail))


def test_without_a_check_there_is_no_evidence() -> None:
    decision = vote_live(frames(HER, HER, HER), decide, None)
    assert decision
    assert decision.liveness is None


@pytest.mark.parametrize(
    ("policy", "is_camera", "is_checked"),
    [
        (None, True, True), (None, False, False), ("off", True, False), ("off", False, False),
        ("passive", True, True), ("passive", False, True),
    ],
)  # fmt: skip
def test_the_policy_with_the_models(
    with_liveness: Settings, policy: str | None, is_camera: bool, is_checked: bool
) -> None:
    chosen = choose_scorer(replace(with_liveness, liveness=policy), is_camera=is_camera)
    assert (chosen is not None) is is_checked


def test_without_the_models_passive_is_refused_and_the_default_does_not_check(
    settings: Settings, tmp_path: Path
) -> None:
    bare = replace(settings, data_dir=tmp_path)
    for is_camera in (True, False):
        with pytest.raises(ModelMissing, match="run: mien models add liveness"):
            choose_scorer(replace(bare, liveness="passive"), is_camera=is_camera)
    assert choose_scorer(replace(bare, liveness=None), is_camera=True) is None


@pytest.mark.parametrize("policy", [None, "passive"])
def test_an_altered_model_is_refused_under_every_policy_that_checks(
    with_liveness: Settings, tmp_path: Path, policy: str | None
) -> None:
    (tmp_path / "models").mkdir()
    for graph in (with_liveness.data_dir / "models").glob("*.onnx"):
        (tmp_path / "models" / graph.name).write_bytes(b"altered")
    with pytest.raises(ModelAltered):
        choose_scorer(replace(with_liveness, data_dir=tmp_path, liveness=policy), is_camera=True)
