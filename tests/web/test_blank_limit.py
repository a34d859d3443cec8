"""Attempts that show no face are limited for each client, and only they."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.errors import MienError, TooManyAttempts
from mien.web.blank_limit import MOST, WINDOW_S, BlankLimit
from mien.web.usage import Usage


class Time:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_after_sixty_in_a_minute_the_client_waits_for_the_rest_of_it() -> None:
    time = Time()
    limit = BlankLimit(time, Usage())
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
    limit = BlankLimit(time, Usage())
    for _ in range(3 * MOST):
        limit.check("door")
        limit.add("door")
        time.now_s += WINDOW_S / MOST


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    time = Time()
    limit = BlankLimit(time, Usage())
    for _ in range(MOST):
        limit.add("door")
    time.now_s -= 3600
    limit.check("door")


def test_processes_count_together_in_one_file(tmp_path: Path) -> None:
    time, file = Time(), tmp_path / "state" / "usage.sqlite"
    here, there = (BlankLimit(time, Usage(file)) for _ in range(2))
    for _ in range(MOST // 2):
        here.add("door")
        there.add("door")
    for limit in (here, there):
        with pytest.raises(TooManyAttempts):
            limit.check("door")
    assert file.stat().st_mode & 0o77 == 0


def test_a_file_that_cannot_be_used_allows_nothing(tmp_path: Path) -> None:
    file = tmp_path / "usage.sqlite"
    file.write_bytes(b"not a database, and longer than its header would be" * 40)
    with pytest.raises(MienError, match="cannot count what its clients use"):
        Usage(file)
    limit = BlankLimit(Time(), usage := Usage(tmp_path / "other.sqlite"))
    usage.close()
    with pytest.raises(MienError, match="cannot count"):
        limit.check("door")


def test_a_window_counts_from_its_start_and_begins_anew() -> None:
    usage = Usage()
    assert [usage.count("door", 60, now) for now in (120.0, 150.0, 179.9)] == [1, 2, 3]
    assert usage.count("gate", 60, 150.0) == 1
    assert usage.count("door", 86_400, 179.9) == 1
    assert [usage.count("door", 60, now) for now in (180.0, 200.0)] == [1, 2]
