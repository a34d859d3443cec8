"""`mien camera`, and `--camera` through the real OpenCV, on a camera that `fake_camera.c` plays.

No machine of ours has a camera. The C library answers the requests of V4L2 in the place of the
kernel, on a device that really is /dev/zero. mien and OpenCV are the real ones.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.media.nodes import METADATA, Machine, Node

from mien.cli.commands import camera
from mien.cli.picture import picture_lines
from mien.results import ByteArray

Mien = Callable[..., Any]
Started = Callable[..., Any]
SOURCE = Path(__file__).parents[1] / "media" / "fake_camera.c"
SIZE_WH = (640, 480)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled stand-in for a driver."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("no C compiler or kernel header; install gcc and linux-libc-dev")
    target = tmp_path_factory.mktemp("driver") / "fake_camera.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", target, SOURCE], check=True, timeout=120)
    return target


@pytest.fixture
def her(album: Path) -> ByteArray:
    """(480, 640, 3), what a camera before her sees."""
    with Image.open(album / "probe.png") as picture:
        picture.thumbnail(SIZE_WH)
        scene = Image.new("RGB", SIZE_WH, (150, 140, 130))
        scene.paste(picture, (100, 0))
    return np.asarray(scene)


Seen = Callable[..., Any]


@pytest.fixture
def seen(library: Path, started: Started, tmp_path: Path) -> Seen:
    """Runs a command before a camera that gives these frames; NODE stands for its device."""
    node = tmp_path / "video0"
    node.symlink_to("/dev/zero")

    def run(
        frames: Sequence[bytes],
        *arguments: object,
        letters: str = "YUYV",
        fault: str = "",
        fps: int = 30,
    ) -> Any:
        (tmp_path / "frames").write_bytes(b"".join(frames))
        env = {
            "LD_PRELOAD": str(library),
            "FAKE_FORMAT": letters,
            "FAKE_SIZE": f"{SIZE_WH[0]}x{SIZE_WH[1]}",
            "FAKE_FRAMES": str(tmp_path / "frames"),
            "FAKE_FAULT": fault,
            "FAKE_FPS": str(fps),
        }
        line = [str(node) if one == "NODE" else one for one in arguments]
        return started(*line, env=env, capture_output=True, text=True)

    return run


def yuyv(image_rgb: ByteArray) -> bytes:
    """As a camera gives it: by ITU-R BT.601, one colour for two pixels."""
    red, green, blue = (image_rgb[..., n].astype(float) for n in range(3))
    y = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    u = 128 - 0.148 * red - 0.291 * green + 0.439 * blue
    v = 128 + 0.439 * red - 0.368 * green - 0.071 * blue
    packed = np.empty((*y.shape, 2))
    packed[..., 0] = y
    packed[:, ::2, 1], packed[:, 1::2, 1] = u[:, ::2], v[:, ::2]
    return packed.round().clip(0, 255).astype(np.uint8).tobytes()


def grey(image_rgb: ByteArray, light: float = 1.0) -> bytes:
    return (image_rgb.mean(axis=2) * light).astype(np.uint8).tobytes()


# test --------------------------------------------------------------------------------------


def test_a_good_camera_is_measured_and_shows_a_face(seen: Seen, her: ByteArray) -> None:
    ran = seen([yuyv(her)], "camera", "test", "NODE", "--json")
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert (said["face"], said["has_colour"], said["dark_frames"]) == (True, True, 0)
    assert said["camera"]["name"] == "Camera of the test"
    assert said["camera"]["kind"] == "colour"
    assert said["size_wh"] == [640, 480]
    assert 0 < said["opened_s"] <= said["first_frame_s"] <= said["usable_s"]
    assert 1 < said["fps"] <= 31  # no more than the driver gives
    assert abs(said["brightness"] - her.mean()) < 5
    others = [one for one in said["wrong"] if "virtual camera, or unknown to /sys" not in one]
    assert [one for one in others if "few frames a second" not in one] == []  # a loaded machine


def test_an_infrared_camera_whose_lamp_lights_every_other_frame_shows_the_face(
    seen: Seen, her: ByteArray
) -> None:
    frames = [grey(her, 0.01), grey(her)] * 40
    ran = seen(frames, "camera", "test", "NODE", "--json", letters="GREY", fps=100)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["camera"]["kind"] == "infrared"
    assert said["face"] is True
    assert said["dark_frames"] >= 1
    assert abs(said["brightness"] - her.mean()) < 10  # of the lit frames


def test_a_dark_infrared_camera_says_that_its_lamp_does_not_light(
    seen: Seen, her: ByteArray
) -> None:
    ran = seen([grey(her, 0.01)], "camera", "test", "NODE", letters="GREY", fps=200)
    assert ran.returncode == 0, ran.stderr
    assert "first usable frame after not steady" in ran.stdout
    assert "wrong: all frames are dark: the infrared lamp does not light" in ran.stdout
    assert "wrong: no face found" in ran.stdout


def test_a_colour_camera_without_colour_may_be_infrared(seen: Seen, her: ByteArray) -> None:
    flat = np.repeat(her.mean(axis=2, keepdims=True), 3, axis=2)
    ran = seen([yuyv(flat)], "camera", "test", "NODE", fps=200)
    assert "wrong: it offers formats with colour and shows none" in ran.stdout


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("busy", "is in use by another program; close that program"),
        ("hang", "gives no frames; unplug it and plug it in again"),
        ("gone", "gives no frames; unplug it and plug it in again"),
    ],
)
def test_a_fault_of_the_camera_is_named(seen: Seen, her: ByteArray, fault: str, words: str) -> None:
    ran = seen([yuyv(her)], "camera", "snapshot", "NODE", fault=fault)
    assert ran.returncode == 12
    assert words in ran.stderr
    assert ran.stderr.count("\n") == 1  # nothing of OpenCV's


def test_a_word_that_is_no_device_is_refused(mien: Mien) -> None:
    ran = mien("camera", "test", "webcam")
    assert ran.code == 2
    assert "'webcam' is not a camera: give a number or a path such as /dev/video0" in ran.complaint
    assert "NAME" not in ran.complaint


# snapshot ----------------------------------------------------------------------------------


def test_a_snapshot_is_kept_only_where_it_is_asked_for(
    seen: Seen, her: ByteArray, tmp_path: Path
) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if path.suffix not in (".log", ".onnx"))
    ran = seen([yuyv(her)], "camera", "snapshot", "NODE")
    assert ran.returncode == 0, ran.stderr
    assert "640x480; kept in memory alone" in ran.stdout
    after = sorted(path for path in tmp_path.rglob("*") if path.suffix not in (".log", ".onnx"))
    assert set(after) - set(before) == {tmp_path / "frames"}

    out = tmp_path / "seen.png"
    ran = seen([yuyv(her)], "camera", "snapshot", "NODE", "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert stat.S_IMODE(os.stat(out).st_mode) == 0o600
    with Image.open(out) as picture:
        assert np.abs(np.asarray(picture).astype(int) - her).mean() < 5

    ran = seen([yuyv(her)], "camera", "snapshot", "NODE", "--out", out)
    assert ran.returncode == 2
    assert "exists already; give another --out" in ran.stderr


def test_a_picture_on_a_terminal_has_two_pixels_a_character() -> None:
    image = np.zeros((4, 2, 3), np.uint8)
    image[1] = (1, 2, 3)
    lines = picture_lines(image, 80)
    block = "\x1b[38;2;0;0;0m\x1b[48;2;1;2;3m\N{UPPER HALF BLOCK}"
    assert lines[0] == block * 2 + "\x1b[0m"
    assert len(lines) == 2
    assert len(picture_lines(np.zeros((480, 640, 3), np.uint8), 80)) == 30


# unlock ------------------------------------------------------------------------------------


def test_a_camera_unlocks_by_the_real_opencv(
    seen: Seen, vault: Path, her: ByteArray, album: Path
) -> None:
    ran = seen([yuyv(her)], "unlock", "ana", "--camera", "NODE")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("unlocked: ana, the same person")
    assert seen([yuyv(her)], "unlock", "ben", "--camera", "NODE").returncode == 1
    ran = seen([yuyv(her)], "unlock", "ana", "--camera", "NODE", fault="busy")
    assert ran.returncode == 12
    assert "is in use by another program" in ran.stderr


# list --------------------------------------------------------------------------------------


def test_the_list_names_the_best_camera_its_links_and_the_nodes_left_out(
    mien: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "machine").mkdir()
    infrared = Node(card="IR Camera", formats=("GREY",), by_path="pci-1")
    colour = Node(card="HD Camera", by_path="pci-2")
    machine = Machine(tmp_path / "machine", [Node(flags=METADATA), infrared, colour])
    monkeypatch.setattr(camera, "KERNEL", machine.nodes)
    dev = machine.dev
    assert mien("camera", "list").out.splitlines() == [
        f"{dev}/video1  IR Camera: infrared, GREY, USB id 04f2:b6d0",
        f"  {dev}/v4l/by-path/pci-1",
        f"{dev}/video2  HD Camera: colour, YUYV, MJPG, USB id 04f2:b6d0; --camera without DEVICE"
        " takes it",
        f"  {dev}/v4l/by-path/pci-2",
        f"left out: '{dev}/video0' gives metadata and no pictures",
    ]
    said = mien("camera", "list", "--json").json
    assert said["best"] == f"{dev}/video2"
    assert [one["kind"] for one in said["cameras"]] == ["infrared", "colour"]
    assert said["left_out"][0]["remedy"] == "choose one of: mien camera list"


def test_a_machine_without_a_camera_has_an_empty_list(
    mien: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "machine").mkdir()
    monkeypatch.setattr(camera, "KERNEL", Machine(tmp_path / "machine", []).nodes)
    ran = mien("camera", "list")
    assert (ran.code, ran.out) == (0, "this machine has no camera; plug one in\n")
    assert mien("camera", "list", "--json").json["best"] is None
