"""One frame of a camera or a video, the limits on reading frames, and their brightness."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mien.records import dataclass, field
from mien.results import ByteArray

MAX_FRAMES = 3_000
MAX_FRAME_PIXELS = 1 << 24
DARK_LEVEL = 12.0  # mean value, 0..255; an infrared lamp is off in every other frame
WHITE_LEVEL = 250  # of 255
MIN_SENSOR_BITS = 10  # of an infrared sensor


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """at_s: seconds since the first frame. image_rgb: (H, W, 3) uint8."""

    at_s: float
    image_rgb: ByteArray = field(repr=False)


def frame_digest(image_rgb: ByteArray) -> bytes:
    """Equal for pictures that are the same bit for bit, which no sensor gives twice."""
    return hashlib.sha256(np.ascontiguousarray(image_rgb).data).digest()


def turn_frames(frames: Iterable[Frame], degrees: int) -> Iterator[Frame]:
    """Turn each frame clockwise. degrees: a multiple of 90."""
    for frame in frames:
        turned = np.rot90(frame.image_rgb, -degrees // 90)
        yield Frame(frame.at_s, np.ascontiguousarray(turned))


class FrameLimit:
    """Limits for how long frames are read, and how many of them."""

    def __init__(self, clock: Callable[[], float], timeout_s: float) -> None:
        """clock: monotonic seconds. timeout_s: seconds from now."""
        self._clock = clock
        self._end = clock() + timeout_s

    def left_s(self) -> float:
        """Seconds until the time is up; zero or less afterwards."""
        return self._end - self._clock()

    def apply(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield the frames until the time is up, at most `MAX_FRAMES`.

        The time that the caller spends on the first frame is not counted, because the
        models are loaded during it.
        """
        for number, frame in enumerate(frames, 1):
            yielded_s = self._clock()
            yield frame
            if number == 1:
                self._end += self._clock() - yielded_s
            if number == MAX_FRAMES or self.left_s() <= 0:
                return


class SensorDepth:
    """Estimates how many bits a stream of 16-bit grey frames really has.

    Infrared sensors put 10 to 14 bits into the low bits of 16, and no header says how many.
    The estimate is the highest value so far, rounded up to whole bits. It never falls, so a
    dark frame after a bright one stays dark, and it is never below 10 bits, so that a dark
    frame is not stretched to noise.
    """

    def __init__(self) -> None:
        self._bits = MIN_SENSOR_BITS

    def white_level(self, highest: float) -> int:
        """The value of white in this stream. highest: the highest value of the next frame."""
        self._bits = max(self._bits, int(highest).bit_length())
        return (1 << self._bits) - 1


def is_overexposed(image_rgb: ByteArray) -> bool:
    """Whether most of (H, W, 3) uint8 is white, so that a face in it shows nothing."""
    return float((image_rgb[::8, ::8] >= WHITE_LEVEL).mean()) > 0.5


def is_dark(image_rgb: ByteArray) -> bool:
    """Whether (H, W, 3) uint8 is nearly black, as when an infrared lamp is off."""
    return float(image_rgb[::8, ::8].mean()) < DARK_LEVEL
