"""Decide on the frames of a camera by a challenge: the person turns the head as the plan asks.

Each frame is measured against the anchor, the first frames that face the camera. The anchor must
match the template at the threshold of an unlock and pass the passive check, and the frames must
show the anchor's face, so the face that is alive is the face that is identified. A frame that is
followed, and shows nothing that the challenge asks for, is compared with the anchor only if that is
`COMPARED_EVERY_S` ago; otherwise it can deny a challenge, but nothing is passed by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from mien.app.face_search import FoundFace
from mien.app.live_attempt import LiveAttempt
from mien.app.live_vote import threshold_from
from mien.app.pipeline import Probe
from mien.app.voting import disagreed
from mien.errors import NoFaceFound, Outcome, SeveralFacesFound
from mien.liveness.challenge import (
    CLOSER_SCALE,
    FRONTAL_DEG,
    RETURN_SCALE,
    TURN_DEG,
    ChallengeSession,
    Denial,
    Observation,
    Phase,
)
from mien.liveness.mesh import Float64Array, Turn, measure_turn, yaw_degrees
from mien.liveness.passive import FLOOR, PassiveResult, ScoreFace, judge_frames
from mien.liveness.plan import Action
from mien.media.frame import Frame, frame_digest
from mien.results import ByteArray, Decision, Face, FloatArray, LivenessEvidence

FindMesh = Callable[[ByteArray, Face], Float64Array]
"""(468, 3) points of a face on (H, W, 3) uint8 RGB: a `MeshFinder`."""
Tell = Callable[[str], None]


COMPARED_EVERY_S = 0.05  # every second frame of 30 a second, and every one of 20 or fewer


class FindOnFrame(Protocol):
    """The face of a frame: `FrameSearch.find_face`."""

    def __call__(self, frame: Frame, *, whole: bool) -> FoundFace:
        """Raises NoFaceFound and SeveralFacesFound."""


DecideOnProbe = Callable[[Frame, Probe], Decision]


FACE_THE_CAMERA = "face the camera"
INSTRUCTIONS = {
    Action.TURN_LEFT: "turn your head to your left",
    Action.TURN_RIGHT: "turn your head to your right",
    Action.COME_CLOSER: "come closer",
}
NOT_PASSED = (
    "the challenge was not passed; face the camera and do what is asked, one thing at a time"
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A face with its mesh and how it has turned. points: None where it has no size."""

    found: FoundFace
    points: Float64Array | None
    turn: Turn

    @property
    def shows_action(self) -> bool:
        """Whether it shows what an action asks for, or cannot be measured."""
        return not (abs(self.turn.yaw_deg) < TURN_DEG and self.turn.scale < CLOSER_SCALE)

    @property
    def faces_camera(self) -> bool:
        """Whether it has turned back, and is as far away as on the anchor."""
        return abs(self.turn.yaw_deg) < FRONTAL_DEG and self.turn.scale <= RETURN_SCALE


@dataclass(slots=True)
class FrameMeter:
    """Measures frames against the anchor.

    decide: on a frame of the anchor. threshold_of: the least mean passive score of the person of a
    decision. embeds_all: compare every frame with the anchor. decisions, scores: of the frames of
    the anchor.
    """

    decide: DecideOnProbe
    find: FindOnFrame
    embed: Callable[[FoundFace], Probe]
    find_mesh: FindMesh
    score_face: ScoreFace
    threshold_of: Callable[[Decision], float] = lambda decision: FLOOR
    embeds_all: bool = False
    decisions: list[Decision] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    _anchor: tuple[Float64Array, FloatArray] | None = None
    _last: Face | None = None
    _cosine: float = 1.0
    _compared_s: float = -math.inf

    def measure(self, frame: Frame, phase: Phase) -> Observation:
        """What the session asks of a frame. phase: before it."""
        digest = frame_digest(frame.image_rgb)
        try:
            seen = self._look(frame, whole=phase is Phase.ANCHOR)
            if phase is Phase.RETURN and seen.found.is_followed and seen.faces_camera:
                seen = self._look(frame, whole=True)  # the frame may end the challenge
            is_compared = self._must_compare(seen, frame.at_s)
            probe = self.embed(seen.found) if is_compared else None
        except NoFaceFound:
            return Observation(frame.at_s, digest, faces=0)
        except SeveralFacesFound:
            return Observation(frame.at_s, digest, faces=2)
        face, turn = seen.found.face_as_read, seen.turn
        shift = 0.0 if self._last is None else _shift(self._last, face)
        if probe is not None:
            self._cosine = self._cosine_of(probe, seen.points)
            self._last, self._compared_s = face, frame.at_s
        observation = Observation(
            frame.at_s,
            digest,
            yaw_deg=turn.yaw_deg,
            parallax=turn.parallax,
            residual=turn.residual,
            scale=turn.scale,
            shift=shift,
            anchor_cosine=self._cosine,
            is_compared=is_compared,
        )
        if phase is not Phase.ANCHOR or probe is None:
            return observation
        return self._identified(observation, frame, probe)

    def _look(self, frame: Frame, *, whole: bool) -> _Seen:
        """Find the face and its points. Raises NoFaceFound and SeveralFacesFound."""
        found = self.find(frame, whole=whole)
        try:
            points = self.find_mesh(frame.image_rgb, found.face_as_read)
        except ValueError:  # the box or the eyes have no size
            return _Seen(found, None, Turn(math.nan, math.nan, math.nan, math.nan))
        if self._anchor is None:
            return _Seen(found, points, Turn(yaw_degrees(points), 0.0, 0.0, 1.0))
        return _Seen(found, points, measure_turn(points, self._anchor[0]))

    def _must_compare(self, seen: _Seen, at_s: float) -> bool:
        """Whether the face is to be embedded, and compared with the anchor."""
        if self.embeds_all or self._anchor is None or not seen.found.is_followed:
            return True
        return seen.shows_action or at_s - self._compared_s >= COMPARED_EVERY_S

    def _cosine_of(self, probe: Probe, points: Float64Array | None) -> float:
        """With the anchor: 1 until there is one. A face without points has none."""
        if points is None:
            return math.nan
        if self._anchor is not None:
            return float(np.dot(probe.vector, self._anchor[1]))
        if abs(yaw_degrees(points)) < FRONTAL_DEG:
            self._anchor = points, probe.vector
        return 1.0

    def _identified(self, found: Observation, frame: Frame, probe: Probe) -> Observation:
        """With identity and passive check, which the anchor needs."""
        decision = self.decide(frame, probe)
        if decision and self.decisions and decision.user != self.decisions[0].user:
            decision = disagreed(decision)
        self.decisions.append(decision)
        try:
            self.scores.append(self.score_face(frame.image_rgb, probe.face))
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
        attempt.decide_on_probe,
        attempt.find_on_frame,
        attempt.pipeline.embed_found,
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
