"""Decide on the frames of a camera or a film: by a vote on identity, and by a liveness check.

Both look at the same frames, so the face that is alive is the face that is identified. The check
only refuses: what the vote locked stays locked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from mien.app.voting import DecideFrame, vote
from mien.errors import ModelMissing, Outcome
from mien.liveness.passive import ScoreFace, judge_frames, open_scorer
from mien.media.frame import Frame, frame_digest
from mien.results import ByteArray, Decision, Face, LivenessEvidence
from mien.settings import Settings

COMPARED = (Outcome.UNLOCKED, Outcome.NOT_THE_OWNER)


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
    verifier: DecideFrame,
    score_face: ScoreFace | None,
    *,
    is_camera: bool = False,
) -> Decision:
    """`vote`, and then NOT_LIVE if the faces that voted do not look alive.

    score_face: None for no check; then the decision has no liveness evidence. is_camera: two
    frames that are the same bit for bit are no sensor's, and refuse too; a film may have such. A
    refusal says nothing about similarity, so that a picture is not told whose it resembles.
    Raises as `vote`.
    """
    if score_face is None:
        return vote(frames, verifier)
    scores: list[float] = []
    digests: list[bytes] = []

    def decide_and_score(image_rgb: ByteArray) -> Decision:
        decision = verifier(image_rgb)
        if decision.outcome in COMPARED:
            scores.append(_score(image_rgb, decision.face, score_face))
            if is_camera:
                digests.append(frame_digest(image_rgb))
        return decision

    decision = vote(frames, decide_and_score)
    if decision.outcome not in COMPARED:
        return decision
    if len(set(digests)) < len(digests):
        scores[-1] = math.nan  # refuses the attempt
    result = judge_frames(scores)
    evidence = LivenessEvidence("casual", result.score, result.threshold, result.frames)
    if result:
        return replace(decision, liveness=evidence)
    reason = "the camera does not show a living person; face it yourself, in even light"
    return Decision(
        math.nan, decision.threshold, reason, Outcome.NOT_LIVE, decision.face, liveness=evidence
    )


def _score(image_rgb: ByteArray, face: Face | None, score_face: ScoreFace) -> float:
    """NaN, which refuses the attempt, for a face that cannot be cut out."""
    if face is None:
        return math.nan
    try:
        return score_face(image_rgb, face)
    except ValueError:  # its box is not finite or has no area
        return math.nan
