"""`mien rename` and `mien forget`: what they change, and when they ask."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mien = Callable[..., Any]


class Terminal(io.StringIO):
    """A terminal on which this is typed."""

    def isatty(self) -> bool:
        return True


def test_a_renamed_person_unlocks_under_the_new_name_only(
    mien: Mien, album: Path, vault: Path
) -> None:
    ran = mien("rename", "ana", "anna")
    assert (ran.code, ran.out) == (0, "renamed ana to anna\n")
    assert mien("unlock", "anna", album / "probe.png").code == 0
    assert mien("unlock", "ana", album / "probe.png").code == 6
    assert "ana was renamed to anna" in mien("log").out
    assert mien("rename", "anna", "ann", "--json").json == {
        "outcome": "renamed", "exit_code": 0, "user": "ann", "earlier": "anna",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "code", "words"),
    [
        (("nobody", "eve"), 6, "'nobody' is not enrolled"),
        (("ana", "ben"), 2, "'ben' is enrolled already; choose another name"),
        (("ana", "a/b"), 2, "has a slash"),
        (("ana", "an\u3164a"), 2, "cannot be seen"),
    ],
)
def test_a_rename_that_cannot_be_is_refused_and_changes_nothing(
    mien: Mien, vault: Path, names: tuple[str, str], code: int, words: str
) -> None:
    before = mien("list").out
    ran = mien("rename", *names)
    assert (ran.code, words in ran.err) == (code, True)
    assert mien("list").out == before


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 2), ("\n", 2)])
def test_forget_asks_at_a_terminal(
    mien: Mien, vault: Path, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    ran = mien("forget", "ana")
    assert ran.code == code
    assert "Forget ana? The template cannot be restored. [y/N]" in ran.err
    assert ("ana" in mien("list").out) == (code != 0)


def test_forget_does_not_ask_with_yes_or_about_nobody(
    mien: Mien, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert mien("forget", "nobody").code == 6
    assert mien("forget", "ana", "--yes").out == "forgot ana\n"
