"""Enroll from a camera only whoever does what a challenge asks, so that nobody enrolls a picture.

There is no template to compare with: that every frame shows the face of the first ones, and that
this face is alive, is what the challenge proves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mien.app.frame_search import FrameSearch
from mien.app.live_challenge import FindMesh, FrameMeter, Tell, decide_by_challenge
from mien.app.pipeline import Pipeline
from mien.errors import Outcome
from mien.liveness.challenge import ChallengeSession, Phase
from mien.liveness.passive import ScoreFace
from mien.media.frame import Frame
from mien.media.pixels import shrink_to
from mien.results import Decision
from mien.vault.records.record import LivenessHistory

MAX_KEPT = 20  # frames
KEPT_EVERY_S = 0.3  # so that they differ
MAX_KEPT_PIXELS = 500_000  # of a frame: all of them take 30 MB
FACING = (Phase.ANCHOR, Phase.DELAY, Phase.RETURN)


@dataclass(frozen=True, slots=True)
class LivingFrames:
    """Frames on which a person faced the camera. history: how alive the person looked."""

    frames: list[Frame]
    history: LivenessHistory


class EnrollmentChallenge:
    """Measures the frames of a challenge, and keeps those to enroll from.

    There is no template yet: the meter is told that every frame with one face matches.
    """

    def __init__(self, pipeline: Pipeline, *, find_mesh: FindMesh, score_face: ScoreFace) -> None:
        threshold = pipeline.matcher.threshold_for(photos=1)
        one_face = Decision(1.0, threshold, "one face", Outcome.UNLOCKED)
        search = FrameSearch(pipeline)
        self.meter = FrameMeter(
            lambda frame, probe: one_face,
            search.find_face,
            pipeline.embed_found,
            find_mesh,
            score_face,
            embeds_all=True,  # any frame may be one to enroll from
        )
        self._kept: list[Frame] = []

    def keep(self, frame: Frame, phase: Phase) -> None:
        """Keep a frame on which the person faces the camera. phase: before it."""
        is_next = not self._kept or frame.at_s - self._kept[-1].at_s >= KEPT_EVERY_S
        if phase in FACING and is_next and len(self._kept) < MAX_KEPT:
            self._kept.append(Frame(frame.at_s, shrink_to(frame.image_rgb, MAX_KEPT_PIXELS)))

    def living_frames(self, session: ChallengeSession) -> LivingFrames | None:
        """The frames that were kept; None if the session was denied."""
        if not session:
            return None
        return LivingFrames(self._kept, LivenessHistory(self.meter.passive_result().score))


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
    challenge = EnrollmentChallenge(pipeline, find_mesh=find_mesh, score_face=score_face)

    def keeping() -> Iterator[Frame]:
        for frame in frames:
            challenge.keep(frame, session.phase)
            yield frame

    decide_by_challenge(keeping(), session, challenge.meter, tell)
    return challenge.living_frames(session)
