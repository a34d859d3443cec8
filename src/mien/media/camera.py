"""Read frames from a V4L2 camera with OpenCV."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from mien.errors import CameraBusy, CameraUnavailable, LookCancelled, quote_path
from mien.media.camera_choice import BEST, find_camera
from mien.media.camera_list import KERNEL, Camera, CameraKind, Nodes
from mien.media.frame import MAX_FRAME_PIXELS, Frame, FrameLimit, SensorDepth
from mien.media.opencv_frame import opencv_to_rgb, silence_opencv
from mien.media.steady_light import when_steady

SILENCE_S = 5.0  # a camera that gives no frame for this long has failed
CANCEL_STEP_S = 0.02  # how soon a cancelled look ends
CLOSING_S = 1.0  # a camera gives its last frame within this
BUSY_TRIES, BUSY_STEP_S = 10, 0.05  # a program that closes a camera is done within half a second

OpenCapture = Callable[[str], Any]
"""Opens a device path; returns an object with the methods of cv2.VideoCapture."""

Cancelled = Callable[[], bool]
"""Whether the caller wants no more frames; asked often, from the thread of the caller."""


def open_v4l2(path: str) -> Any:
    """A cv2.VideoCapture of a V4L2 device."""
    import cv2

    return cv2.VideoCapture(path, cv2.CAP_V4L2)


def read_camera(
    device: str = BEST,
    *,
    clock: Callable[[], float],
    timeout_s: float,
    prefer: CameraKind = CameraKind.COLOUR,
    expected_usb_id: str = "",
    allow_virtual: bool = False,
    cancelled: Cancelled | None = None,
    tell: Callable[[str], None] = lambda words: None,
    open_capture: OpenCapture = open_v4l2,
    nodes: Nodes = KERNEL,
) -> Iterator[Frame]:
    """Frames of a camera, for at most timeout_s seconds, from when its light is steady.

    device, prefer, expected_usb_id, allow_virtual, tell: see `find_camera`. clock: monotonic
    seconds. cancelled: asked on the caller's thread.
    Raises what `find_camera` raises, CameraUnavailable for a camera that gives no frame, and
    LookCancelled within `CANCEL_STEP_S` once cancelled() is true, also while a driver hangs.
    """
    find = partial(
        find_camera,
        device,
        prefer=prefer,
        expected_usb_id=expected_usb_id,
        allow_virtual=allow_virtual,
        tell=tell,
        nodes=nodes,
    )
    with silence_opencv():
        limit = FrameLimit(clock, timeout_s)
        reader = CameraReader(find, clock, cancelled=cancelled, open_capture=open_capture)
        try:
            frames = reader.frames(limit.left_s)
            steady = when_steady(frames, lambda: reader.kind is CameraKind.INFRARED)
            yield from limit.apply(steady)
        finally:
            reader.close()


class CameraReader:
    """Finds, opens and reads a camera on a thread of its own, which alone hangs with a driver.

    camera: once it was found. opened_s: when it was open, by the clock; None before.
    """

    def __init__(
        self,
        find: Callable[[], Camera],
        clock: Callable[[], float],
        *,
        cancelled: Cancelled | None = None,
        open_capture: OpenCapture = open_v4l2,
    ) -> None:
        """find: gives the camera; what it raises, `next` raises. clock: monotonic seconds."""
        self._find = find
        self._clock = clock
        self._cancelled = cancelled
        self._open_capture = open_capture
        self.camera: Camera | None = None
        self.opened_s: float | None = None
        self._frames: queue.Queue[Frame | Exception] = queue.Queue(maxsize=2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mien-camera", daemon=True)
        self._thread.start()

    @property
    def kind(self) -> CameraKind:
        """Colour before the camera was found."""
        return CameraKind.COLOUR if self.camera is None else self.camera.kind

    def frames(self, left_s: Callable[[], float]) -> Iterator[Frame]:
        """What `next` gives until the time is up. Raises CameraUnavailable if that is nothing."""
        frame = self.next(left_s())
        if frame is None:
            raise self.no_frame_error()
        while frame is not None:
            yield frame
            frame = self.next(left_s())

    def next(self, left_s: float) -> Frame | None:
        """The oldest of the two newest frames; None when left_s is up.

        Raises LookCancelled, and what ended the thread, such as CameraUnavailable.
        """
        found = self._wait(max(0.0, min(left_s, SILENCE_S)))
        if isinstance(found, Exception):
            raise found
        if found is None and left_s > SILENCE_S:
            raise self.no_frame_error()
        return found

    def close(self) -> None:
        """End the thread. One that hangs keeps the device until its driver answers."""
        self._stopped.set()
        self._thread.join(CANCEL_STEP_S if self._is_cancelled() else CLOSING_S)

    def no_frame_error(self) -> CameraUnavailable:
        name = "" if self.camera is None else f" {quote_path(self.camera.path)}"
        return CameraUnavailable(
            f"the camera{name} gives no frames; unplug it and plug it in again"
        )

    def _wait(self, wait_s: float) -> Frame | Exception | None:
        """What the thread found, or None after wait_s seconds."""
        step_s = wait_s if self._cancelled is None else CANCEL_STEP_S
        for step in itertools.count(1):
            if self._is_cancelled():
                raise LookCancelled("the look was cancelled; look again")
            with suppress(queue.Empty):
                return self._frames.get(timeout=min(step_s, wait_s))
            if step * step_s >= wait_s:
                return None
        raise AssertionError  # the count has no end

    def _is_cancelled(self) -> bool:
        return self._cancelled is not None and self._cancelled()

    def _run(self) -> None:
        import cv2

        try:
            self.camera = self._find_free()
            if self._stopped.is_set():  # cancelled while a driver took its time
                return
            capture = self._open_capture(self.camera.path)
            try:
                self._read(capture)
            finally:
                capture.release()
        except cv2.error:
            self._put(self.no_frame_error())
        except Exception as error:  # noqa: BLE001 - raised again by next, on the caller's thread
            self._put(error)

    def _find_free(self) -> Camera:
        for _ in range(BUSY_TRIES):
            try:
                return self._find()
            except CameraBusy as error:
                busy = error
                if self._stopped.wait(BUSY_STEP_S):
                    break
        raise busy

    def _read(self, capture: Any) -> None:
        import cv2

        if not capture.isOpened():
            raise self._not_opened()
        self.opened_s = self._clock()
        if int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"Y16 "):
            # OpenCV would keep the upper 8 of 16 bits, which a 10-bit sensor leaves empty
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        depth = SensorDepth()
        while not self._stopped.is_set():
            there, picture = capture.read()
            if not there:
                raise self.no_frame_error()
            if picture.shape[0] * picture.shape[1] > MAX_FRAME_PIXELS:
                raise self._too_large(picture)
            self._put(Frame(self._clock(), opencv_to_rgb(picture, depth)))

    def _put(self, found: Frame | Exception) -> None:
        with suppress(queue.Empty):
            if self._frames.full():
                self._frames.get_nowait()  # drop the older frame: the decision is about now
        self._frames.put(found)

    def _not_opened(self) -> CameraUnavailable:
        assert self.camera is not None
        return CameraUnavailable(
            f"the camera {quote_path(self.camera.path)} does not open; close the program that is"
            " using it, or choose one of: mien camera list"
        )

    def _too_large(self, picture: Any) -> CameraUnavailable:
        assert self.camera is not None
        height, width = picture.shape[:2]
        return CameraUnavailable(
            f"the camera {quote_path(self.camera.path)} gives frames of {width}x{height}, more than"
            f" {MAX_FRAME_PIXELS} pixels; choose one of: mien camera list"
        )
