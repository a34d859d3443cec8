"""What a camera really gives: how soon, how many frames, how bright, with colour, with a face."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from mien.app.face_search import FindFace
from mien.errors import NoFaceFound, SeveralFacesFound
from mien.media.camera_list import Camera, CameraKind
from mien.media.frame import Frame, frame_digest, is_dark, is_overexposed
from mien.media.steady_light import SteadyLight, channel_means
from mien.results import ByteArray

SEEN_AFTER = 30  # frames looked at once the light is steady
SLOW_FPS = 12.0  # five frames of it take most of the half second that a look should take
COLOUR_LEVELS = 1.5  # of 255: what rounding in YUV makes of a grey picture stays below

NOT_STEADY = "the brightness did not settle within a second; use light that does not flicker"
DARK = "the picture is dark; turn on a light, and uncover the lens"
LAMP_OFF = (
    "all frames are dark: the infrared lamp does not light, which mien cannot switch on;"
    " use a colour camera of: mien camera list"
)
TOO_BRIGHT = "the picture is over-exposed; turn away from the light"
SLOW = "few frames a second; turn on more light, or unplug other USB devices"
NO_COLOUR = (
    "it offers formats with colour and shows none, so it may be an infrared camera;"
    " enroll under another name for it"
)
REPEATED = "frames repeat bit by bit, which no lens gives: a living person cannot be told"
VIRTUAL = "it is a virtual camera, or unknown to /sys; use a real one to unlock with"


@dataclass(frozen=True, slots=True, eq=False)
class CameraCheck:
    """opened_s, first_frame_s, usable_s: seconds after the start; usable_s is NaN if the light was
    not steady. fps: NaN below two frames. brightness: mean of the lit frames, 0..255. face: whether
    the last lit frame shows one. wrong: what is wrong and what to do, a line each.
    """

    opened_s: float
    first_frame_s: float
    usable_s: float
    fps: float
    size_wh: tuple[int, int]
    brightness: float
    frames: int
    dark_frames: int
    has_colour: bool
    face: bool
    wrong: tuple[str, ...]
    image_rgb: ByteArray = field(repr=False)

    def to_dict(self) -> dict[str, object]:
        """For JSON, without the picture. What is not a number is null."""
        words = {name: getattr(self, name) for name in self.__slots__ if name != "image_rgb"}
        for name, value in words.items():
            if isinstance(value, float):
                words[name] = None if math.isnan(value) else round(value, 3)
        return {**words, "size_wh": list(self.size_wh), "wrong": list(self.wrong)}


def check_camera(
    frames: Iterable[Frame],
    *,
    camera: Callable[[], Camera],
    started_s: float,
    opened_s: Callable[[], float],
    find_face: Callable[[], FindFace],
) -> CameraCheck:
    """Look at the frames of a camera until `SEEN_AFTER` came in steady light, or they end.

    frames: at_s by the clock of started_s and opened_s. camera, opened_s: asked once a frame is
    there. find_face: asked after the last frame, so that loading a model delays none. ValueError
    for no frame.
    """
    seen = _Seen()
    for frame in frames:
        seen.add(frame, is_infrared=lambda: camera().kind is CameraKind.INFRARED)
        if seen.lit_frames >= SEEN_AFTER:
            break
    if seen.last is None:
        raise ValueError("no frame")
    face, why_none = _search(seen.last.image_rgb, find_face())
    height, width = seen.last.image_rgb.shape[:2]
    return CameraCheck(
        opened_s() - started_s,
        seen.first_s - started_s,
        seen.usable_s - started_s,
        seen.fps,
        (width, height),
        seen.brightness,
        seen.frames,
        seen.dark,
        seen.has_colour,
        face,
        (*_what_is_wrong(seen, camera()), *why_none),
        seen.last.image_rgb,
    )


class _Seen:
    """Counts and means of the frames so far. last: the last lit frame, else the last of all."""

    def __init__(self) -> None:
        self.frames = self.dark = self.lit_frames = 0
        self.first_s = self.last_s = self.usable_s = math.nan
        self.has_colour = False
        self.last: Frame | None = None
        self._light: SteadyLight | None = None
        self._levels: list[float] = []
        self._digests: set[bytes] = set()

    @property
    def fps(self) -> float:
        return (self.frames - 1) / (self.last_s - self.first_s) if self.frames > 1 else math.nan

    @property
    def brightness(self) -> float:
        return float(np.mean(self._levels))

    @property
    def repeats(self) -> bool:
        return len(self._digests) < self.frames

    def add(self, frame: Frame, *, is_infrared: Callable[[], bool]) -> None:
        if self._light is None:
            self._light = SteadyLight(is_infrared=is_infrared())
            self.first_s = frame.at_s
        self.frames += 1
        self.last_s = frame.at_s
        self.dark += is_dark(frame.image_rgb)
        self._digests.add(frame_digest(frame.image_rgb))
        is_used = self._light.keeps(frame)
        if self._light.is_steady and math.isnan(self.usable_s):
            self.usable_s = frame.at_s
        if is_used or self.lit_frames == 0:
            self._look_at(frame, is_used=is_used)

    def _look_at(self, frame: Frame, *, is_used: bool) -> None:
        means = channel_means(frame)
        if is_used and self.lit_frames == 0:
            self._levels.clear()
        self.lit_frames += is_used
        self._levels.append(float(means.mean()))
        self.has_colour |= _has_colour(frame.image_rgb)
        self.last = frame


def _has_colour(image_rgb: ByteArray) -> bool:
    sample = image_rgb[::8, ::8].astype(np.int16)
    return float((sample.max(axis=2) - sample.min(axis=2)).mean()) > COLOUR_LEVELS


def _what_is_wrong(seen: _Seen, camera: Camera) -> list[str]:
    assert seen.last is not None
    is_infrared = camera.kind is CameraKind.INFRARED
    image_rgb = seen.last.image_rgb
    dark, bright = is_dark(image_rgb), is_overexposed(image_rgb)
    checks = (
        (camera.is_virtual, VIRTUAL),
        (dark, LAMP_OFF if is_infrared else DARK),
        (bright, TOO_BRIGHT),
        (math.isnan(seen.usable_s) and not dark and not bright, NOT_STEADY),
        (seen.fps < SLOW_FPS, SLOW),
        (not (is_infrared or dark or bright or seen.has_colour), NO_COLOUR),
        (seen.repeats and not dark, REPEATED),
    )
    return [words for is_so, words in checks if is_so]


def _search(image_rgb: ByteArray, find_face: FindFace) -> tuple[bool, tuple[str, ...]]:
    try:
        find_face(image_rgb)
    except (NoFaceFound, SeveralFacesFound) as error:
        return False, (str(error),)
    return True, ()
