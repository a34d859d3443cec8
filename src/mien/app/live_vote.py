"""Decide on the frames of a camera or a film: by a vote on identity, and by a liveness check.

Both look at the same frames, so the face that is alive is the face that is identified. The check
only refuses: what the vote locked stays locked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mien.app.face_search import FindFace
from mien.app.live_attempt import LiveAttempt
from mien.app.live_motion import PASSED, MotionWatch
from mien.app.voting import DecideFrame, vote
from mien.errors import ModelMissing, Outcome
from mien.liveness.passive import FLOOR, ScoreFace, judge_frames, open_scorer
from mien.liveness.personal import personal_threshold
from mien.media.frame import Frame, frame_digest
from mien.results import ByteArray, Decision, Face, LivenessEvidence
from mien.settings import Settings
from mien.vault.records.record import LivenessHistory

COMPARED = (Outcome.UNLOCKED, Outcome.NOT_THE_OWNER)


@dataclass(frozen=True, slots=True)
class PassiveCheck:
    """How a look is checked for a living person.

    threshold_of: the least mean score of the person whom the vote decided on.
    """

    score_face: ScoreFace
    find_face: FindFace
    threshold_of: Callable[[Decision], float] = lambda decision: FLOOR


def passive_check(score_face: ScoreFace, attempt: LiveAttempt) -> PassiveCheck:
    """With the pipeline of the attempt, and the threshold of its person."""
    return PassiveCheck(
        score_face,
        attempt.pipeline.door_face,
        lambda decision: threshold_from(attempt.liveness_history_of(decision)),
    )


def threshold_from(history: LivenessHistory | None) -> float:
    """The passive threshold of a person who looked so before; `FLOOR` for one not checked."""
    if history is None:
        return FLOOR
    return personal_threshold([history.enrolled_score], history.success_days)


def choose_scorer(settings: Settings, *, is_camera: bool) -> ScoreFace | None:
    """The passive check that the policy asks for, or None for no check.

    `liveness = "passive"`, "active" and "auto": always; ModelMissing where its models were not
    added. "off": never. Without the setting: a camera is checked if the models were added, a film
    is not. Raises ModelAltered for a model that was altered, whatever the policy, unless it is
    "off".
    """
    if settings.asks_for_life:
        return open_scorer(settings)
    if settings.liveness == "off" or not is_camera:
        return None
    try:
        return open_scorer(settings)
    except ModelMissing:
        return None


def vote_live(
    frames: Iterable[Frame],
    decide: DecideFrame,
    check: PassiveCheck | None,
    *,
    is_camera: bool = False,
) -> Decision:
    """`vote`, and then NOT_LIVE if the faces that voted do not look alive.

    check: None for no check; then the decision has no liveness evidence. is_camera: two frames that
    are the same bit for bit are no sensor's, and refuse too; a film may have such. A look of six
    seconds and more is also judged by how face and surroundings move. A refusal says nothing about
    similarity, so that a picture is not told whose it resembles. Raises as `vote`.
    """
    if check is None:
        return vote(frames, decide)
    look = _Look(check, decide, is_camera=is_camera)
    decision = vote(look.motion.watch(frames), look.decide)
    if decision.outcome not in COMPARED:
        return decision
    is_live, evidence = look.judge(decision)
    if is_live:
        return replace(decision, liveness=evidence)
    reason = "the camera does not show a living person; face it yourself, in even light"
    return Decision(
        math.nan, decision.threshold, reason, Outcome.NOT_LIVE, decision.face, liveness=evidence
    )


class _Look:
    """The frames of one look: each is decided on, and scored if it showed one face."""

    def __init__(self, check: PassiveCheck, decide: DecideFrame, *, is_camera: bool) -> None:
        self._check, self._decide, self._is_camera = check, decide, is_camera
        self._scores: list[float] = []
        self._digests: list[bytes] = []
        self.motion = MotionWatch()

    def decide(self, frame: Frame, *, whole: bool) -> Decision:
        decision = self._decide(frame, whole=whole)
        if decision.outcome in COMPARED:
            self._scores.append(_score(frame.image_rgb, decision.face, self._check.score_face))
            if self._is_camera:
                self._digests.append(frame_digest(frame.image_rgb))
        return decision

    def judge(self, decision: Decision) -> tuple[bool, LivenessEvidence]:
        """Whether nothing refuses, and what was found. decision: of the vote."""
        repeated = len(set(self._digests)) < len(self._digests)
        scores = [math.nan] if repeated else self._scores  # not a number refuses
        result = judge_frames(scores, threshold=self._check.threshold_of(decision))
        motion = self.motion.judge(self._check.find_face)
        refused_by = "" if result else "repeated" if repeated else "passive"
        if not refused_by and motion != PASSED:
            refused_by = motion
        return not refused_by, LivenessEvidence(
            "casual",
            result.score,
            result.threshold,
            len(self._scores),
            motion=motion,
            refused_by=refused_by,
        )


def _score(image_rgb: ByteArray, face: Face | None, score_face: ScoreFace) -> float:
    """NaN, which refuses the attempt, for a face that cannot be cut out."""
    if face is None:
        return math.nan
    try:
        return score_face(image_rgb, face)
    except ValueError:  # its box is not finite or has no area
        return math.nan
