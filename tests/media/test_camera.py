"""Frames from a device, and what OpenCV gives made into RGB."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.errors import CameraUnavailable, UsageError
from mien.media.camera import opencv_to_rgb, read_camera
from mien.media.frame import Frame, SensorDepth, is_dark


def test_a_frame_without_light_is_dark() -> None:
    assert is_dark(np.full((48, 64, 3), 3, np.uint8))
    assert not is_dark(np.full((48, 64, 3), 40, np.uint8))


def test_the_white_level_of_a_sensor_never_falls_and_has_10_bits_at_least() -> None:
    depth = SensorDepth()
    assert [depth.white_level(highest) for highest in (5, 4095, 700, 4096, 0)] == [
        *(1023, 4095, 4095, 8191, 8191)
    ]


@pytest.mark.parametrize(
    ("picture", "pixel"),
    [
        (np.full((4, 4), 90, np.uint8), (90, 90, 90)),
        (np.full((4, 4, 1), 90, np.uint8), (90, 90, 90)),
        (np.full((4, 4, 3), (1, 2, 3), np.uint8), (3, 2, 1)),
        (np.array([[1023, 0], [512, 1023]], np.uint16), (255, 255, 255)),
    ],
)
def test_grey_infrared_and_colour_pictures_become_rgb(
    picture: np.ndarray, pixel: tuple[int, int, int]
) -> None:
    rgb = opencv_to_rgb(picture, SensorDepth())
    assert rgb.shape == (*picture.shape[:2], 3)
    assert tuple(rgb[0, 0]) == pixel


def test_a_missing_camera_and_a_file_in_its_place_give_different_errors(tmp_path: Path) -> None:
    with pytest.raises(CameraUnavailable, match="there is no camera '/dev/video97'"):
        list(read_camera("97", clock=lambda: 0.0, timeout_s=1.0))
    with pytest.raises(CameraUnavailable, match="there is no camera"):
        list(read_camera("a\0b", clock=lambda: 0.0, timeout_s=1.0))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a device; for a video use --frames"):
        list(read_camera(str(tmp_path / "file"), clock=lambda: 0.0, timeout_s=1.0))


def test_a_device_that_is_not_a_camera_is_refused_and_opencv_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CameraUnavailable, match="does not open"):
        list(read_camera("/dev/null", clock=lambda: 0.0, timeout_s=1.0))
    assert capfd.readouterr().err == ""


class Sensor:
    """Stands for a camera, which no machine of ours has: each picture is brighter by one."""

    def __init__(self, *, pictures: int, deep: bool = False, hangs: bool = False) -> None:
        self.given = 0
        self.pictures = pictures
        self.deep = deep
        self.set_to: dict[int, float] = {}
        self.released = threading.Event()
        self.unplugged = threading.Event()
        if not hangs:
            self.unplugged.set()

    def isOpened(self) -> bool:
        return True

    def get(self, what: int) -> float:
        return float(int.from_bytes(b"Y16 " if self.deep else b"BACKGROUND_GREY", "little"))

    def set(self, what: int, value: float) -> None:
        self.set_to[what] = value

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.unplugged.wait()
        if self.given == self.pictures:
            return False, None
        self.given += 1
        grey = np.full((8, 8), 50 + min(self.given, 200), np.uint8)
        return True, grey.astype(np.uint16) * 4 if self.deep else grey

    def release(self) -> None:
        self.released.set()


def watched(sensor: Sensor, timeout_s: float = 600.0) -> Iterator[Frame]:
    return read_camera(
        "/dev/null", clock=time.monotonic, timeout_s=timeout_s, open_capture=lambda path: sensor
    )


def test_the_first_frames_of_a_camera_are_left_out_and_the_times_of_the_others_rise() -> None:
    found = list(itertools.islice(watched(Sensor(pictures=1 << 60)), 4))
    assert found[0].image_rgb.shape == (8, 8, 3)
    assert all(frame.image_rgb[0, 0, 0] > 50 + 5 for frame in found)
    times = [frame.at_s for frame in found]
    assert times[0] > 0
    assert times == sorted(set(times))


def test_a_reader_that_stops_early_releases_the_camera() -> None:
    sensor = Sensor(pictures=1 << 60)
    found = watched(sensor)
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert sensor.released.is_set()


def test_a_16_bit_infrared_camera_is_set_to_give_all_its_bits() -> None:
    import cv2

    sensor = Sensor(pictures=1 << 60, deep=True)
    assert 50 < next(watched(sensor)).image_rgb[0, 0, 0] <= 250
    assert sensor.set_to == {cv2.CAP_PROP_CONVERT_RGB: 0}


def test_an_unplugged_camera_is_an_error_of_its_own() -> None:
    with pytest.raises(CameraUnavailable, match="gives no frames"):
        list(watched(Sensor(pictures=7)))


def test_a_camera_that_hangs_does_not_block_the_command() -> None:
    sensor = Sensor(pictures=7, hangs=True)
    with pytest.raises(CameraUnavailable, match="gives no frames"):
        list(watched(sensor, timeout_s=0.01))
    sensor.unplugged.set()
