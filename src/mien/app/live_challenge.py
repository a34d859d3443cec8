"""Decide on the frames of a camera by a challenge: the person turns the head as the plan asks.

Each frame is measured against the anchor, the first frames that face the camera. The anchor must
match the template at the threshold of an unlock and pass the passive check, and every frame must
show the anchor's face, so the face that is alive is the face that is identified.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from mien.app.live_attempt import LiveAttempt
from mien.app.live_vote import threshold_from
from mien.app.pipeline import Probe
from mien.app.voting import DecideFrame, disagreed
from mien.errors import NoFaceFound, Outcome, SeveralFacesFound
from mien.liveness.challenge import FRONTAL_DEG, ChallengeSession, Denial, Observation, Phase
from mien.liveness.mesh import Float64Array, Turn, measure_turn, yaw_degrees
from mien.liveness.passive import FLOOR, PassiveResult, ScoreFace, judge_frames
from mien.liveness.plan import Action
from mien.media.frame import Frame, frame_digest
from mien.results import ByteArray, Decision, Face, FloatArray, LivenessEvidence

FindMesh = Callable[[ByteArray, Face], Float64Array]
"""(468, 3) points of a face on (H, W, 3) uint8 RGB: a `MeshFinder`."""
Tell = Callable[[str], None]
SEARCHED_WHOLE = (Phase.ANCHOR, Phase.RETURN)
"""In which every frame is searched whole: the first frames, which are identified, and the last."""


class EmbedFrame(Protocol):
    """The face of a frame and its embedding: `FrameSearch.embed_probe`."""

    def __call__(self, frame: Frame, *, whole: bool) -> Probe:
        """Raises NoFaceFound and SeveralFacesFound."""


FACE_THE_CAMERA = "face the camera"
INSTRUCTIONS = {
    Action.TURN_LEFT: "turn your head to your left",
    Action.TURN_RIGHT: "turn your head to your right",
    Action.COME_CLOSER: "come closer",
}
NOT_PASSED = (
    "the challenge was not passed; face the camera and do what is asked, one thing at a time"
)


@dataclass(slots=True)
class FrameMeter:
    """Measures frames against the anchor.

    decide: on a frame of the anchor. threshold_of: the least mean passive score of the person of a
    decision. decisions, scores: of the frames of the anchor.
    """

    decide: DecideFrame
    embed: EmbedFrame
    find_mesh: FindMesh
    score_face: ScoreFace
    threshold_of: Callable[[Decision], float] = lambda decision: FLOOR
    decisions: list[Decision] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    _anchor: tuple[Float64Array, FloatArray] | None = None
    _last: Face | None = None

    def measure(self, frame: Frame, phase: Phase) -> Observation:
        """What the session asks of a frame. phase: before it."""
        image = frame.image_rgb
        digest = frame_digest(image)
        try:
            probe = self.embed(frame, whole=phase in SEARCHED_WHOLE)
        except NoFaceFound:
            return Observation(frame.at_s, digest, faces=0)
        except SeveralFacesFound:
            return Observation(frame.at_s, digest, faces=2)
        turn, cosine = self._turn_of(image, probe.face, probe.vector)
        shift = 0.0 if self._last is None else _shift(self._last, probe.face)
        self._last = probe.face
        found = Observation(
            frame.at_s,
            digest,
            yaw_deg=turn.yaw_deg,
            parallax=turn.parallax,
            residual=turn.residual,
            scale=turn.scale,
            shift=shift,
            anchor_cosine=cosine,
        )
        return self._identified(found, frame, probe.face) if phase is Phase.ANCHOR else found

    def _turn_of(self, image: ByteArray, face: Face, vector: FloatArray) -> tuple[Turn, float]:
        """How the face has turned, and its cosine with the anchor: 1 until there is one."""
        try:
            points = self.find_mesh(image, face)
        except ValueError:  # the box or the eyes have no size
            return Turn(math.nan, math.nan, math.nan, math.nan), math.nan
        if self._anchor is not None:
            anchor, of_anchor = self._anchor
            return measure_turn(points, anchor), float(np.dot(vector, of_anchor))
        if abs(yaw_degrees(points)) < FRONTAL_DEG:
            self._anchor = points, vector
        return Turn(yaw_degrees(points), 0.0, 0.0, 1.0), 1.0

    def _identified(self, found: Observation, frame: Frame, face: Face) -> Observation:
        """With identity and passive check, which the anchor needs."""
        decision = self.decide(frame, whole=True)
        if decision and self.decisions and decision.user != self.decisions[0].user:
            decision = disagreed(decision)
        self.decisions.append(decision)
        try:
            self.scores.append(self.score_face(frame.image_rgb, face))
        except ValueError:
            self.scores.append(math.nan)
        is_live = bool(self.passive_result())
        return replace(found, matches_template=bool(decision), is_live=is_live)

    def passive_result(self) -> PassiveResult:
        """Of the frames of the anchor so far."""
        threshold = self.threshold_of(self.decisions[-1]) if self.decisions else FLOOR
        return judge_frames(self.scores, threshold=threshold)


def meter_of_attempt(
    attempt: LiveAttempt, *, find_mesh: FindMesh, score_face: ScoreFace
) -> FrameMeter:
    """For an attempt to unlock or to identify, with the threshold of its person."""
    return FrameMeter(
        attempt.decide_frame,
        attempt.embed_frame,
        find_mesh,
        score_face,
        lambda decision: threshold_from(attempt.liveness_history_of(decision)),
    )


def decide_by_challenge(
    frames: Iterable[Frame], session: ChallengeSession, meter: FrameMeter, tell: Tell
) -> Decision:
    """Run the session on the frames and decide. tell: gets each instruction once.

    Raises what the frames and the pipeline raise, and NoFaceFound if no frame showed one face.
    """
    told = ""
    for frame in frames:
        words = instruction_of(session)
        if words != told:
            tell(words)
            told = words
        if session.add(meter.measure(frame, session.phase)) in (Phase.PASSED, Phase.DENIED):
            break
    session.end()
    return decision_of(session, meter)


def instruction_of(session: ChallengeSession) -> str:
    """What the person is asked to do now, in words."""
    return FACE_THE_CAMERA if session.action is None else INSTRUCTIONS[session.action]


def decision_of(session: ChallengeSession, meter: FrameMeter) -> Decision:
    """The decision of a session that ended. NoFaceFound if no frame showed one face."""
    if not meter.decisions:
        raise NoFaceFound("no frame shows one face; face the camera, in more light or closer")
    last = meter.decisions[-1]
    if session.denial is Denial.NOT_THE_TEMPLATE:
        return last
    result = meter.passive_result()
    evidence = LivenessEvidence(
        "print-proof" if session else "casual",
        result.score,
        result.threshold,
        result.frames,
        challenge="passed" if session else "denied",
        refused_by="" if session.denial is None else session.denial.name.lower(),
    )
    if session and last:
        return replace(last, liveness=evidence)
    return Decision(
        math.nan, last.threshold, NOT_PASSED, Outcome.NOT_LIVE, last.face, liveness=evidence
    )


def _shift(before: Face, after: Face) -> float:
    """How far the middle of the eyes moved between two frames, in distances of the eyes."""
    middles = [face.points_xy[:2].mean(axis=0) for face in (before, after)]
    return float(np.hypot(*(middles[1] - middles[0]))) / max(before.eye_distance_px, 1e-6)
