"""What is measured on the frames of a camera, and what is said to be wrong; hand-made frames."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from mien.app import camera_check
from mien.app.camera_check import SEEN_AFTER, CameraCheck, check_camera
from mien.errors import NoFaceFound
from mien.media.camera_list import Camera, CameraKind
from mien.media.frame import Frame
from mien.results import ByteArray, Face

HD = Camera("/dev/video0", "HD", CameraKind.COLOUR, ("YUYV",))
INFRARED = Camera("/dev/video2", "IR", CameraKind.INFRARED, ("GREY",))
VIRTUAL = Camera("/dev/video4", "Dummy", CameraKind.COLOUR, ("YUYV",), is_virtual=True)


def frames_of(
    levels: Sequence[int], *, fps: float = 30.0, colour: bool = True, first_s: float = 10.5
) -> Iterator[Frame]:
    """Frames of 32 by 16 pixels, each with a pixel of its own."""
    for number, level in enumerate(levels):
        image = np.full((16, 32, 3), level, np.uint8)
        if colour:
            image[..., 0] = min(level + 6, 255)
        image[1, 1] = (number, 0, 0)
        yield Frame(first_s + number / fps, image)


def twice() -> Iterator[Frame]:
    """The same frame, bit for bit, a tenth of a second apart."""
    for first_s in (10.5, 10.6):
        yield from frames_of([120], first_s=first_s)


def checked(frames: Iterator[Frame], camera: Camera = HD, *, face: bool = True) -> CameraCheck:
    def find(image_rgb: ByteArray) -> Face:
        if not face:
            raise NoFaceFound("no face found; come closer")
        return Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)

    return check_camera(
        frames,
        camera=lambda: camera,
        started_s=10.0,
        opened_s=lambda: 10.25,
        find_face=lambda: find,
    )


def test_times_count_from_the_start_and_the_rate_from_the_first_frame_to_the_last() -> None:
    found = checked(frames_of([120] * 21, fps=20.0))
    assert (found.opened_s, found.first_frame_s) == (0.25, 0.5)
    assert found.usable_s == pytest.approx(0.55)  # the second frame
    assert found.fps == pytest.approx(20.0)
    assert (found.frames, found.dark_frames, found.size_wh) == (21, 0, (32, 16))
    assert found.brightness == pytest.approx(122.0)
    assert (found.face, found.has_colour, found.wrong) == (True, True, ())


def test_no_more_frames_are_taken_than_are_needed() -> None:
    frames = frames_of([120] * 200)
    assert checked(frames).frames == SEEN_AFTER + 1
    assert next(frames, None) is not None


def test_the_brightness_is_that_of_steady_light_alone() -> None:
    assert checked(frames_of([0, 200, 120, 120, 120])).brightness == pytest.approx(122.0)


@pytest.mark.parametrize(
    ("frames", "camera", "wrong"),
    [
        (frames_of([5] * 35), HD, [camera_check.DARK]),
        (frames_of([5] * 35), INFRARED, [camera_check.LAMP_OFF]),
        (frames_of([255] * 35), HD, [camera_check.TOO_BRIGHT]),
        (frames_of([100, 150] * 20), HD, [camera_check.NOT_STEADY]),
        (frames_of([120] * 5, fps=8.0), HD, [camera_check.SLOW]),
        (frames_of([120] * 5, colour=False), HD, [camera_check.NO_COLOUR]),
        (frames_of([120] * 5, colour=False), INFRARED, []),
        (frames_of([3, 120] * 8, colour=False), INFRARED, []),
        (twice(), HD, [camera_check.SLOW, camera_check.REPEATED]),
        (frames_of([120] * 5), VIRTUAL, [camera_check.VIRTUAL]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(frames: Iterator[Frame], camera: Camera, wrong: list[str]) -> None:
    assert list(checked(frames, camera).wrong) == wrong
    assert all(";" in words or ":" in words for words in wrong)


def test_no_face_is_said_with_the_reason() -> None:
    found = checked(frames_of([120] * 5), face=False)
    assert not found.face
    assert found.wrong == ("no face found; come closer",)


def test_one_frame_has_no_rate_and_no_steady_light_which_json_writes_as_null() -> None:
    found = checked(frames_of([120]))
    assert math.isnan(found.fps)
    data = json.loads(json.dumps(found.to_dict()))
    assert (data["fps"], data["usable_s"], data["opened_s"]) == (None, None, 0.25)
    assert "image_rgb" not in data
