"""There is no progress bar in a pipe. tests/cli/test_output.py tests the one on a terminal."""

from __future__ import annotations

import sys

import pytest

from mien.cli.progress import bar, photo_bar


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
