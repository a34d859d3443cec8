"""The challenge: a person who does what is asked passes, and every denial denies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from mien.liveness.challenge import ChallengeSession, Denial, Observation, Phase
from mien.liveness.plan import Action, ChallengePlan

LEFT, RIGHT, CLOSER = Action.TURN_LEFT, Action.TURN_RIGHT, Action.COME_CLOSER
FPS = 10.0
Change = Callable[[Observation], Observation]


def plan(*actions: Action) -> ChallengePlan:
    return ChallengePlan("00" * 16, "anna", actions, (0.5,) * len(actions), 60.0)


class Person:
    """Does what the session asks for, at `FPS`. deep: else a flat picture."""

    def __init__(self, session: ChallengeSession, *, deep: bool = True) -> None:
        self.session = session
        self.deep = deep
        self.amount = 0.0  # 0 faces the camera, 1 has done the action
        self.action = LEFT
        self.count = 0

    def frame(self, **changes: Any) -> Observation:
        self.action = self.session.action or self.action
        step = 0.3 if self.session.phase is Phase.ACT else -0.3
        self.amount = min(1.0, max(0.0, self.amount + step))
        sign = {LEFT: 1.0, RIGHT: -1.0, CLOSER: 0.0}[self.action]
        depth = self.amount if self.deep else 0.1 * self.amount
        made = Observation(
            at_s=self.count / FPS,
            digest=self.count.to_bytes(4, "big"),
            yaw_deg=sign * 30.0 * self.amount,
            parallax=sign * 0.25 * depth,
            residual=0.16 * depth,
            scale=1.0 + 0.35 * self.amount if self.action is CLOSER else 1.0,
        )
        self.count += 1
        return replace(made, **changes)

    def until(self, phase: Phase) -> None:
        for _ in range(200):
            if self.session.phase is phase:
                return
            self.session.add(self.frame())
        raise AssertionError(f"still {self.session.phase}, {self.session.denial}")


def started(*actions: Action) -> tuple[ChallengeSession, Person]:
    session = ChallengeSession(plan(*actions))
    return session, Person(session)


@pytest.mark.parametrize(
    "actions", [(LEFT, RIGHT), (RIGHT, CLOSER), (CLOSER, LEFT), (LEFT, CLOSER, RIGHT)]
)
def test_a_person_who_does_what_is_asked_passes(actions: tuple[Action, ...]) -> None:
    session, person = started(*actions)
    assert not session
    person.until(Phase.PASSED)
    assert session
    assert session.denial is None
    assert session.add(person.frame(faces=2)) is Phase.PASSED  # over
    assert person.count / FPS < 9.0


def test_an_action_is_not_shown_before_its_delay_is_over() -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.DELAY)
    assert session.action is None
    person.until(Phase.ACT)
    assert session.action is LEFT
    assert person.count / FPS >= 0.7  # three frames, and half a second


EVERYWHERE = [
    ({"faces": 2}, Denial.SECOND_FACE),
    ({"digest": (0).to_bytes(4, "big")}, Denial.REPEATED_FRAME),
    ({"anchor_cosine": 0.362}, Denial.OTHER_FACE),
    ({"shift": 1.1}, Denial.JUMP),
    ({"scale": 1.9}, Denial.JUMP),
    ({"scale": 0.5}, Denial.JUMP),
    ({"yaw_deg": math.nan}, Denial.NOT_A_NUMBER),
    ({"anchor_cosine": math.nan}, Denial.NOT_A_NUMBER),
    ({"at_s": 0.05}, Denial.OUT_OF_ORDER),
]


@pytest.mark.parametrize("phase", [Phase.ANCHOR, Phase.DELAY, Phase.ACT, Phase.RETURN])
@pytest.mark.parametrize(("changes", "denial"), EVERYWHERE)
def test_what_is_denied_in_every_phase(
    changes: dict[str, Any], denial: Denial, phase: Phase
) -> None:
    session, person = started(LEFT, RIGHT)
    person.until(phase)
    for _ in range(2):
        session.add(person.frame())
    assert session.phase is phase
    assert session.add(person.frame(**changes)) is Phase.DENIED
    assert session.denial is denial
    assert session.add(person.frame()) is Phase.DENIED  # it stays denied
    assert not session


def test_a_turn_within_one_frame_is_a_jump() -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.ACT)
    session.add(person.frame(yaw_deg=0.0))
    session.add(person.frame(yaw_deg=21.0))
    assert session.denial is Denial.JUMP


@pytest.mark.parametrize(("late_s", "phase"), [(0.5, Phase.ANCHOR), (0.61, Phase.DENIED)])
def test_a_gap_between_two_frames_is_denied(late_s: float, phase: Phase) -> None:
    session, person = started(LEFT, RIGHT)
    session.add(person.frame())
    assert session.add(person.frame(at_s=late_s)) is phase
    assert session.denial is (Denial.GAP if phase is Phase.DENIED else None)


def test_frames_without_a_face_are_a_gap_when_they_last() -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.DELAY)
    for _ in range(5):
        assert session.add(person.frame(faces=0)) is Phase.DELAY
    for _ in range(2):
        session.add(person.frame(faces=0))
    assert session.denial is Denial.GAP


@pytest.mark.parametrize(
    ("changes", "denial"),
    [({"matches_template": False}, Denial.NOT_THE_TEMPLATE), ({"is_live": False}, Denial.NOT_LIVE)],
)
def test_every_frame_of_the_anchor_must_be_live_and_the_enrolled_person(
    changes: dict[str, Any], denial: Denial
) -> None:
    session, person = started(LEFT, RIGHT)
    session.add(person.frame())
    assert session.add(person.frame(**changes)) is Phase.DENIED
    assert session.denial is denial


@pytest.mark.parametrize(("asked", "turned"), [(LEFT, -1.0), (RIGHT, 1.0)])
def test_the_wrong_way_is_denied(asked: Action, turned: float) -> None:
    session, person = started(asked, CLOSER)
    person.until(Phase.ACT)
    for yaw_deg in (8.0, 16.0, 24.0, 25.0):
        session.add(person.frame(yaw_deg=turned * yaw_deg))
    assert session.denial is Denial.WRONG_WAY


def test_a_turn_instead_of_coming_closer_is_the_wrong_way() -> None:
    session, person = started(CLOSER, LEFT)
    person.until(Phase.ACT)
    for yaw_deg in (8.0, 16.0, 24.0, 25.0):
        session.add(person.frame(yaw_deg=yaw_deg, scale=1.0))
    assert session.denial is Denial.WRONG_WAY


@pytest.mark.parametrize("flat", [{"parallax": 0.17}, {"residual": 0.11}, {"parallax": -0.3}])
def test_a_flat_picture_that_is_turned_is_denied(flat: dict[str, float]) -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.ACT)
    for _ in range(12):
        session.add(person.frame(**flat))
    assert session.denial is Denial.FLAT


def test_one_flat_measurement_of_a_person_is_forgiven() -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.ACT)
    for _ in range(4):
        session.add(person.frame(parallax=0.1))
    person.until(Phase.PASSED)
    assert session


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"yaw_deg": 24.9}, False),
        ({"parallax": 0.179}, False),
        ({"residual": 0.119}, False),
    ],
)
def test_a_turn_counts_at_its_three_thresholds_only(
    changes: dict[str, float], counts: bool
) -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.ACT)
    for yaw_deg in (8.0, 16.0, 24.0):
        session.add(person.frame(yaw_deg=yaw_deg, parallax=0.0))
    exact = {"yaw_deg": 25.0, "parallax": 0.18, "residual": 0.12} | changes
    assert session.add(person.frame(**exact)) is Phase.ACT  # one frame is not enough
    assert session.add(person.frame(**exact)) is (Phase.RETURN if counts else Phase.ACT)


def test_an_action_before_its_instruction_is_denied() -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.DELAY)
    for yaw_deg in (12.0, 24.0, 30.0):
        session.add(person.frame(yaw_deg=yaw_deg))
    assert session.denial is Denial.TOO_FAST


def test_a_reaction_within_a_quarter_of_a_second_is_denied() -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.ACT)
    session.add(person.frame(yaw_deg=15.0))
    session.add(person.frame(yaw_deg=30.0, parallax=0.25, residual=0.2))
    assert session.denial is Denial.TOO_FAST


def frames_that_do_nothing(person: Person) -> Iterator[Observation]:
    while True:
        yield person.frame(yaw_deg=0.0, scale=1.0)


def test_an_action_of_more_than_four_seconds_is_denied() -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.ACT)
    begun = person.count
    for frame in frames_that_do_nothing(person):
        if session.add(frame) is Phase.DENIED:
            break
    assert session.denial is Denial.ACTION_TIMEOUT
    assert 4.0 < (person.count - begun) / FPS <= 4.3


def test_not_facing_the_camera_again_is_denied() -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.RETURN)
    for _ in range(60):
        session.add(person.frame(yaw_deg=28.0))
    assert session.denial is Denial.ACTION_TIMEOUT


def test_a_session_of_more_than_twelve_seconds_is_denied() -> None:
    session, person = started(LEFT, RIGHT)
    for _ in range(200):
        session.add(person.frame(yaw_deg=12.0))  # never frontal: no anchor
    assert session.denial is Denial.SESSION_TIMEOUT
    assert ChallengeSession(plan(LEFT, RIGHT)).phase is Phase.ANCHOR


def test_a_session_that_ends_early_is_denied() -> None:
    session, person = started(LEFT, RIGHT)
    person.until(Phase.ACT)
    assert session.end() is Phase.DENIED
    assert not session
    done, person = started(LEFT, RIGHT)
    person.until(Phase.PASSED)
    assert done.end() is Phase.PASSED


def test_a_recording_of_one_plan_does_not_pass_another() -> None:
    first, person = started(LEFT, RIGHT)
    recorded = []
    while first.phase is not Phase.PASSED:
        recorded.append(person.frame())
        first.add(recorded[-1])
    other = ChallengeSession(plan(RIGHT, LEFT))
    for frame in recorded:
        other.add(frame)
    assert other.end() is Phase.DENIED


def test_coming_closer_before_the_instruction_is_denied() -> None:
    session, person = started(CLOSER, LEFT)
    person.until(Phase.DELAY)
    for scale in (1.2, 1.35):
        session.add(person.frame(scale=scale))
    assert session.denial is Denial.TOO_FAST


def test_who_came_closer_must_go_back_before_the_next_action() -> None:
    session, person = started(CLOSER, LEFT)
    person.until(Phase.RETURN)
    assert session.add(person.frame(scale=1.3)) is Phase.RETURN
    assert session.add(person.frame(scale=1.16)) is Phase.RETURN
    assert session.add(person.frame(scale=1.15)) is Phase.DELAY
