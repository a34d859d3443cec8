"""A challenge with the real models, before a rendered head that does what it is asked, or not.

The head is the texture of a public-domain photo on the mesh of its face: a rendering, no recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import pytest
from tests.app.parts import clock
from tests.app.turning_head import TurningHead
from tests.vault.memory import open_memory_vault

from mien.app.enroll import enroll
from mien.app.live_challenge import decide_by_challenge, meter_of_attempt
from mien.app.pipeline import Pipeline
from mien.app.verify import Verifier
from mien.errors import Outcome
from mien.liveness.challenge import ChallengeSession, Denial
from mien.liveness.mesh import MeshFinder, open_mesh
from mien.liveness.passive import PassiveScorer, open_scorer
from mien.liveness.plan import Action, ChallengePlan
from mien.media.frame import Frame
from mien.results import ByteArray, Decision
from mien.settings import Settings

STEP_S, MOST_FRAMES = 0.1, 120
DEGREES, SPEED = 34.0, 12.0  # how far, and how fast in a frame
REACTION = 3  # frames
Targets = dict[Action, float]
LEFT_AND_RIGHT: Targets = {Action.TURN_LEFT: DEGREES, Action.TURN_RIGHT: -DEGREES}
See = Callable[[float, Action | None], ByteArray]


@pytest.fixture(scope="module")
def mesh(with_liveness: Settings) -> MeshFinder:
    return open_mesh(with_liveness)


@pytest.fixture(scope="module")
def scorer(with_liveness: Settings) -> PassiveScorer:
    return open_scorer(with_liveness)


@pytest.fixture(scope="module")
def head(pipeline: Pipeline, mesh: MeshFinder, astronaut: ByteArray) -> TurningHead:
    return TurningHead(astronaut, mesh(astronaut, pipeline.door_face(astronaut)))


@pytest.fixture
def verifier(pipeline: Pipeline, shots: list[ByteArray]) -> Iterator[Verifier]:
    with open_memory_vault() as vault:
        enroll("eileen", shots[:3], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        made = Verifier(
            "eileen", vault=vault, pipeline_of=lambda model: pipeline, tell_unknown=False
        )
        with made as verifier:
            yield verifier


def acting(session: ChallengeSession, see: See, targets: Targets) -> Iterator[Frame]:
    """Frames of a head that turns to the target of the action that is asked, a moment later."""
    noise, at, waited = np.random.default_rng(0), 0.0, 0
    for number in range(MOST_FRAMES):
        action = session.action
        waited = waited + 1 if action is not None else 0
        target = targets.get(action, 0.0) if action is not None and waited > REACTION else 0.0
        at += float(np.clip(target - at, -SPEED, SPEED))
        picture = see(at, action)
        picture = picture + noise.normal(0, 2, (*picture.shape[:2], 1))  # as of a sensor
        yield Frame(number * STEP_S, np.clip(picture, 0, 255).astype(np.uint8))


def challenge(
    verifier: Verifier,
    mesh: MeshFinder,
    scorer: PassiveScorer,
    see: See,
    targets: Targets = LEFT_AND_RIGHT,
) -> tuple[Decision, ChallengeSession]:
    plan = ChallengePlan("nonce", "eileen", tuple(LEFT_AND_RIGHT), (0.5, 0.7), 60.0)
    session = ChallengeSession(plan)
    meter = meter_of_attempt(verifier, find_mesh=mesh, score_face=scorer)
    frames = acting(session, see, targets)
    return verifier.conclude(decide_by_challenge(frames, session, meter, print)), session


def test_a_head_that_does_what_is_asked_unlocks(
    verifier: Verifier, mesh: MeshFinder, scorer: PassiveScorer, head: TurningHead
) -> None:
    decision, session = challenge(verifier, mesh, scorer, lambda at, _: head.seen(at))
    assert session.denial is None
    assert decision.outcome is Outcome.UNLOCKED
    assert decision.liveness is not None
    assert decision.liveness.tier == "print-proof"


def test_the_wrong_turns_are_denied(
    verifier: Verifier, mesh: MeshFinder, scorer: PassiveScorer, head: TurningHead
) -> None:
    wrong = {action: -degrees for action, degrees in LEFT_AND_RIGHT.items()}
    decision, session = challenge(verifier, mesh, scorer, lambda at, _: head.seen(at), wrong)
    assert session.denial is Denial.WRONG_WAY
    assert decision.outcome is Outcome.NOT_LIVE


def test_a_photo_that_is_moved_about_is_denied(
    verifier: Verifier, mesh: MeshFinder, scorer: PassiveScorer, astronaut: ByteArray
) -> None:
    def moved(at: float, action: Action | None) -> ByteArray:
        return np.roll(astronaut, round(at), axis=1)

    decision, session = challenge(verifier, mesh, scorer, moved)
    assert session.denial is Denial.ACTION_TIMEOUT
    assert decision.outcome is Outcome.NOT_LIVE


def test_a_loop_of_frames_is_denied(
    verifier: Verifier, mesh: MeshFinder, scorer: PassiveScorer, head: TurningHead
) -> None:
    plan = ChallengePlan("nonce", "eileen", tuple(LEFT_AND_RIGHT), (0.5, 0.7), 60.0)
    session = ChallengeSession(plan)
    three = list(islice(acting(session, lambda at, _: head.seen(at), {}), 3))
    loop = (Frame(n * STEP_S, three[n % 3].image_rgb) for n in range(30))
    meter = meter_of_attempt(verifier, find_mesh=mesh, score_face=scorer)
    assert decide_by_challenge(loop, session, meter, print).outcome is Outcome.NOT_LIVE
    assert session.denial is Denial.REPEATED_FRAME


def test_a_second_face_is_denied(
    verifier: Verifier, mesh: MeshFinder, scorer: PassiveScorer, head: TurningHead
) -> None:
    def joined(at: float, action: Action | None) -> ByteArray:
        one = head.seen(at)
        return np.hstack([one, one if action is not None else np.zeros_like(one)])

    decision, session = challenge(verifier, mesh, scorer, joined)
    assert session.denial is Denial.SECOND_FACE
    assert decision.outcome is Outcome.NOT_LIVE


def test_another_face_half_way_is_denied(
    verifier: Verifier,
    mesh: MeshFinder,
    scorer: PassiveScorer,
    head: TurningHead,
    pipeline: Pipeline,
    stranger: ByteArray,
) -> None:
    face = pipeline.door_face(stranger)
    other = TurningHead(stranger, mesh(stranger, face))

    def swapped(at: float, action: Action | None) -> ByteArray:
        return head.seen(at) if action is None else other.seen(at)

    decision, session = challenge(verifier, mesh, scorer, swapped)
    assert session.denial is Denial.OTHER_FACE
    assert decision.outcome is Outcome.NOT_LIVE
