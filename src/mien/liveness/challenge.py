"""The state machine of a challenge: face the camera, do what is asked, face the camera again.

It is pure: frames come in as `Observation`, and the time is the frames' own. Every frame must
show the same one face, and the first frames, the anchor, must match the template; so the face
that proves life is the face that is identified. A session that was denied stays denied.

Thresholds of a turn: on pairs of LFW's photos, one frontal and one turned by 25 to 35 mesh
degrees, 98.6 % of 350 pass; of 118 photos that were bent and turned (NUAA) none gets near. The
thresholds of "come closer" and of a jump are first guesses and not measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from mien.liveness.plan import Action, ChallengePlan

ANCHOR_FRAMES = 3
FRONTAL_DEG = 10.0  # mesh degrees; facing the camera
TURN_DEG = 25.0
TURN_PARALLAX = 0.18  # of the nose, in the affine basis of eyes and mouth
TURN_RESIDUAL = 0.12  # of 30 near-rigid points after an affine fit, in distances of the eyes
TURN_FRAMES = 2  # running
FLAT_FRAMES = 5  # running: a turn of a flat picture
CLOSER_SCALE = 1.3
RETURN_SCALE = 1.15
SAME_FACE = 0.363  # cosine of SFace; 98.0 % of 300 people stay above it while turned, 0.2 % others
MAX_GAP_S = 0.6
MIN_REACTION_S = 0.25
MAX_ACTION_S = 4.0
MAX_SESSION_S = 12.0
JUMP_DEG = 20.0  # between two frames that were compared
JUMP_SHIFT = 1.0  # distances of the eyes
JUMP_SCALE = 1.3


class Denial(Enum):
    """Why a session was denied, in words for the log; a stranger is not told."""

    NOT_LIVE = "the passive check refused a frame of the anchor"
    NOT_THE_TEMPLATE = "the anchor does not match the template"
    OTHER_FACE = "a frame shows another face than the anchor"
    SECOND_FACE = "a frame shows more than one face"
    REPEATED_FRAME = "a frame was seen before"
    OUT_OF_ORDER = "a frame is not newer than the one before"
    GAP = "no frame with a face for too long"
    JUMP = "the face moved faster than a head does"
    WRONG_WAY = "the head was turned the wrong way"
    FLAT = "the face turned as a flat picture does"
    TOO_FAST = "the action came before a person can react"
    ACTION_TIMEOUT = "the action took too long"
    SESSION_TIMEOUT = "the session took too long"
    NOT_A_NUMBER = "a measurement of a frame is not a number"


class Phase(Enum):
    """What the session waits for."""

    ANCHOR = "face the camera"
    DELAY = "keep facing the camera"
    ACT = "do the action"
    RETURN = "face the camera again"
    PASSED = "passed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Observation:
    """What was measured on one frame. Changes are from the anchor, which the caller keeps.

    at_s: when it was taken. digest: hash of its pixels. faces: how many were found; with none
    or several the rest is not read. yaw_deg: mesh degrees, positive to the person's left.
    parallax: same sign as yaw_deg. residual, shift: in distances of the eyes; shift is from the
    last frame before that was compared. scale: size of the face over that of the anchor. is_live:
    by the passive check. matches_template: by the threshold of the person. anchor_cosine: with the
    anchor. is_compared: the face was compared with the anchor; else the cosine is that of a frame
    before.
    """

    at_s: float
    digest: bytes
    faces: int = 1
    yaw_deg: float = 0.0
    parallax: float = 0.0
    residual: float = 0.0
    scale: float = 1.0
    shift: float = 0.0
    is_live: bool = True
    matches_template: bool = True
    anchor_cosine: float = 1.0
    is_compared: bool = True

    def is_finite(self) -> bool:
        numbers = (self.at_s, self.yaw_deg, self.parallax, self.residual, self.scale, self.shift)
        return all(map(math.isfinite, (*numbers, self.anchor_cosine)))


@dataclass(slots=True)
class ChallengeSession:
    """One run of a plan. Give it each frame in turn; it ends as PASSED or DENIED.

    denial: None unless the phase is DENIED. number: of the action that is due.
    """

    plan: ChallengePlan
    phase: Phase = Phase.ANCHOR
    denial: Denial | None = None
    number: int = 0
    _seen: set[bytes] = field(default_factory=set, repr=False)
    _started_s: float = 0.0
    _phase_since_s: float = 0.0
    _last: Observation | None = field(default=None, repr=False)
    _compared: Observation | None = field(default=None, repr=False)
    _running: int = 0
    _running_flat: int = 0

    def __bool__(self) -> bool:
        """Whether the challenge was passed."""
        return self.phase is Phase.PASSED

    @property
    def action(self) -> Action | None:
        """The action to show to the person now; None before and after it."""
        return self.plan.actions[self.number] if self.phase is Phase.ACT else None

    def add(self, frame: Observation) -> Phase:
        """Take the next frame; returns the phase after it. A session that ended does not change."""
        if self.phase in (Phase.PASSED, Phase.DENIED):
            return self.phase
        denial = self._check_frame(frame)
        if denial is None and frame.faces == 1:
            steps = {
                Phase.ANCHOR: self._anchor,
                Phase.DELAY: self._delay,
                Phase.ACT: self._act,
                Phase.RETURN: self._return,
            }
            denial = steps[self.phase](frame)
            self._last = frame
            self._compared = frame if frame.is_compared else self._compared
        if denial is not None:
            self.phase, self.denial = Phase.DENIED, denial
        return self.phase

    def end(self) -> Phase:
        """No more frames: a session that has not passed is denied."""
        if self.phase not in (Phase.PASSED, Phase.DENIED):
            self.phase, self.denial = Phase.DENIED, Denial.GAP
        return self.phase

    def _check_frame(self, frame: Observation) -> Denial | None:
        """What denies a session in every phase."""
        if not frame.is_finite():
            return Denial.NOT_A_NUMBER
        if not self._seen:
            self._started_s = frame.at_s
        if frame.digest in self._seen:
            return Denial.REPEATED_FRAME
        self._seen.add(frame.digest)
        if frame.faces > 1:
            return Denial.SECOND_FACE
        since_s = frame.at_s - (self._last.at_s if self._last else self._started_s)
        if self._last and since_s <= 0:
            return Denial.OUT_OF_ORDER
        if since_s > MAX_GAP_S:
            return Denial.GAP
        if frame.at_s - self._started_s > MAX_SESSION_S:
            return Denial.SESSION_TIMEOUT
        return self._check_face(frame) if frame.faces == 1 else None

    def _check_face(self, frame: Observation) -> Denial | None:
        if frame.anchor_cosine < SAME_FACE:
            return Denial.OTHER_FACE
        # a face that was not compared does not lead from one place to another
        if self._compared is not None and _is_jump(self._compared, frame):
            return Denial.JUMP
        return None

    def _anchor(self, frame: Observation) -> Denial | None:
        if not frame.matches_template:
            return Denial.NOT_THE_TEMPLATE
        if not frame.is_live:
            return Denial.NOT_LIVE
        self._running = self._running + 1 if abs(frame.yaw_deg) < FRONTAL_DEG else 0
        if self._running == ANCHOR_FRAMES:
            self._enter(Phase.DELAY, frame)
        return None

    def _delay(self, frame: Observation) -> Denial | None:
        """Whoever acts before the instruction is shown does not react to it."""
        if abs(frame.yaw_deg) >= TURN_DEG or frame.scale >= CLOSER_SCALE:
            return Denial.TOO_FAST
        if frame.at_s - self._phase_since_s >= self.plan.delays_s[self.number]:
            self._enter(Phase.ACT, frame)
        return None

    def _act(self, frame: Observation) -> Denial | None:
        action = self.plan.actions[self.number]
        since_s = frame.at_s - self._phase_since_s
        if since_s > MAX_ACTION_S:
            return Denial.ACTION_TIMEOUT
        done, denial = self._check_turn(frame, action) if action.is_turn else _check_closer(frame)
        if denial is not None:
            return denial
        self._running = self._running + 1 if done else 0
        if done and since_s < MIN_REACTION_S:
            return Denial.TOO_FAST
        if self._running == TURN_FRAMES:
            self._enter(Phase.RETURN, frame)
        return None

    def _check_turn(self, frame: Observation, action: Action) -> tuple[bool, Denial | None]:
        """Whether this frame shows the turn, and what is wrong with it."""
        sign = 1.0 if action is Action.TURN_LEFT else -1.0
        if sign * frame.yaw_deg <= -TURN_DEG:
            return False, Denial.WRONG_WAY
        if sign * frame.yaw_deg < TURN_DEG:
            self._running_flat = 0
            return False, None
        deep = sign * frame.parallax >= TURN_PARALLAX and frame.residual >= TURN_RESIDUAL
        self._running_flat = 0 if deep else self._running_flat + 1
        return deep, Denial.FLAT if self._running_flat >= FLAT_FRAMES else None

    def _return(self, frame: Observation) -> Denial | None:
        if frame.at_s - self._phase_since_s > MAX_ACTION_S:
            return Denial.ACTION_TIMEOUT
        if abs(frame.yaw_deg) < FRONTAL_DEG and frame.scale <= RETURN_SCALE:
            self.number += 1
            done = self.number == len(self.plan.actions)
            self._enter(Phase.PASSED if done else Phase.DELAY, frame)
        return None

    def _enter(self, phase: Phase, frame: Observation) -> None:
        self.phase, self._phase_since_s = phase, frame.at_s
        self._running = self._running_flat = 0


def _check_closer(frame: Observation) -> tuple[bool, Denial | None]:
    if abs(frame.yaw_deg) >= TURN_DEG:
        return False, Denial.WRONG_WAY
    return frame.scale >= CLOSER_SCALE, None


def _is_jump(before: Observation, after: Observation) -> bool:
    ratio = after.scale / before.scale if before.scale > 0 else math.inf
    return (
        abs(after.yaw_deg - before.yaw_deg) > JUMP_DEG
        or abs(after.shift) > JUMP_SHIFT
        or not 1 / JUMP_SCALE <= ratio <= JUMP_SCALE
    )
