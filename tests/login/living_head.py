"""A living head before the daemon's camera: a rendering that does what it is told, as a film."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from mien.results import ByteArray

DEGREES, SPEED = 34.0, 12.0  # how far the head turns, and how fast in a frame
NEAR, APPROACH = 1.45, 0.08  # how much larger it becomes, and how fast in a frame
REACTION_FRAMES = 3
SIDE = 512
FACE_XY = (224, 115)  # in the photo of the astronaut
GUARD_S = 300.0


class LivingHead:
    """Writes frames to a pipe, ten for a second of the film, until `stop`.

    seen: (512, 512, 3) uint8 RGB of the head turned to its left by so many degrees. A reader that
    is slow makes the film slow and loses nothing.
    """

    def __init__(self, pipe: Path, seen: Callable[[float], ByteArray]) -> None:
        self._pipe, self._seen = pipe, seen
        self._target, self._waited = (0.0, 1.0), 0  # degrees and size
        self._stopped = threading.Event()
        os.mkfifo(pipe)
        pipe.chmod(0o644)
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def hear(self, words: str) -> None:
        """Do what an instruction asks, a moment later."""
        self._waited = 0
        turned = DEGREES * (("left" in words) - ("right" in words))
        self._target = turned, NEAR if "closer" in words else 1.0

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(GUARD_S)
        self._pipe.unlink()

    def _write(self) -> None:
        noise, at, size = np.random.default_rng(0), 0.0, 1.0
        descriptor = self._open()
        if descriptor is None:
            return
        try:
            os.write(descriptor, b"YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420jpeg\n" % (SIDE, SIDE))
            while not self._stopped.is_set():
                self._waited += 1
                turned, near = self._target if self._waited > REACTION_FRAMES else (at, size)
                at += float(np.clip(turned - at, -SPEED, SPEED))
                size += float(np.clip(near - size, -APPROACH, APPROACH))
                picture = _nearer(self._seen(at), size) + noise.normal(0, 2, (SIDE, SIDE, 1))
                frame = np.clip(picture, 0, 255).astype(np.uint8)
                self._send(descriptor, b"FRAME\n" + _i420(frame))
        except BrokenPipeError:
            pass  # the look has ended
        finally:
            os.close(descriptor)

    def _open(self) -> int | None:
        """The pipe once somebody reads it."""
        end_s = time.monotonic() + GUARD_S
        while not self._stopped.is_set() and time.monotonic() < end_s:
            try:
                return os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                self._stopped.wait(0.01)
        return None

    def _send(self, descriptor: int, content: bytes) -> None:
        left = memoryview(content)
        while left and not self._stopped.is_set():
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:
                self._stopped.wait(0.002)


def _nearer(picture: ByteArray, size: float) -> ByteArray:
    """The picture enlarged about the place of the face."""
    x, y = FACE_XY
    enlarged = np.array([[size, 0, x * (1 - size)], [0, size, y * (1 - size)]])
    return np.asarray(cv2.warpAffine(picture, enlarged, (SIDE, SIDE)), np.uint8)


def _i420(frame_rgb: ByteArray) -> bytes:
    return bytes(cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2YUV_I420).tobytes())
