"""Frames that OpenCV gives, of a V4L2 camera or of a film; it is kept quiet meanwhile."""

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
from mien.media.frame import MAX_FRAME_PIXELS, Depth, Frame, Limit
from mien.media.pixels import grey_to_rgb, scaled
from mien.results import ByteArray

WARM_UP_FRAMES = 5  # a camera sets its exposure over the first few
SILENCE_S = 5.0  # a device that gives no frame for so long has failed


Open = Callable[[str], Any]
"""Path -> what reads as a cv2.VideoCapture does."""


def by_v4l2(path: str) -> Any:
    import cv2

    return cv2.VideoCapture(path, cv2.CAP_V4L2)


def read_camera(
    device: str, *, clock: Callable[[], float], timeout_s: float, opened: Open = by_v4l2
) -> Iterator[Frame]:
    """Frames of a camera ("0" or "/dev/video0"), for at most so many seconds.

    The first few are left out. clock: seconds that only rise. Raises CameraUnavailable for
    a device that is absent, busy, not ours, or silent.
    """
    path = Path(f"/dev/video{device}" if device.isdigit() else device)
    _expect_camera(path)
    with quiet_opencv():
        reader = _Reader(path, clock, opened)
        try:
            limit = Limit(clock, timeout_s)
            yield from limit.hold(_warm(reader, limit.left_s))
        finally:
            reader.close()


def read_video_file(path: str) -> Iterator[Frame]:
    """Frames of a film, by OpenCV's FFmpeg. Raises UnreadableImage for what is none."""
    with quiet_opencv():
        yield from _read_capture(path)


def as_rgb(picture: np.ndarray, depth: Depth) -> ByteArray:
    """What OpenCV gives, (H, W), (H, W, 1) or (H, W, 3) BGR, 8 or 16 bits, as RGB of 8 bits."""
    if picture.dtype != np.uint8:
        picture = scaled(picture, 255 / depth.white(float(picture.max())))
    if picture.ndim == 2 or picture.shape[2] == 1:
        return grey_to_rgb(picture.reshape(picture.shape[:2]))
    return np.ascontiguousarray(picture[..., 2::-1])


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV and its FFmpeg write to standard error what mien says in one line of its own."""
    import cv2

    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    log = cv2.utils.logging
    before = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


def _warm(reader: _Reader, left_s: Callable[[], float]) -> Iterator[Frame]:
    first = reader.next(left_s())
    if first is None:
        raise reader.silent()
    for number in itertools.count(1):
        frame = reader.next(left_s())
        if frame is None:
            return
        if number >= WARM_UP_FRAMES:
            yield Frame(frame.at_s - first.at_s, frame.image_rgb)


class _Reader:
    """A device on a thread of its own: a driver that hangs does not hang us."""

    def __init__(self, path: Path, clock: Callable[[], float], opened: Open) -> None:
        self._path = path
        self._clock = clock
        self._opened = opened
        self._frames: queue.Queue[Frame | CameraUnavailable] = queue.Queue(maxsize=2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mien-camera", daemon=True)
        self._thread.start()

    def next(self, left_s: float) -> Frame | None:
        """The next of the newest frames; None when the time is up. Raises CameraUnavailable."""
        try:
            found = self._frames.get(timeout=max(0.0, min(left_s, SILENCE_S)))
        except queue.Empty:
            if left_s <= SILENCE_S:
                return None
            raise self.silent() from None
        if isinstance(found, CameraUnavailable):
            raise found
        return found

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(1.0)  # one that hangs keeps its device until the process ends

    def _run(self) -> None:
        import cv2

        capture = self._opened(str(self._path))
        try:
            if not capture.isOpened():
                self._give(_closed(self._path))
                return
            if int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"Y16 "):
                # OpenCV would keep the upper half of 16 bits, where a sensor of 10 has nothing
                capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
            self._read(capture)
        except cv2.error:
            self._give(self.silent())
        finally:
            capture.release()

    def _read(self, capture: Any) -> None:
        depth = Depth()
        while not self._stopped.is_set():
            there, picture = capture.read()
            if not there:
                self._give(self.silent())
                return
            self._give(Frame(self._clock(), as_rgb(picture, depth)))

    def _give(self, found: Frame | CameraUnavailable) -> None:
        with suppress(queue.Empty):
            if self._frames.full():
                self._frames.get_nowait()  # who looks at an old frame opens late
        self._frames.put(found)

    def silent(self) -> CameraUnavailable:
        return CameraUnavailable(
            f"the camera {quote_path(self._path)} gives no picture; unplug it and plug it in"
        )


def _closed(path: Path) -> CameraUnavailable:
    return CameraUnavailable(
        f"the camera {quote_path(path)} does not open; close the program that is using it, or"
        " choose another with --camera"
    )


def _expect_camera(path: Path) -> None:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise CameraUnavailable(
            f"there is no camera {quote_path(path)}; plug one in, or choose another with --camera"
        ) from error
    if not stat.S_ISCHR(status.st_mode):
        raise UsageError(f"{quote_path(path)} is no device; for a film use --frames")
    if not os.access(path, os.R_OK | os.W_OK):
        raise CameraUnavailable(
            f"you may not use the camera {quote_path(path)}; join the group video:"
            " sudo usermod -aG video $USER, and log in again"
        )


def _read_capture(path: str) -> Iterator[Frame]:
    import cv2

    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    depth = Depth()
    try:
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not capture.isOpened() or not 0 < size <= MAX_FRAME_PIXELS:
            raise UnreadableImage(f"{quote_path(path)} is no film that can be read; give another")
        while True:
            there, picture = capture.read()
            if not there:
                return
            yield Frame(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0, as_rgb(picture, depth))
    finally:
        capture.release()
