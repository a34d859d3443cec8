"""Enrolling from a camera: a rendered head passes the challenge, a picture does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from tests.app.turning_head import TurningHead

from mien.app.live_challenge import INSTRUCTIONS
from mien.app.live_enrollment import MAX_KEPT, LivingFrames, frames_of_living_person
from mien.app.pipeline import Pipeline
from mien.liveness.challenge import ChallengeSession
from mien.liveness.mesh import MeshFinder, open_mesh
from mien.liveness.passive import open_scorer
from mien.liveness.plan import Action, ChallengePlan
from mien.media.frame import Frame
from mien.results import ByteArray
from mien.settings import Settings

PLAN = ChallengePlan("nonce", "", (Action.TURN_RIGHT, Action.TURN_LEFT), (0.5, 0.7), 60.0)
TARGETS = {INSTRUCTIONS[Action.TURN_LEFT]: 34.0, INSTRUCTIONS[Action.TURN_RIGHT]: -34.0}
STEP_S, SPEED, REACTION = 0.1, 12.0, 3


@pytest.fixture(scope="module")
def mesh(with_liveness: Settings) -> MeshFinder:
    return open_mesh(with_liveness)


class Actor:
    """Sees each picture by how far the head should be turned, as it is told a moment before."""

    def __init__(self, see: Callable[[float], ByteArray]) -> None:
        self._see = see
        self.told: list[str] = []

    def tell(self, words: str) -> None:
        self.told.append(words)

    def frames(self) -> Iterator[Frame]:
        noise, at, waited = np.random.default_rng(0), 0.0, 0
        for number in range(120):
            target = TARGETS.get(self.told[-1], 0.0) if self.told else 0.0
            waited = waited + 1 if target else 0
            goal = target if waited > REACTION else 0.0
            at += float(np.clip(goal - at, -SPEED, SPEED))
            seen = self._see(at)
            picture = seen + noise.normal(0, 2, (*seen.shape[:2], 1))
            yield Frame(number * STEP_S, np.clip(picture, 0, 255).astype(np.uint8))


def kept_of(
    actor: Actor, pipeline: Pipeline, mesh: MeshFinder, settings: Settings
) -> LivingFrames | None:
    return frames_of_living_person(
        actor.frames(),
        ChallengeSession(PLAN),
        pipeline,
        find_mesh=mesh,
        score_face=open_scorer(settings),
        tell=actor.tell,
    )


def test_a_person_who_does_what_is_asked_gives_frames_that_face_the_camera(
    pipeline: Pipeline, mesh: MeshFinder, with_liveness: Settings, astronaut: ByteArray
) -> None:
    head = TurningHead(astronaut, mesh(astronaut, pipeline.door_face(astronaut)))
    actor = Actor(head.seen)
    kept = kept_of(actor, pipeline, mesh, with_liveness)
    assert kept is not None
    assert 5 <= len(kept.frames) <= MAX_KEPT
    assert kept.history.enrolled_score > 0  # of the frames that passed the passive check
    assert kept.history.success_days == ()
    assert actor.told == [
        "face the camera",
        INSTRUCTIONS[Action.TURN_RIGHT],
        "face the camera",
        INSTRUCTIONS[Action.TURN_LEFT],
        "face the camera",
    ]


def test_a_picture_gives_none(
    pipeline: Pipeline, mesh: MeshFinder, with_liveness: Settings, astronaut: ByteArray
) -> None:
    actor = Actor(lambda at: np.roll(astronaut, round(at), axis=1))
    assert kept_of(actor, pipeline, mesh, with_liveness) is None
