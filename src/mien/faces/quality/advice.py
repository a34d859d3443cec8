"""Measure how good a photo of a face is for enrollment, and give advice.

The limits were chosen on 500 faces of LFW: at least 99 % of them pass each limit, and
the article's photos blurred by 1/120 of their length, or darkened to a quarter, fail.
The measures only give advice; the embeddings decide.
"""

from __future__ import annotations

import numpy as np

from mien.records import dataclass
from mien.results import Crop, Face, FloatArray

MIN_EYE_DISTANCE_PX = 24.0
MIN_BRIGHTNESS = 55.0
MAX_BRIGHTNESS = 215.0
MIN_CONTRAST = 18.0
MIN_SHARPNESS = 20.0
MAX_TURN = 0.4
MAX_TILT_DEGREES = 30.0

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, of R, G, B


@dataclass(frozen=True, slots=True)
class Quality:
    """The measures of one face.

    eye_distance_px: pixels of the photo. brightness: mean luma of the inner crop, 0..255.
    contrast: its standard deviation. sharpness: variance of its Laplacian, which blur
    reduces. turn: offset of the nose from the middle of the eyes along the eye line, in
    eye distances; 0 is frontal, negative is to the viewer's left. tilt_degrees: angle of
    the line between the eyes, positive is clockwise.
    """

    eye_distance_px: float
    brightness: float
    contrast: float
    sharpness: float
    turn: float
    tilt_degrees: float

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do better, the most important first; empty for a good photo."""
        checks = (
            (self.eye_distance_px < MIN_EYE_DISTANCE_PX, "the face is too small: move closer"),
            (self.brightness < MIN_BRIGHTNESS, "too dark: face a light"),
            (self.brightness > MAX_BRIGHTNESS, "too bright: step out of the direct light"),
            (self.contrast < MIN_CONTRAST, "too little contrast: find more even, stronger light"),
            (self.sharpness < MIN_SHARPNESS, "blurred: hold still and clean the lens"),
            (abs(self.turn) > MAX_TURN, "turned away: look into the camera"),
            (abs(self.tilt_degrees) > MAX_TILT_DEGREES, "tilted: hold the head upright"),
        )
        return tuple(words for failed, words in checks if failed)


def measure_quality(face: Face, crop: Crop) -> Quality:
    """Measure one face. crop: of any recipe, (side, side, 3) uint8 RGB."""
    luma = crop.pixels.astype(np.float32) @ LUMA  # (side, side)
    middle = _inner_part(luma)
    left_eye, right_eye, nose = face.points_xy[:3].astype(np.float64)
    across = right_eye - left_eye
    distance = max(float(np.hypot(*across)), 1e-6)
    offset = float(np.dot(nose - (left_eye + right_eye) / 2, across / distance)) / distance
    return Quality(
        eye_distance_px=face.eye_distance_px,
        brightness=float(middle.mean()),
        contrast=float(middle.std()),
        sharpness=float(_laplacian(middle).var()),
        turn=offset,
        tilt_degrees=float(np.degrees(np.arctan2(across[1], across[0]))),
    )


def _inner_part(luma: FloatArray) -> FloatArray:
    """The inner part of the crop, with skin rather than hair and background."""
    side = len(luma)
    return luma[side // 5 : side - side // 10, side // 5 : side - side // 5]


def _laplacian(luma: FloatArray) -> FloatArray:
    inner: FloatArray = (
        luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * luma[1:-1, 1:-1]
    )
    return inner
