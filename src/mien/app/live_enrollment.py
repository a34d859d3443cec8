"""Enroll from a camera only whoever does what a challenge asks, so that nobody enrolls a picture.

There is no template to compare with: that every frame shows the face of the first ones, and that
this face is alive, is what the challenge proves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mien.app.live_challenge import FindMesh, FrameMeter, ScoreFace, Tell, decide_by_challenge
from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, Outcome, SeveralFacesFound
from mien.liveness.challenge import ChallengeSession, Phase
from mien.media.frame import Frame
from mien.results import ByteArray, Decision

MAX_KEPT = 40  # frames: at 640 x 480 these are 37 MB
FACING = (Phase.ANCHOR, Phase.DELAY, Phase.RETURN)


def frames_of_living_person(
    frames: Iterable[Frame],
    session: ChallengeSession,
    pipeline: Pipeline,
    *,
    find_mesh: FindMesh,
    score_face: ScoreFace,
    tell: Tell,
) -> list[Frame] | None:
    """Run the challenge. The frames on which the person faced the camera; None if it was denied.

    tell: gets each instruction once. Raises NoFaceFound if no frame showed one face.
    """
    kept: list[Frame] = []

    def keeping() -> Iterator[Frame]:
        for frame in frames:
            if session.phase in FACING and len(kept) < MAX_KEPT:
                kept.append(frame)
            yield frame

    meter = FrameMeter(_AnyFace(pipeline), pipeline, find_mesh, score_face)
    decide_by_challenge(keeping(), session, meter, tell)
    return kept if session else None


class _AnyFace:
    """Accepts each frame with one face: there is no template yet."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._threshold = pipeline.matcher.threshold_for(photos=1)

    def __call__(self, image_rgb: ByteArray) -> Decision:
        try:
            face = self._pipeline.find_face(image_rgb).face_as_read
        except (NoFaceFound, SeveralFacesFound) as error:
            return Decision(float("nan"), self._threshold, str(error), error.outcome)
        return Decision(1.0, self._threshold, "one face", Outcome.UNLOCKED, face)
