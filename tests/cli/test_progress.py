"""No bar where nobody looks; on a terminal there is one, see tests/cli/test_output.py."""

from __future__ import annotations

import sys

import pytest

from mien.cli.progress import bar, photo_bar


def test_in_a_pipe_the_items_come_back_untouched(capsys: pytest.CaptureFixture[str]) -> None:
    items = [1, 2, 3]
    assert photo_bar(items) is items
    assert bar(items, "working") is items
    assert capsys.readouterr().err == ""


def test_with_standard_error_closed_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert list(photo_bar(["a", "b"])) == ["a", "b"]


def test_no_items_are_no_trouble() -> None:
    assert list(photo_bar([])) == []
