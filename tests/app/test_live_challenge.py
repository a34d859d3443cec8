"""A challenge on frames: what is measured, what is told, and how it ends."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mien.app.face_search import FoundFace
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
    the turn is deep; 3: whether it looks alive. Pixel 4 counts the frames. A face is followed on
    every frame that need not be searched whole.
    """

    def __init__(self) -> None:
        self.embedded = 0

    def meter(self, **options: Any) -> FrameMeter:
        return FrameMeter(self.decide, self.find, self.embed, self.mesh, self.score, **options)

    def find(self, frame: Frame, *, whole: bool) -> FoundFace:
        who = int(frame.image_rgb[0, 0, 1])
        if who == 2:
            raise NoFaceFound("no face found")
        if who == 3:
            raise SeveralFacesFound("2 faces of similar size")
        return FoundFace(frame.image_rgb, FACE, is_followed=not whole)

    def embed(self, found: FoundFace) -> Probe:
        self.embedded += 1
        return Probe(FACE, (OWNER, OTHER)[int(found.image_rgb[0, 0, 1])], ())

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

    def decide(self, frame: Frame, probe: Probe) -> Decision:
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
    meter = actor.meter()
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
    meter = actor.meter(threshold_of=lambda decision: 1.5)
    decision = decide_by_challenge(film(*PASSING), session, meter, lambda words: None)
    assert session.denial is Denial.NOT_LIVE
    assert decision.liveness is not None
    assert (decision.liveness.score, decision.liveness.threshold) == (1.0, 1.5)


def in_thirds(*parts: tuple[int, int, dict[str, int]]) -> Iterator[Frame]:
    """The same at thirty frames a second."""
    for number, frame in enumerate(film(*((3 * count, *rest) for count, *rest in parts)), 1):
        yield Frame(number * STEP_S / 3, frame.image_rgb)


def phases_with_another_face(number: int) -> tuple[Phase, Denial | None]:
    """The phase of a frame of `PASSING` in thirds that shows another face, and what denies it."""
    actor, session, phase = Actor(), ChallengeSession(PLAN), Phase.ANCHOR

    def frames() -> Iterator[Frame]:
        nonlocal phase
        for at, frame in enumerate(in_thirds(*PASSING)):
            if at == number:
                frame.image_rgb[0, 0, 1], phase = 1, session.phase
            yield frame

    decide_by_challenge(frames(), session, actor.meter(), lambda words: None)
    return phase, session.denial


def test_frames_that_show_no_action_are_compared_with_the_anchor_every_0_05_s() -> None:
    compared = []
    for frames, options in (
        (film(*PASSING), {}),
        (film(*PASSING), {"embeds_all": True}),
        (in_thirds(*PASSING), {}),
        (in_thirds(*PASSING), {"embeds_all": True}),
    ):
        actor, session = Actor(), ChallengeSession(PLAN)
        assert decide_by_challenge(frames, session, actor.meter(**options), lambda words: None)
        compared.append(actor.embedded)
    assert compared == [36, 36, 68, 108]


def test_another_face_is_denied_on_each_frame_that_is_needed_to_pass() -> None:
    passed = [phases_with_another_face(at) for at in range(108)]
    missed = [at for at, (_, denial) in enumerate(passed) if denial is None]
    assert all(passed[at][0] in (Phase.DELAY, Phase.ACT, Phase.RETURN) for at in missed)
    assert not any(at + 1 in missed for at in missed)  # never two in a row
    needed = (0, 1, 2, 39, 40, 56, 90, 91, 107)  # the anchor, both turns, and facing the camera
    assert not set(needed) & set(missed)


def test_a_face_that_is_not_compared_does_not_lead_from_one_place_to_another() -> None:
    yaws = (0, 0, 0, 0, 0, 12, 24)  # 24 degrees between the two frames that are compared
    images = [next(film((1, yaw, {}))).image_rgb for yaw in yaws]
    for number, image in enumerate(images):
        image[1, 0, 0] = number
    frames = [Frame(number / 30, image) for number, image in enumerate(images)]
    session = ChallengeSession(PLAN)
    decide_by_challenge(frames, session, Actor().meter(), lambda words: None)
    assert session.denial is Denial.JUMP


def test_a_repeated_frame_is_denied() -> None:
    actor, session = Actor(), ChallengeSession(PLAN)
    first, second = list(film((2, 0, {})))
    loop = [first, second, Frame(0.3, first.image_rgb)]
    meter = actor.meter()
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
    meter = actor.meter()
    decision = decide_by_challenge(film(FRONT), session, meter, print)
    assert session.denial is Denial.NOT_A_NUMBER
    assert not decision
