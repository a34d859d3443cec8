"""A plan is drawn by the server, has a turn, and is good once, for one name and a short time."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from mien.liveness.plan import (
    LEAST_DELAY_S,
    MOST_DELAY_S,
    VALID_S,
    Action,
    ChallengePlan,
    PlanStore,
    draw_plan,
)


def drawn(seed: int = 1, count: int = 2, user: str = "anna", now_s: float = 100.0) -> ChallengePlan:
    rng = random.Random(seed)
    return draw_plan(
        user, count=count, now_s=now_s, random_bytes=rng.randbytes, random_below=rng.randrange
    )


def test_every_plan_has_a_turn_and_no_action_twice() -> None:
    plans = [drawn(seed, count) for seed in range(200) for count in (2, 3)]
    assert all(any(action.is_turn for action in plan.actions) for plan in plans)
    assert all(len(set(plan.actions)) == len(plan.actions) for plan in plans)
    delays = [delay for plan in plans for delay in plan.delays_s]
    assert LEAST_DELAY_S <= min(delays) < max(delays) <= MOST_DELAY_S


def test_every_order_of_two_is_drawn_about_as_often() -> None:
    counts = Counter(drawn(seed).actions for seed in range(600))
    assert len(counts) == 6
    assert min(counts.values()) > 60


def test_a_nonce_is_used_once_and_no_two_are_alike() -> None:
    plans = [drawn(seed) for seed in range(50)]
    assert len({plan.nonce for plan in plans}) == 50
    assert all(len(plan.nonce) == 32 for plan in plans)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_another_number_of_actions_is_an_error(count: int) -> None:
    with pytest.raises(ValueError, match="2 or 3 actions"):
        drawn(count=count)


@pytest.mark.parametrize("actions", [(Action.COME_CLOSER,), (Action.TURN_LEFT, Action.TURN_LEFT)])
def test_a_plan_without_a_turn_or_with_an_action_twice_is_an_error(
    actions: tuple[Action, ...],
) -> None:
    with pytest.raises(ValueError, match="a plan has"):
        ChallengePlan("00", "anna", actions, (1.0,) * len(actions), 0.0)


def test_a_plan_is_taken_once() -> None:
    store, plan = PlanStore(), drawn()
    store.add(plan, now_s=100.0)
    assert store.take(plan.nonce, expected_user="anna", now_s=101.0) is plan
    assert store.take(plan.nonce, expected_user="anna", now_s=102.0) is None


def test_a_plan_is_bound_to_its_name_and_used_up_by_another() -> None:
    store, plan = PlanStore(), drawn()
    store.add(plan, now_s=100.0)
    assert store.take(plan.nonce, expected_user="ben", now_s=101.0) is None
    assert store.take(plan.nonce, expected_user="anna", now_s=101.0) is None


@pytest.mark.parametrize(("now_s", "is_good"), [(100.0 + VALID_S - 0.1, True), (160.0, False)])
def test_a_plan_expires(now_s: float, is_good: bool) -> None:
    store, plan = PlanStore(), drawn()
    store.add(plan, now_s=100.0)
    assert (store.take(plan.nonce, expected_user="anna", now_s=now_s) is plan) is is_good


def test_an_unknown_nonce_has_no_plan() -> None:
    assert PlanStore().take("00", expected_user="anna", now_s=0.0) is None


def test_the_store_is_bounded_and_drops_expired_plans_first() -> None:
    store = PlanStore(capacity=2)
    old, first, second, third = (drawn(s, now_s=n) for s, n in ((1, 0), (2, 90), (3, 91), (4, 92)))
    for plan, now_s in ((old, 0.0), (first, 90.0), (second, 91.0), (third, 92.0)):
        store.add(plan, now_s=now_s)
    taken = [store.take(p.nonce, expected_user="anna", now_s=93.0) for p in (first, second, third)]
    assert taken == [None, second, third]
