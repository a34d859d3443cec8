"""When the exposure of a camera has settled, and which frames its infrared lamp lights.

A camera starts dark or too bright, and corrects itself within a few frames. Frames of that time
are left out. The rule looks at the frames only: no clock, and no number of frames that a quick
camera would have to wait for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mien.media.frame import DARK_LEVEL, Frame
from mien.results import FloatArray

USABLE_LEVELS = (24.0, 230.0)
"""Mean of a frame, 0..255: twice the level that counts as dark, and nearly white."""

STEADY_SHARE = 0.04
"""Of the brightness: a change that a face does not show, and an exposure at work exceeds."""

STEADY_LEVELS = 2.0
"""Of 255: what noise alone changes in a dim picture."""

MAX_FRAMES, MAX_S = 30, 1.0
"""A picture that is still not steady is used: it flickers, or its room is dark."""

LAMP_OFF_SHARE = 0.6
"""Of the brightest of the last frames: a frame of an infrared camera below was not lit."""

LAMP_FRAMES = 4
"""An infrared lamp lights every other frame, with some cameras every third."""


def when_steady(frames: Iterable[Frame], is_infrared: Callable[[], bool]) -> Iterator[Frame]:
    """The frames from when the light is steady, without those that a lamp did not light.

    is_infrared: asked once the first frame is there. at_s: seconds since the first frame of all.
    """
    light: SteadyLight | None = None
    started_s = 0.0
    for frame in frames:
        if light is None:
            light, started_s = SteadyLight(is_infrared=is_infrared()), frame.at_s
        if light.keeps(frame):
            yield Frame(frame.at_s - started_s, frame.image_rgb)


class SteadyLight:
    """Takes the frames of one camera in their order, and says of each whether to use it.

    is_steady: whether the light was steady once. has_settled: the same, or it was waited for.
    """

    def __init__(self, *, is_infrared: bool) -> None:
        """is_infrared: leave out the frames that the lamp did not light, also later on."""
        self._is_infrared = is_infrared
        self._lowest = DARK_LEVEL if is_infrared else USABLE_LEVELS[0]
        self._brightest: deque[float] = deque(maxlen=LAMP_FRAMES)
        self._before: FloatArray | None = None
        self._taken = 0
        self._started_s = 0.0
        self.is_steady = False
        self.has_settled = False

    def keeps(self, frame: Frame) -> bool:
        """Whether to use the frame: it is lit, and the light is steady or will not become so.

        frame: at_s in seconds since any moment.
        """
        if self._taken == 0:
            self._started_s = frame.at_s
        self._taken += 1
        means = channel_means(frame)
        if self._is_infrared and self._lamp_is_off(float(means.mean())):
            return False
        before, self._before = self._before, means
        if not self.has_settled:
            self.is_steady = self._is_steady(before, means)
            self.has_settled = self.is_steady or self._has_waited(frame.at_s)
        return self.has_settled

    def _lamp_is_off(self, level: float) -> bool:
        self._brightest.append(level)
        brightest = max(self._brightest)
        return brightest >= DARK_LEVEL and level < LAMP_OFF_SHARE * brightest

    def _is_steady(self, before: FloatArray | None, means: FloatArray) -> bool:
        """Whether brightness and colour are in range, and as they were in the frame before."""
        if before is None or not self._lowest <= float(means.mean()) <= USABLE_LEVELS[1]:
            return False
        allowed = max(STEADY_LEVELS, STEADY_SHARE * float(before.mean()))
        return float(np.abs(means - before).max()) <= allowed

    def _has_waited(self, at_s: float) -> bool:
        return self._taken >= MAX_FRAMES or at_s - self._started_s >= MAX_S


def channel_means(frame: Frame) -> FloatArray:
    """(3,) float32, the means of red, green and blue, 0..255, of every eighth pixel."""
    return np.asarray(frame.image_rgb[::8, ::8].mean(axis=(0, 1)), np.float32)
