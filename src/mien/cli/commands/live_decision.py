"""Frames of `mien unlock`, `identify` and `enroll`: a vote, or a challenge told on the terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator

from mien.app.live_attempt import LiveAttempt
from mien.app.live_challenge import decide_by_challenge, meter_of_attempt
from mien.app.live_enrollment import LivingFrames, frames_of_living_person
from mien.app.live_vote import choose_scorer, passive_check, vote_live
from mien.app.pipeline import Pipeline
from mien.cli.progress import print_progress
from mien.errors import Outcome
from mien.liveness.challenge import ChallengeSession
from mien.liveness.mesh import open_mesh
from mien.liveness.passive import open_scorer
from mien.liveness.plan import draw_secret_plan
from mien.media.frame import Frame
from mien.results import Decision
from mien.settings import Settings


def decide_live(
    attempt: LiveAttempt,
    frames: Iterator[Frame],
    settings: Settings,
    *,
    is_camera: bool,
    with_challenge: bool,
) -> Decision:
    """Whether the frames show the person of the attempt, alive as far as it is checked.

    with_challenge: ask for movements, as the setting `liveness = "active"` does. "auto" asks for
    them after a failed attempt, and where the passive check refuses.
    """
    is_auto = settings.liveness == "auto"
    if (
        with_challenge
        or settings.liveness == "active"
        or (is_auto and attempt.earlier_failures > 0)
    ):
        return _by_challenge(attempt, frames, settings)
    scorer = choose_scorer(settings, is_camera=is_camera)
    check = None if scorer is None else passive_check(scorer, attempt)
    decision = vote_live(frames, attempt.decide_frame, check, is_camera=is_camera)
    if is_auto and decision.outcome is Outcome.NOT_LIVE:
        return _by_challenge(attempt, frames, settings)
    return decision


def living_frames(
    frames: Iterator[Frame], pipeline: Pipeline, settings: Settings
) -> LivingFrames | None:
    """The frames to enroll from, of whoever passes a challenge; None if it was not passed.

    Raises ModelMissing, with the command, without the liveness models.
    """
    return frames_of_living_person(
        frames,
        _new_session(),
        pipeline,
        find_mesh=open_mesh(settings),
        score_face=open_scorer(settings),
        tell=print_progress,
    )


def _by_challenge(attempt: LiveAttempt, frames: Iterator[Frame], settings: Settings) -> Decision:
    """Ask for two movements. Raises ModelMissing, with the command, without the liveness models."""
    meter = meter_of_attempt(
        attempt, find_mesh=open_mesh(settings), score_face=open_scorer(settings)
    )
    return decide_by_challenge(frames, _new_session(), meter, print_progress)


def _new_session() -> ChallengeSession:
    return ChallengeSession(draw_secret_plan("of the terminal", now_s=time.monotonic()))
