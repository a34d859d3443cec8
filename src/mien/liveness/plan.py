"""The plan of a challenge: which actions, in which order, after which delays.

The server draws it and keeps it. The client gets the nonce, which is good for one session, one
name and `VALID_S` seconds.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

NONCE_BYTES = 16
ACTIONS = 2
VALID_S = 60.0  # from drawing the plan to its first frame
LEAST_DELAY_S, MOST_DELAY_S = 0.5, 1.5  # from facing the camera to the next instruction
DELAY_STEPS = 1000


class Action(Enum):
    """What the person is asked to do. Left and right are the person's own."""

    TURN_LEFT = "turn left"
    TURN_RIGHT = "turn right"
    COME_CLOSER = "come closer"

    @property
    def is_turn(self) -> bool:
        return self is not Action.COME_CLOSER


@dataclass(frozen=True, slots=True)
class ChallengePlan:
    """user: whose challenge it is. delays_s: before each action. expires_s: on the clock."""

    nonce: str
    user: str
    actions: tuple[Action, ...]
    delays_s: tuple[float, ...]
    expires_s: float

    def __post_init__(self) -> None:
        if len(self.actions) != len(self.delays_s) or len(set(self.actions)) != len(self.actions):
            raise ValueError("a plan has different actions, and a delay before each")
        # come closer proves nothing against a photo that is moved
        if not any(action.is_turn for action in self.actions):
            raise ValueError("a plan has a turn of the head")


def draw_plan(
    user: str,
    *,
    count: int,
    now_s: float,
    random_bytes: Callable[[int], bytes],
    random_below: Callable[[int], int],
) -> ChallengePlan:
    """A plan of two or three different actions. ValueError for another count.

    random_bytes, random_below: `os.urandom` and `secrets.randbelow`; tests pass their own.
    """
    if count not in (2, 3):
        raise ValueError(f"a plan has 2 or 3 actions, not {count}")
    left = list(Action)
    actions = tuple(left.pop(random_below(len(left))) for _ in range(count))
    step = (MOST_DELAY_S - LEAST_DELAY_S) / DELAY_STEPS
    delays = tuple(LEAST_DELAY_S + step * random_below(DELAY_STEPS + 1) for _ in actions)
    return ChallengePlan(random_bytes(NONCE_BYTES).hex(), user, actions, delays, now_s + VALID_S)


def draw_secret_plan(user: str, *, now_s: float) -> ChallengePlan:
    """A plan of `ACTIONS` actions that nobody can know before."""
    return draw_plan(
        user,
        count=ACTIONS,
        now_s=now_s,
        random_bytes=os.urandom,
        random_below=secrets.randbelow,
    )


class PlanStore:
    """The plans that were drawn and not yet used, in memory. Each is taken once."""

    def __init__(self, *, capacity: int = 1000) -> None:
        self._capacity = capacity
        self._plans: dict[str, ChallengePlan] = {}

    def add(self, plan: ChallengePlan, *, now_s: float) -> None:
        """Keep a plan; expired ones are dropped, and past the capacity the oldest."""
        self._plans = {n: p for n, p in self._plans.items() if p.expires_s > now_s}
        while len(self._plans) >= self._capacity:
            self._plans.pop(next(iter(self._plans)))
        self._plans[plan.nonce] = plan

    def take(self, nonce: str, *, expected_user: str, now_s: float) -> ChallengePlan | None:
        """The plan of this nonce, which is then used up; None if it may not be used.

        None for an unknown, used or expired nonce, and for one of another name; that one is
        used up as well.
        """
        plan = self._plans.pop(nonce, None)
        if plan is None or plan.user != expected_user or not now_s < plan.expires_s:
            return None
        return plan
