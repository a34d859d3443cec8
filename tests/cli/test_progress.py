"""There is no progress bar in a pipe. tests/cli/test_output.py tests the one on a terminal."""

from __future__ import annotations

import sys

import pytest

from mien.cli.progress import StepLines, bar, photo_bar


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
