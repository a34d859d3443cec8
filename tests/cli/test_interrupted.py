"""An interrupt and an internal error are one true line, with exit codes of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from mien.settings import load_settings

Mien = Callable[..., Any]


@contextmanager
def interrupted_at(function: str) -> Iterator[None]:
    """Ctrl-C at the moment when this function is called."""

    def look(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_name == function:
            raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize(("at", "rotated"), [("rotate_vault", False), ("remove_old_keys", True)])
def test_an_interrupted_rotation_names_the_commands_that_show_what_was_done(
    mien: Mien, vault: Path, at: str, rotated: bool
) -> None:
    before = mien("vault", "status", "--json").json["change"]
    with interrupted_at(at):
        ran = mien("vault", "rotate")
    assert ran.code == 130
    assert ran.complaint == "interrupted; mien vault status and mien log show what was done"
    assert (mien("vault", "status", "--json").json["change"] > before) is rotated
    assert load_settings().key_path.read_text().count("\n") == 1 + rotated
    told = mien("vault", "status")
    assert ("1 unused key left by an interrupted rotation" in told.out) is rotated
    assert mien("vault", "rotate").code == 0  # finishes the rest
    assert "unused key" not in mien("vault", "status").out
    assert load_settings().key_path.read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "at", "words"),
    [
        (("forget", "ana"), "save", "interrupted; mien list shows who is enrolled"),
        (("unlock", "ana", "PROBE"), "attempt", "interrupted; the attempt counts as a failure"),
        (("compare", "PROBE", "PROBE"), "compare", "interrupted"),
    ],
)
def test_an_interrupt_is_reported_in_one_line(
    mien: Mien, vault: Path, album: Path, arguments: tuple[str, ...], at: str, words: str
) -> None:
    given = [album / "probe.png" if one == "PROBE" else one for one in arguments]
    with interrupted_at(at):
        ran = mien(*given)
    assert ran.code == 130
    assert ran.complaint.startswith(words)
    assert "nothing was changed" not in ran.complaint


@pytest.mark.parametrize("error", [RuntimeError("the engine\nfell over"), MemoryError()])
def test_an_internal_error_is_one_line_with_70(
    mien: Mien, vault: Path, album: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*arguments: object) -> object:
        raise error

    monkeypatch.setattr("mien.faces.embed.Embedder.embed_with_lengths", broken)
    for arguments in (
        ("unlock", "ana", album / "probe.png"),
        ("identify", album / "probe.png"),
        ("compare", album / "probe.png", album / "probe.png"),
        ("enroll", "zoe", album / "probe.png"),
    ):
        ran = mien(*arguments, "--json")
        assert (ran.code, ran.json["outcome"]) == (70, "internal_error")
        assert ran.complaint.startswith(("internal error: RuntimeError", "out of memory"))


def test_mien_debug_shows_where_an_internal_error_was(
    mien: Mien, vault: Path, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> object:
        raise RuntimeError("the engine")

    monkeypatch.setattr("mien.faces.embed.Embedder.embed_with_lengths", broken)
    monkeypatch.setenv("MIEN_DEBUG", "1")
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 70
    assert "Traceback (most recent call last)" in ran.err
    assert ran.err.splitlines()[-1].startswith("mien: internal error: RuntimeError: the engine")
