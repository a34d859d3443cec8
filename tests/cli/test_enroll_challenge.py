"""`mien enroll --camera`: whether a challenge is asked for, and what a denied one enrolls."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mien.cli.commands import enroll as command
from mien.settings import Settings

Mien = Callable[..., Any]


@pytest.mark.parametrize(
    ("camera", "liveness", "added", "asked"),
    [
        ("0", None, True, True),
        ("0", None, False, False),
        ("0", "passive", False, True),
        ("0", "auto", True, True),
        ("0", "off", True, False),
        (None, "active", True, False),
    ],
)
def test_a_camera_asks_for_a_challenge_unless_it_is_off_or_the_models_are_absent(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    camera: str | None,
    liveness: str | None,
    added: bool,
    asked: bool,
) -> None:
    monkeypatch.setattr(command, "liveness_is_added", lambda engine, data_dir: added)
    args = Namespace(camera=camera)
    assert command.needs_challenge(args, replace(settings, liveness=liveness)) == asked


def test_a_denied_challenge_enrolls_nobody(
    mien: Mien, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "living_frames", lambda frames, pipeline, settings: None)
    ran = mien("enroll", "ana", "--frames", film, "--challenge")
    assert ran.code == 9
    assert ran.out.startswith("not enrolled: ana, the challenge was not passed")
    assert mien("list").out == "nobody is enrolled; run: mien enroll NAME PHOTO...\n"


def test_a_challenge_without_its_models_names_the_command_that_adds_them(
    mien: Mien, film: Path
) -> None:
    ran = mien("enroll", "ana", "--frames", film, "--challenge")
    assert ran.code == 10
    assert "mien models add liveness" in ran.complaint


def test_a_photo_cannot_do_what_is_asked(mien: Mien, album: Path) -> None:
    ran = mien("enroll", "ana", album / "probe.png", "--challenge")
    assert (ran.code, "a photo cannot do what is asked" in ran.complaint) == (2, True)
