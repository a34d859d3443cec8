"""Read frames with OpenCV, from a V4L2 camera or a video file, without its log messages."""

from __future__ import annotations

import itertools
import os
import queue
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import CameraUnavailable, UnreadableImage, UsageError, quote_path
from mien.media.frame import MAX_FRAME_PIXELS, Frame, FrameLimit, SensorDepth
from mien.media.pixels import grey_to_rgb, scale_to_bytes
from mien.results import ByteArray

WARM_UP_FRAMES = 5  # a camera adjusts its exposure during these
SILENCE_S = 5.0  # a camera that gives no frame for this long has failed


OpenCapture = Callable[[str], Any]
"""Opens a device path; returns an object with the methods of cv2.VideoCapture."""


def open_v4l2(path: str) -> Any:
    """A cv2.VideoCapture of a V4L2 device."""
    import cv2

    return cv2.VideoCapture(path, cv2.CAP_V4L2)


def read_camera(
    device: str,
    *,
    clock: Callable[[], float],
    timeout_s: float,
    open_capture: OpenCapture = open_v4l2,
) -> Iterator[Frame]:
    """Frames of a camera ("0" or "/dev/video0"), for at most timeout_s seconds.

    The first `WARM_UP_FRAMES` are left out. clock: monotonic seconds. Raises
    CameraUnavailable for a device that is absent, busy, without permission, or that gives
    no frame, and UsageError for a path that is not a device.
    """
    path = Path(f"/dev/video{device}" if device.isdigit() else device)
    _check_is_device(path)
    with silence_opencv():
        reader = _CameraThread(path, clock, open_capture)
        try:
            limit = FrameLimit(clock, timeout_s)
            yield from limit.apply(_skip_warm_up(reader, limit.left_s))
        finally:
            reader.close()


def read_video_file(path: str) -> Iterator[Frame]:
    """Frames of a video file, by OpenCV's FFmpeg. Raises UnreadableImage if it is not a video."""
    with silence_opencv():
        yield from _read_capture(path)


def opencv_to_rgb(picture: np.ndarray, depth: SensorDepth) -> ByteArray:
    """Convert a frame of OpenCV to (H, W, 3) uint8 RGB.

    picture: (H, W), (H, W, 1) or (H, W, 3) BGR, uint8 or uint16.
    """
    if picture.dtype != np.uint8:
        picture = scale_to_bytes(picture, 255 / depth.white_level(float(picture.max())))
    if picture.ndim == 2 or picture.shape[2] == 1:
        return grey_to_rgb(picture.reshape(picture.shape[:2]))
    return np.ascontiguousarray(picture[..., 2::-1])


@contextmanager
def silence_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from writing to standard error; mien raises errors instead."""
    import cv2

    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    log = cv2.utils.logging
    before = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


def _skip_warm_up(reader: _CameraThread, left_s: Callable[[], float]) -> Iterator[Frame]:
    first = reader.next(left_s())
    if first is None:
        raise reader.no_frame_error()
    for number in itertools.count(1):
        frame = reader.next(left_s())
        if frame is None:
            return
        if number >= WARM_UP_FRAMES:
            yield Frame(frame.at_s - first.at_s, frame.image_rgb)


class _CameraThread:
    """Reads a camera on a thread of its own, so that a driver that hangs does not block."""

    def __init__(self, path: Path, clock: Callable[[], float], open_capture: OpenCapture) -> None:
        self._path = path
        self._clock = clock
        self._open_capture = open_capture
        self._frames: queue.Queue[Frame | CameraUnavailable] = queue.Queue(maxsize=2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mien-camera", daemon=True)
        self._thread.start()

    def next(self, left_s: float) -> Frame | None:
        """The oldest of the two newest frames; None when left_s is up. Raises CameraUnavailable."""
        try:
            found = self._frames.get(timeout=max(0.0, min(left_s, SILENCE_S)))
        except queue.Empty:
            if left_s <= SILENCE_S:
                return None
            raise self.no_frame_error() from None
        if isinstance(found, CameraUnavailable):
            raise found
        return found

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(1.0)  # a thread that hangs keeps the device until the process ends

    def _run(self) -> None:
        import cv2

        capture = self._open_capture(str(self._path))
        try:
            if not capture.isOpened():
                self._put(_not_opened(self._path))
                return
            if int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"Y16 "):
                # OpenCV would keep the upper 8 of 16 bits, which a 10-bit sensor leaves empty
                capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
            self._read(capture)
        except cv2.error:
            self._put(self.no_frame_error())
        finally:
            capture.release()

    def _read(self, capture: Any) -> None:
        depth = SensorDepth()
        while not self._stopped.is_set():
            there, picture = capture.read()
            if not there:
                self._put(self.no_frame_error())
                return
            self._put(Frame(self._clock(), opencv_to_rgb(picture, depth)))

    def _put(self, found: Frame | CameraUnavailable) -> None:
        with suppress(queue.Empty):
            if self._frames.full():
                self._frames.get_nowait()  # drop the older frame: the decision is about now
        self._frames.put(found)

    def no_frame_error(self) -> CameraUnavailable:
        return CameraUnavailable(
            f"the camera {quote_path(self._path)} gives no frames; unplug it and plug it in again"
        )


def _not_opened(path: Path) -> CameraUnavailable:
    return CameraUnavailable(
        f"the camera {quote_path(path)} does not open; close the program that is using it, or"
        " choose another with --camera"
    )


def _check_is_device(path: Path) -> None:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise CameraUnavailable(
            f"there is no camera {quote_path(path)}; plug one in, or choose another with --camera"
        ) from error
    if not stat.S_ISCHR(status.st_mode):
        raise UsageError(f"{quote_path(path)} is not a device; for a video use --frames")
    if not os.access(path, os.R_OK | os.W_OK):
        raise CameraUnavailable(
            f"no permission to use the camera {quote_path(path)}; join the group video:"
            " sudo usermod -aG video $USER, and log in again"
        )


def _read_capture(path: str) -> Iterator[Frame]:
    import cv2

    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    depth = SensorDepth()
    try:
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not capture.isOpened() or not 0 < size <= MAX_FRAME_PIXELS:
            raise UnreadableImage(
                f"{quote_path(path)} is not a video that can be read; give another"
            )
        while True:
            there, picture = capture.read()
            if not there:
                return
            yield Frame(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0, opencv_to_rgb(picture, depth))
    finally:
        capture.release()
