"""Enroll from a camera only whoever does what a challenge asks, so that nobody enrolls a picture.

There is no template to compare with: that every frame shows the face of the first ones, and that
this face is alive, is what the challenge proves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mien.app.live_challenge import FindMesh, FrameMeter, Tell, decide_by_challenge
from mien.app.pipeline import Pipeline
from mien.errors import Outcome
from mien.liveness.challenge import ChallengeSession, Phase
from mien.liveness.passive import ScoreFace
from mien.media.frame import Frame
from mien.results import Decision
from mien.vault.records.record import LivenessHistory

MAX_KEPT = 40  # frames: at 640 x 480 these are 37 MB
FACING = (Phase.ANCHOR, Phase.DELAY, Phase.RETURN)


@dataclass(frozen=True, slots=True)
class LivingFrames:
    """Frames on which a person faced the camera. history: how alive the person looked."""

    frames: list[Frame]
    history: LivenessHistory


def frames_of_living_person(
    frames: Iterable[Frame],
    session: ChallengeSession,
    pipeline: Pipeline,
    *,
    find_mesh: FindMesh,
    score_face: ScoreFace,
    tell: Tell,
) -> LivingFrames | None:
    """Run the challenge. The frames on which the person faced the camera; None if it was denied.

    tell: gets each instruction once. Raises NoFaceFound if no frame showed one face.
    """
    kept: list[Frame] = []

    def keeping() -> Iterator[Frame]:
        for frame in frames:
            if session.phase in FACING and len(kept) < MAX_KEPT:
                kept.append(frame)
            yield frame

    # there is no template yet: the meter asks about frames on which it found one face
    threshold = pipeline.matcher.threshold_for(photos=1)
    one_face = Decision(1.0, threshold, "one face", Outcome.UNLOCKED)
    meter = FrameMeter(lambda image_rgb: one_face, pipeline, find_mesh, score_face)
    decide_by_challenge(keeping(), session, meter, tell)
    score = meter.passive_result().score
    return LivingFrames(kept, LivenessHistory(score)) if session else None
