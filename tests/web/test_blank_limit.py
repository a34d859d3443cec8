"""Attempts that show no face are limited for each client, and only they."""

from __future__ import annotations

import pytest

from mien.errors import TooManyAttempts
from mien.web.blank_limit import MAX_CLIENTS, MOST, WINDOW_S, BlankLimit


class Time:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_after_sixty_in_a_minute_the_client_waits_for_the_rest_of_it() -> None:
    time = Time()
    limit = BlankLimit(time)
    for _ in range(MOST):
        limit.check("door")
        limit.add("door")
        time.now_s += 0.5
    with pytest.raises(
        TooManyAttempts, match="look into the camera, and try again in 30 s"
    ) as told:
        limit.check("door")
    assert told.value.wait_s == 30
    limit.check("another")
    time.now_s += 30
    limit.check("door")  # the first one is a minute old
    limit.add("door")
    with pytest.raises(TooManyAttempts):
        limit.check("door")


def test_one_a_second_is_never_limited() -> None:
    time = Time()
    limit = BlankLimit(time)
    for _ in range(3 * MOST):
        limit.check("door")
        limit.add("door")
        time.now_s += WINDOW_S / MOST


def test_clients_beyond_the_most_are_forgotten_the_oldest_first() -> None:
    limit = BlankLimit(Time())
    for number in range(MAX_CLIENTS + 5):
        limit.add(f"client {number}")
    assert len(limit._times) == MAX_CLIENTS
    assert "client 4" not in limit._times
