"""`--camera` and `--frames` of `mien unlock` and `mien enroll`; videos stand for a camera."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Mien = Callable[..., Any]
Started = Callable[..., Any]
"""Runs a command: `.code`, `.out`, `.err`, `.json`, `.complaint`; see conftest."""


@pytest.fixture
def film(album: Path, tmp_path: Path) -> Path:
    """Motion JPEG: nobody, then her for six frames."""
    target = tmp_path / "film.mjpeg"
    with target.open("wb") as stream:
        for name in ("wall", "probe", "me/1", "probe", "me/2", "probe", "me/3"):
            with Image.open(album / f"{name}.png") as picture:
                picture.convert("RGB").save(stream, "JPEG", quality=95)
    return target


def test_a_video_of_the_owner_unlocks_as_one_attempt(mien: Mien, vault: Path, film: Path) -> None:
    ran = mien("unlock", "ana", "--frames", film)
    assert ran.code == 0
    assert ran.out.startswith("unlocked: ana, the same person, a good match")
    unlocks = [one for one in mien("log", "--json").json["entries"] if one["kind"] == "unlock"]
    assert [one["outcome"] for one in unlocks] == ["unlocked"]


def test_a_video_of_another_person_is_one_failed_attempt(
    mien: Mien, vault: Path, film: Path
) -> None:
    assert mien("unlock", "ben", "--frames", film).code == 1
    unlocks = [one for one in mien("log", "--json").json["entries"] if one["kind"] == "unlock"]
    assert len(unlocks) == 1


def test_a_video_without_a_face_exits_with_3_and_is_never_counted(
    mien: Mien, vault: Path, album: Path, tmp_path: Path
) -> None:
    (tmp_path / "walls").mkdir()
    for number in range(4):
        with Image.open(album / "wall.png") as picture:
            picture.save(tmp_path / "walls" / f"{number}.png")
    for _ in range(7):
        assert mien("unlock", "ana", "--frames", tmp_path / "walls").code == 3


def test_a_video_enrolls_and_then_unlocks(mien: Mien, home: Path, film: Path) -> None:
    made = mien("enroll", "zoe", "--frames", film)
    assert made.code == 0
    assert made.out.startswith("enrolled zoe from ")
    assert mien("unlock", "zoe", "--frames", film).code == 0


def test_a_video_is_read_from_a_pipe(started: Started, vault: Path, film: Path) -> None:
    with film.open("rb") as stream:
        ran = started("unlock", "ana", "--frames", "-", stdin=stream, capture_output=True)
    assert ran.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [(), ("probe.png", "--frames", "x"), ("--frames", "x", "--camera"), ("probe.png", "--camera")],
)
def test_exactly_one_of_photo_camera_and_frames_is_required(
    mien: Mien, vault: Path, arguments: tuple[str, ...]
) -> None:
    ran = mien("unlock", "ana", *arguments)
    assert ran.code == 2
    assert "exactly one of a photo, --camera and --frames" in ran.complaint


def test_a_missing_camera_exits_with_12(mien: Mien, vault: Path) -> None:
    ran = mien("unlock", "ana", "--camera", "97")
    assert ran.code == 12
    assert "there is no camera" in ran.complaint
    assert mien("enroll", "zoe", "--camera", "/dev/video97").code == 12
    assert mien("unlock", "ana", "--camera", "0", "--timeout", "0").code == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--camera", "/dev/null"), 12), (("--camera",), 12), (("--frames", "FILM"), 5)],
    ids=["no camera", "absent", "no film"],
)
def test_messages_of_opencv_never_reach_standard_error(
    started: Started, vault: Path, tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"no film")
    line = [film if one == "FILM" else one for one in arguments]
    ran = started("unlock", "ana", *line, capture_output=True, text=True)
    assert ran.returncode == code
    assert ran.stderr.startswith("mien: ")
    assert ran.stderr.count("\n") == 1


def test_a_pipe_that_sends_nothing_ends_with_an_error_after_the_timeout(
    started: Started, vault: Path
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stream, os.fdopen(writing, "w"):
        options = {"stdin": stream, "capture_output": True, "text": True}
        ran = started("unlock", "ana", "--frames", "-", "--timeout", "0.05", **options)
    assert ran.returncode == 5
    assert ran.stderr.startswith(
        "mien: no complete frame was received from standard input in 0.05 s"
    )
    assert ran.stderr.count("\n") == 1


def test_a_folder_of_infrared_frames_unlocks_although_one_file_is_damaged(
    mien: Mien, vault: Path, album: Path, tmp_path: Path
) -> None:
    """10 bits in 16, the lamp on in every other picture."""
    folder = tmp_path / "infrared"
    folder.mkdir()
    with Image.open(album / "probe.png") as picture:
        grey = np.asarray(picture.convert("L")).astype(np.uint16) * 4
    for number in range(6):
        lit = grey if number % 2 else grey // 40
        Image.fromarray(lit).save(folder / f"{number}.png")
    (folder / "2.jpg").write_bytes(b"junk")
    assert mien("unlock", "ana", "--frames", folder).code == 0


def test_a_dark_video_exits_with_3_and_is_called_dark(
    mien: Mien, vault: Path, tmp_path: Path
) -> None:
    for number in range(3):
        Image.new("RGB", (64, 48)).save(tmp_path / f"{number}.png")
    ran = mien("unlock", "ana", "--frames", tmp_path)
    assert ran.code == 3
    assert "3 dark; turn on a light" in ran.complaint


@pytest.mark.parametrize(("turns", "degrees"), [(1, "90"), (2, "180"), (3, "270")])
def test_frames_of_a_camera_mounted_sideways_are_turned(
    mien: Mien, vault: Path, album: Path, tmp_path: Path, turns: int, degrees: str
) -> None:
    with Image.open(album / "probe.png") as picture:
        lying = np.rot90(np.asarray(picture.convert("RGB")), turns)  # counter-clockwise
    for number in range(5):
        Image.fromarray(lying).save(tmp_path / f"{number}.png")
    assert mien("unlock", "ana", "--frames", tmp_path, "--rotate", degrees).code == 0
    assert mien("unlock", "ana", "--frames", tmp_path, "--rotate", "0").code != 0
    assert mien("unlock", "ana", "--frames", tmp_path).code == 0
