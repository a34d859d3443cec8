"""A challenge on frames: what is measured, what is told, and how it ends."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mien.app.live_challenge import FACE_THE_CAMERA, NOT_PASSED, FrameMeter, decide_by_challenge
from mien.app.pipeline import Probe
from mien.errors import NoFaceFound, Outcome, SeveralFacesFound
from mien.liveness.challenge import ChallengeSession, Denial, Phase
from mien.liveness.mesh import LEFT_CHEEK, LEFT_EYE, MOUTH, NOSE_TIP, RIGHT_CHEEK, RIGHT_EYE
from mien.liveness.plan import Action, ChallengePlan
from mien.media.frame import Frame
from mien.results import ByteArray, Decision, Face, Threshold

STEP_S = 0.1
THRESHOLD = Threshold(0.4, "sface", "by hand")
FACE = Face(
    np.float32([20, 20, 60, 70]),
    np.float32([[30, 40], [50, 40], [40, 50], [32, 60], [48, 60]]),
    0.99,
)
OWNER, OTHER = np.eye(2, dtype=np.float32)
PLAN = ChallengePlan("nonce", "ana", (Action.TURN_LEFT, Action.TURN_RIGHT), (0.5, 0.5), 60.0)


class Actor:
    """A pipeline, a mesh and a verifier that see what is written into the first pixels.

    Pixel 0: yaw in mesh degrees + 100; 1: whose face, or 2 for none and 3 for several; 2: whether
    the turn is deep; 3: whether it looks alive. Pixel 4 counts the frames.
    """

    def embed(self, frame: Frame, *, whole: bool) -> Probe:
        who = int(frame.image_rgb[0, 0, 1])
        if who == 2:
            raise NoFaceFound("no face found")
        if who == 3:
            raise SeveralFacesFound("2 faces of similar size")
        return Probe(FACE, (OWNER, OTHER)[who], ())

    def mesh(self, image: ByteArray, face: Face) -> Any:
        yaw, deep = int(image[0, 0, 0]) - 100, bool(image[0, 0, 2])
        points = np.random.default_rng(0).uniform(0, 100, (468, 3))
        for rows, x, y in ((LEFT_EYE, 30, 40), (RIGHT_EYE, 70, 40), (MOUTH, 50, 80)):
            points[rows] = (x, y, 0)
        turn = math.radians(yaw)
        if deep:  # points move by their depth, the nose most
            points[:, 0] += points[:, 2] * math.sin(turn)
            points[NOSE_TIP, 0] += 40 * math.sin(turn)
        points[LEFT_CHEEK] = (0, 50, 0)
        points[RIGHT_CHEEK] = (100 * math.cos(turn), 50, 100 * math.sin(turn))
        return points

    def decide(self, frame: Frame, *, whole: bool) -> Decision:
        accepted = frame.image_rgb[0, 0, 1] == 0
        outcome = Outcome.UNLOCKED if accepted else Outcome.NOT_THE_OWNER
        return Decision(0.8 if accepted else 0.1, THRESHOLD, "by hand", outcome, FACE)

    def score(self, image: ByteArray, face: Face) -> float:
        return float(image[0, 1, 0]) - 1.0


def film(*parts: tuple[int, int, dict[str, int]]) -> Iterator[Frame]:
    """Frames of (how many, yaw at their end, what else they show)."""
    number, yaw = 0, 0.0
    for count, target, shown in parts:
        for step in range(count):
            number += 1
            at = yaw + (target - yaw) * (step + 1) / count
            image = np.zeros((2, 2, 3), np.uint8)
            image[0, 0] = (round(at) + 100, shown.get("who", 0), shown.get("deep", 1))
            image[0, 1, 0] = shown.get("alive", 2)
            image[1, 0, :2] = divmod(number, 256)
            yield Frame(number * STEP_S, image)
        yaw = target


def run(*parts: tuple[int, int, dict[str, int]]) -> tuple[Decision, ChallengeSession, list[str]]:
    actor, session, told = Actor(), ChallengeSession(PLAN), []
    meter = FrameMeter(actor.decide, actor.embed, actor.mesh, actor.score)
    decision = decide_by_challenge(film(*parts), session, meter, told.append)
    return decision, session, told


FRONT, AWAY, BACK = (9, 0, {}), (5, 32, {}), (4, 0, {})
RIGHT = ((6, 0, {}), (5, -32, {}), (2, -32, {}), (4, 0, {}), (8, 0, {}))
PASSING = (FRONT, AWAY, (2, 32, {}), BACK, *RIGHT)


def test_the_right_turns_unlock_and_the_evidence_says_so() -> None:
    decision, session, told = run(*PASSING)
    assert session.phase is Phase.PASSED, session.denial
    assert decision.outcome is Outcome.UNLOCKED
    assert decision.similarity == 0.8
    assert decision.liveness is not None
    assert decision.liveness.to_dict() == {
        "tier": "print-proof", "score": 1.0, "threshold": 0.0, "frames": 3, "challenge": "passed",
    }  # fmt: skip
    assert told == [
        FACE_THE_CAMERA, "turn your head to your left",
        FACE_THE_CAMERA, "turn your head to your right",
        FACE_THE_CAMERA,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "denial"),
    [
        ((FRONT, (4, -32, {}), (2, -32, {})), Denial.WRONG_WAY),
        ((FRONT, (4, 32, {"deep": 0}), (6, 32, {"deep": 0})), Denial.FLAT),
        ((FRONT, AWAY, (2, 32, {"who": 1})), Denial.OTHER_FACE),
        ((FRONT, AWAY, (2, 32, {"who": 3})), Denial.SECOND_FACE),
        ((FRONT, AWAY, (8, 32, {"who": 2})), Denial.GAP),
        ((FRONT,), Denial.GAP),  # the film ends
        (((5, 0, {"alive": 0}),), Denial.NOT_LIVE),
    ],
)
def test_a_denial_locks_without_a_similarity_and_says_the_same_words(
    parts: tuple[tuple[int, int, dict[str, int]], ...], denial: Denial
) -> None:
    decision, session, _ = run(*parts)
    assert session.denial is denial
    assert decision.outcome is Outcome.NOT_LIVE
    assert math.isnan(decision.similarity)
    assert decision.reason == NOT_PASSED
    assert decision.liveness is not None
    assert decision.liveness.challenge == "denied"
    assert decision.liveness.refused_by == denial.name.lower()


def test_a_person_s_own_threshold_holds_in_a_challenge_too() -> None:
    actor, session = Actor(), ChallengeSession(PLAN)
    meter = FrameMeter(actor.decide, actor.embed, actor.mesh, actor.score, lambda decision: 1.5)
    decision = decide_by_challenge(film(*PASSING), session, meter, lambda words: None)
    assert session.denial is Denial.NOT_LIVE
    assert decision.liveness is not None
    assert (decision.liveness.score, decision.liveness.threshold) == (1.0, 1.5)


def test_a_repeated_frame_is_denied() -> None:
    actor, session = Actor(), ChallengeSession(PLAN)
    first, second = list(film((2, 0, {})))
    loop = [first, second, Frame(0.3, first.image_rgb)]
    meter = FrameMeter(actor.decide, actor.embed, actor.mesh, actor.score)
    assert decide_by_challenge(loop, session, meter, print).outcome is Outcome.NOT_LIVE
    assert session.denial is Denial.REPEATED_FRAME


def test_somebody_else_is_not_the_owner_and_is_asked_nothing() -> None:
    decision, session, told = run((10, 0, {"who": 1}), *PASSING)
    assert session.denial is Denial.NOT_THE_TEMPLATE
    assert decision.outcome is Outcome.NOT_THE_OWNER
    assert told == [FACE_THE_CAMERA]


def test_without_a_face_nothing_was_compared() -> None:
    with pytest.raises(NoFaceFound, match="no frame shows one face"):
        run((9, 0, {"who": 2}))


def test_a_face_without_a_size_is_denied() -> None:
    class NoMesh(Actor):
        def mesh(self, image: ByteArray, face: Face) -> Any:
            raise ValueError("the box has no size")

    actor, session = NoMesh(), ChallengeSession(PLAN)
    meter = FrameMeter(actor.decide, actor.embed, actor.mesh, actor.score)
    decision = decide_by_challenge(film(FRONT), session, meter, print)
    assert session.denial is Denial.NOT_A_NUMBER
    assert not decision
