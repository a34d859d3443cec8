"""Frames from a device, and what OpenCV gives made into RGB.

No machine of ours has a camera: `Sensor` stands for what OpenCV opens, and `Machine` for the
kernel's answers before that.
"""

from __future__ import annotations

import errno
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.media.nodes import REQBUFS, Machine, Node

from mien.errors import CameraBusy, CameraUnavailable, LookCancelled, UsageError
from mien.media import camera
from mien.media.camera import CameraReader, read_camera
from mien.media.camera_list import Camera, CameraKind
from mien.media.frame import Frame, SensorDepth, is_dark
from mien.media.opencv_frame import opencv_to_rgb


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
    with pytest.raises(CameraUnavailable, match="'/dev/null' is not a camera"):
        list(read_camera("/dev/null", clock=lambda: 0.0, timeout_s=1.0))
    assert capfd.readouterr().err == ""


def test_what_opencv_cannot_open_is_refused_and_opencv_prints_nothing(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    frames = read_camera(clock=lambda: 0.0, timeout_s=1.0, nodes=machine.nodes)
    with pytest.raises(CameraUnavailable, match="video0' does not open; close the program"):
        list(frames)
    assert capfd.readouterr().err == ""


GUARD_S = 120.0
"""A test that hangs fails after so many seconds; nothing else is timed."""


class Sensor:
    """Stands for a camera that OpenCV opened. levels: the grey of its pictures, one after another.

    then: what it does after those: "repeat" the last, "end", or "hang" until `unplugged` is set.
    """

    def __init__(self, levels: list[int], then: str = "repeat", *, deep: bool = False) -> None:
        self.levels, self.then, self.deep = levels, then, deep
        self.given = 0
        self.set_to: dict[int, float] = {}
        self.hangs, self.released = threading.Event(), threading.Event()
        self.unplugged = threading.Event()

    def isOpened(self) -> bool:
        return True

    def get(self, what: int) -> float:
        return float(int.from_bytes(b"Y16 " if self.deep else b"BACKGROUND_GREY", "little"))

    def set(self, what: int, value: float) -> None:
        self.set_to[what] = value

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.given >= len(self.levels) and self.then != "repeat":
            if self.then == "hang":
                self.hangs.set()
                self.unplugged.wait(GUARD_S)
            return False, None
        level = self.levels[min(self.given, len(self.levels) - 1)]
        self.given += 1
        grey = np.full((8, 8), level, np.uint8)
        return True, grey.astype(np.uint16) * 4 if self.deep else grey

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, [Node()])


def watched(
    machine: Machine, sensor: Sensor, timeout_s: float = 600.0, **more: Any
) -> Iterator[Frame]:
    return read_camera(
        clock=time.monotonic,
        timeout_s=timeout_s,
        open_capture=lambda path: sensor,
        nodes=machine.nodes,
        **more,
    )


def test_the_first_frame_of_a_camera_is_left_out_and_the_times_of_the_others_rise(
    machine: Machine,
) -> None:
    found = list(itertools.islice(watched(machine, Sensor([90])), 4))
    assert found[0].image_rgb.shape == (8, 8, 3)
    times = [frame.at_s for frame in found]
    assert times[0] > 0
    assert times == sorted(set(times))


def test_the_node_is_opened_by_the_path_that_was_found(machine: Machine) -> None:
    opened: list[str] = []

    def open_capture(path: str) -> Sensor:
        opened.append(path)
        return Sensor([90])

    frames = read_camera(
        clock=time.monotonic, timeout_s=600.0, open_capture=open_capture, nodes=machine.nodes
    )
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert opened == [f"{machine.dev}/video0"]


def test_a_dim_picture_of_an_infrared_camera_is_steady_with_its_second_frame(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path, [Node(formats=("GREY",))])
    sensor = Sensor([16, 16], "hang")  # a colour camera would be given a second to brighten
    frames = watched(machine, sensor)
    assert next(frames).image_rgb[0, 0, 0] == 16
    sensor.unplugged.set()
    frames.close()  # type: ignore[attr-defined]


def test_a_reader_that_stops_early_releases_the_camera(machine: Machine) -> None:
    sensor = Sensor([90])
    found = watched(machine, sensor)
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert sensor.released.wait(GUARD_S)


def test_a_16_bit_infrared_camera_is_set_to_give_all_its_bits(machine: Machine) -> None:
    import cv2

    sensor = Sensor([200], deep=True)
    assert next(watched(machine, sensor)).image_rgb[0, 0, 0] == 199  # 800 of 1023
    assert sensor.set_to == {cv2.CAP_PROP_CONVERT_RGB: 0}


def test_an_unplugged_camera_is_an_error_of_its_own(machine: Machine) -> None:
    with pytest.raises(CameraUnavailable, match="video0' gives no frames; unplug it"):
        list(watched(machine, Sensor([90] * 7, "end")))


def test_frames_that_are_too_large_are_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "MAX_FRAME_PIXELS", 63)
    with pytest.raises(CameraUnavailable, match="gives frames of 8x8, more than 63 pixels"):
        next(watched(machine, Sensor([90])))


def test_a_camera_that_hangs_does_not_block_the_command(machine: Machine) -> None:
    sensor = Sensor([], "hang")
    with pytest.raises(CameraUnavailable, match="gives no frames"):
        list(watched(machine, sensor, timeout_s=0.01))
    sensor.unplugged.set()


def test_the_camera_is_found_as_find_camera_is_told(tmp_path: Path) -> None:
    infrared = Node(formats=("GREY",), by_path="pci-1")
    pair = [Node(by_path="pci-2"), Node(by_path="pci-3"), Node(place="virtual")]
    machine = Machine(tmp_path, [infrared, *pair])
    opened: list[str] = []

    def first_of(device: str = "", **more: Any) -> str:
        frames = read_camera(
            device,
            clock=time.monotonic,
            timeout_s=600.0,
            open_capture=lambda path: opened.append(path) or Sensor([90]),
            nodes=machine.nodes,
            **more,
        )
        next(frames)
        frames.close()  # type: ignore[attr-defined]
        return opened[-1].rpartition("/")[2]

    told: list[str] = []
    assert first_of(prefer=CameraKind.INFRARED, tell=told.append) == "video0"
    assert told == []
    assert first_of(tell=told.append) == "video1"
    assert "of 2 colour cameras the first by port" in told[0]
    assert first_of("3", allow_virtual=True) == "video3"
    with pytest.raises(CameraUnavailable, match="is a virtual camera"):
        first_of("3")
    with pytest.raises(CameraUnavailable, match="'046d:0825' is expected"):
        first_of(expected_usb_id="046d:0825")


# busy and cancelled ------------------------------------------------------------------------


def test_a_busy_camera_is_not_opened(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(errors={REQBUFS: errno.EBUSY})])
    sensor = Sensor([90])
    with pytest.raises(CameraBusy, match="is in use by another program"):
        next(watched(machine, sensor))
    assert sensor.given == 0


def test_a_camera_that_is_let_go_of_within_half_a_second_is_used(machine: Machine) -> None:
    asked = itertools.count(1)

    def find() -> Camera:
        if next(asked) < 3:
            raise CameraBusy("in use")
        return Camera(f"{machine.dev}/video0", "", CameraKind.COLOUR, ("YUYV",))

    reader = CameraReader(find, time.monotonic, open_capture=lambda path: Sensor([90]))
    assert reader.next(GUARD_S) is not None
    reader.close()


def test_a_look_is_cancelled_while_the_driver_hangs_in_a_frame(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "CLOSING_S", GUARD_S)
    sensor = Sensor([90, 90], "hang")
    frames = watched(machine, sensor, cancelled=sensor.hangs.is_set)
    with pytest.raises(LookCancelled):
        list(frames)
    assert not sensor.released.is_set()  # the thread still hangs, and held nobody up
    sensor.unplugged.set()
    assert sensor.released.wait(GUARD_S)


def test_a_look_is_cancelled_while_the_driver_hangs_in_open(machine: Machine) -> None:
    opening, answers = threading.Event(), threading.Event()

    def open_capture(path: str) -> Sensor:
        opening.set()
        answers.wait(GUARD_S)
        return Sensor([90])

    frames = read_camera(
        clock=time.monotonic,
        timeout_s=600.0,
        cancelled=opening.is_set,
        open_capture=open_capture,
        nodes=machine.nodes,
    )
    with pytest.raises(LookCancelled):
        next(frames)
    answers.set()


def test_a_look_is_cancelled_while_the_kernel_hangs_in_a_request(machine: Machine) -> None:
    asking, answers = threading.Event(), threading.Event()

    def ioctl(descriptor: int, request: int, answer: bytearray) -> int:
        asking.set()
        answers.wait(GUARD_S)
        return machine.ioctl(descriptor, request, answer)

    sensor = Sensor([90])
    opened: list[str] = []
    frames = read_camera(
        clock=time.monotonic,
        timeout_s=600.0,
        cancelled=asking.is_set,
        open_capture=lambda path: opened.append(path) or sensor,
        nodes=replace(machine.nodes, ioctl=ioctl),
    )
    with pytest.raises(LookCancelled):
        next(frames)
    threads = [one for one in threading.enumerate() if one.name == "mien-camera"]
    answers.set()
    for thread in threads:
        thread.join(GUARD_S)
    assert opened == []  # a camera that nobody waits for is not opened any more


def test_a_cancelled_look_gives_no_frame_even_if_there_is_one(machine: Machine) -> None:
    with pytest.raises(LookCancelled):
        next(watched(machine, Sensor([90]), cancelled=lambda: True))


def test_a_mistake_inside_the_thread_reaches_the_caller(machine: Machine) -> None:
    def open_capture(path: str) -> Sensor:
        raise ZeroDivisionError("of the test")

    frames = read_camera(
        clock=time.monotonic, timeout_s=600.0, open_capture=open_capture, nodes=machine.nodes
    )
    with pytest.raises(ZeroDivisionError):
        next(frames)
