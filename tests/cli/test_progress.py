"""There is no progress bar in a pipe. tests/cli/test_output.py tests the one on a terminal."""

from __future__ import annotations

import sys

import pytest

from mien.cli.progress import StepLines, bar, estimated, photo_bar


def test_no_bar_is_shown_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    items = [1, 2, 3]
    assert photo_bar(items) is items
    assert bar(items, "working") is items
    assert capsys.readouterr().err == ""


def test_no_bar_is_shown_if_standard_error_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert list(photo_bar(["a", "b"])) == ["a", "b"]


def test_an_empty_list_has_no_bar() -> None:
    assert list(photo_bar([])) == []


def test_steps_are_told_at_the_first_then_every_five_seconds_and_at_the_last() -> None:
    now, told = [100.0], list[str]()
    lines = StepLines(10, clock=lambda: now[0], tell=told.append)
    for step in range(10):
        lines.show(step, 32, f"loss {step}")
        now[0] += 2.0
    assert told == [
        "step 1 of 10, loss 0",
        "step 4 of 10, loss 3, 16 images/s, 12 s left",
        "step 7 of 10, loss 6, 16 images/s, 6 s left",
        "step 10 of 10, loss 9, 16 images/s, 0 s left",
    ]


def test_a_resumed_run_counts_its_own_steps_and_long_times_in_minutes() -> None:
    now, told = [0.0], list[str]()
    lines = StepLines(200, clock=lambda: now[0], tell=told.append)
    lines.show(50, 8, "")
    now[0] = 10.0
    lines.show(60, 8, "")
    assert told[1].endswith("8 images/s, 2 min 19 s left")


# how long the rest takes -------------------------------------------------------------------


def test_after_the_first_of_several_photos_a_line_says_how_long_all_take() -> None:
    said: list[str] = []
    times = iter([0.0, 8.0])
    items = list(estimated([1, 2, 3], 30, clock=lambda: next(times), tell=said.append))
    assert items == [1, 2, 3]
    assert said == ["30 photos, about 4 min 0 s in all"]


def test_one_photo_gets_no_estimate() -> None:
    said: list[str] = []
    assert list(estimated([1], 1, clock=lambda: 0.0, tell=said.append)) == [1]
    assert said == []
