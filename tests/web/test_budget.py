"""The photos of one request have a budget of processor time together."""

from __future__ import annotations

import pytest

from mien.errors import UsageError
from mien.web.budget import MAX_CPU_S, within_budget


def test_photos_within_the_budget_are_all_given() -> None:
    times_s = iter([0.0, *(MAX_CPU_S,) * 9])
    assert list(within_budget(range(10), lambda: next(times_s))) == list(range(10))


def test_once_the_time_is_used_up_the_next_photo_is_refused() -> None:
    times_s = iter([5.0, 5.0 + MAX_CPU_S / 2, 5.1 + MAX_CPU_S])
    walked = within_budget(range(10), lambda: next(times_s))
    assert [next(walked), next(walked)] == [0, 1]
    with pytest.raises(UsageError, match="the first 2 photos took over 20 s to search; send fewer"):
        next(walked)


def test_one_photo_is_never_refused() -> None:
    times_s = iter([0.0])
    assert list(within_budget(["photo"], lambda: next(times_s))) == ["photo"]
