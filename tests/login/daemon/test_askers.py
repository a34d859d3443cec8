"""How many may ask at once, so that nobody keeps all others from asking. No socket."""

from __future__ import annotations

from typing import Any, cast

from mien.login.authorization import Asker
from mien.login.server import AskerThreads


def admitted(askers: AskerThreads, user_ids: list[int]) -> list[int]:
    return [uid for uid in user_ids if askers._admit(Asker(uid=uid, pid=10))]


def askers_of_nothing() -> AskerThreads:
    return AskerThreads(cast(Any, None), print)


def test_a_user_may_ask_twice_at_once() -> None:
    assert admitted(askers_of_nothing(), [1000] * 5 + [1001]) == [1000, 1000, 1001]


def test_many_user_ids_leave_half_of_the_places_to_root() -> None:
    askers = askers_of_nothing()
    of_one_person = list(range(100_000, 100_020))  # subuid(5) gives a person so many
    assert admitted(askers, of_one_person) == of_one_person[:8]
    assert admitted(askers, [0] * 20) == [0] * 8


def test_sixteen_askers_of_root_are_the_most() -> None:
    askers = askers_of_nothing()
    assert admitted(askers, [0] * 20) == [0] * 16
    assert admitted(askers, [1000]) == []
