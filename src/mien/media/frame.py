"""One frame of a camera or a film, RGB with its time, and what tells dark from bright in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mien.results import ByteArray

MAX_FRAMES = 3_000
MAX_FRAME_PIXELS = 1 << 24
DARK = 12.0  # mean luma, 0..255: an infrared camera's lamp is off in every other frame
LEAST_BITS = 10  # of an infrared sensor


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """at_s: seconds since the first frame. image_rgb: (H, W, 3) uint8."""

    at_s: float
    image_rgb: ByteArray = field(repr=False)


class Limit:
    """How long frames are looked at, and how many of them."""

    def __init__(self, clock: Callable[[], float], timeout_s: float) -> None:
        """clock: seconds that only rise."""
        self._clock = clock
        self._end = clock() + timeout_s

    def left_s(self) -> float:
        """Seconds until the time is up; none are left at zero and below."""
        return self._end - self._clock()

    def hold(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames until the time is up. The first look is not counted: models load meanwhile."""
        for number, frame in enumerate(frames, 1):
            shown_s = self._clock()
            yield frame
            if number == 1:
                self._end += self._clock() - shown_s
            if number == MAX_FRAMES or self.left_s() <= 0:
                return


class Depth:
    """The true range of a stream of deep grey pictures, which nothing states.

    Infrared sensors leave 10 to 14 bits in the low ones of 16. The highest value so far,
    rounded up to whole bits, is safe both ways: one bright frame sets it for good, and a
    dark one cannot be stretched into a picture of noise, for it never falls below 10 bits.
    """

    def __init__(self) -> None:
        self._bits = LEAST_BITS

    def white(self, highest: float) -> int:
        """The value of white in this stream, once a picture's highest is known, too."""
        self._bits = max(self._bits, int(highest).bit_length())
        return (1 << self._bits) - 1


def is_dark(image_rgb: ByteArray) -> bool:
    """Whether there is nothing to be seen, as when an infrared lamp is off."""
    return float(image_rgb[::8, ::8].mean()) < DARK
