"""Simulate a second photo of the same scene, and each of the changes in it.

Every change takes (h, w, 3) uint8 RGB, a strength from 0 (no change) to 1 (the limit in
its docstring), and a numpy Generator; it returns a new array of the same shape and type. The
same seed gives the same pixels. Raises ValueError for another shape or type, or a strength
outside 0..1.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from mien.results import ByteArray

if TYPE_CHECKING:
    from PIL import Image

# At strength 1:
MAX_CROP = 0.2  # share of each side that is cut off
MAX_BLUR = 0.02  # standard deviation over the shorter side
MAX_GAMMA = 2.5  # exponent, or its reciprocal
MAX_NOISE = 40.0  # standard deviation, grey levels of 255
MIN_JPEG_QUALITY = 5
MAX_TURN_DEGREES = 30.0
MAX_SHRINK = 8.0  # sides divided by this, then enlarged again
MAX_BRIGHTER = 2.0  # factor, or its reciprocal
MAX_COVERED = 0.5  # share of the area


class Change(Protocol):
    """The signature of every change."""

    def __call__(
        self, image_rgb: ByteArray, strength: float, rng: np.random.Generator, /
    ) -> ByteArray: ...


def recapture(
    image_rgb: ByteArray, rng: np.random.Generator, *, strength: float = 1.0
) -> ByteArray:
    """Apply every change of `RETAKE` in order, each with a random amount.

    Strength 1 gives an ordinary second photo of a phone, not a bad one; 0 gives the same photo.
    """
    _check(image_rgb, strength)
    retaken = image_rgb.copy()
    for change, limit in RETAKE:
        retaken = change(retaken, limit * strength * rng.uniform(0.3, 1.0), rng)
    return retaken


def rotate(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Rotate about the centre, in a random direction, by up to 30 degrees.

    The corners are filled with the picture mirrored at its edges.
    """
    from PIL import Image

    _check(image_rgb, strength)
    angle = _either_sign(rng) * strength * MAX_TURN_DEGREES
    if not angle:
        return image_rgb.copy()
    height, width = image_rgb.shape[:2]
    reach = math.ceil(math.hypot(height, width) / 2)
    padded = np.pad(image_rgb, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    rotated = Image.fromarray(padded).rotate(angle, Image.Resampling.BICUBIC)
    return _array(rotated)[reach : reach + height, reach : reach + width].copy()


def crop_shift(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Cut out a window up to 20 % smaller, at a random place, and enlarge it to the old size."""
    _check(image_rgb, strength)
    height, width = image_rgb.shape[:2]
    kept_h = max(1, round(height * (1 - MAX_CROP * strength)))
    kept_w = max(1, round(width * (1 - MAX_CROP * strength)))
    top = int(rng.integers(0, height - kept_h + 1))
    left = int(rng.integers(0, width - kept_w + 1))
    return _resized(image_rgb[top : top + kept_h, left : left + kept_w], width, height)


def blur(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Blur with a Gaussian of up to 2 % of the shorter side. Not random."""
    from PIL import Image, ImageFilter

    _check(image_rgb, strength)
    sigma_px = strength * MAX_BLUR * min(image_rgb.shape[:2])
    if not sigma_px:
        return image_rgb.copy()
    return _array(Image.fromarray(image_rgb).filter(ImageFilter.GaussianBlur(sigma_px)))


def brightness(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Multiply or divide all values by up to 2, chosen at random; values over 255 are clipped."""
    _check(image_rgb, strength)
    factor = MAX_BRIGHTER ** (_either_sign(rng) * strength)
    return _bytes(image_rgb.astype(np.float32) * factor)


def gamma(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Darken or lighten the middle tones at random: an exponent of up to 2.5, or down to 1/2.5."""
    _check(image_rgb, strength)
    exponent = MAX_GAMMA ** (_either_sign(rng) * strength)
    levels = np.arange(256, dtype=np.float64) / 255
    return _bytes(255 * levels**exponent)[image_rgb]


def noise(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Add independent Gaussian noise to each value, standard deviation up to 40 of 255 levels."""
    _check(image_rgb, strength)
    grain = rng.standard_normal(image_rgb.shape, dtype=np.float32)
    return _bytes(image_rgb + grain * np.float32(MAX_NOISE * strength))


def jpeg(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Compress as JPEG, with a quality from 100 down to 5. Not random."""
    from PIL import Image

    _check(image_rgb, strength)
    if not strength:
        return image_rgb.copy()
    saved = io.BytesIO()
    quality = round(100 - strength * (100 - MIN_JPEG_QUALITY))
    Image.fromarray(image_rgb).save(saved, format="JPEG", quality=quality)
    with Image.open(saved) as opened:
        return _array(opened)


def downscale(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Shrink by a factor of up to 8 and enlarge again, as from farther away. Not random."""
    _check(image_rgb, strength)
    height, width = image_rgb.shape[:2]
    shrink = 1 + strength * (MAX_SHRINK - 1)
    small = _resized(image_rgb, max(1, round(width / shrink)), max(1, round(height / shrink)))
    return _resized(small, width, height)


def flip(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Mirror left and right, with a probability equal to the strength."""
    _check(image_rgb, strength)
    return image_rgb[:, ::-1].copy() if rng.random() < strength else image_rgb.copy()


def occlude(image_rgb: ByteArray, strength: float, rng: np.random.Generator) -> ByteArray:
    """Cover up to half of the area with a rectangle of a random colour at a random place."""
    _check(image_rgb, strength)
    covered = image_rgb.copy()
    height, width = image_rgb.shape[:2]
    share = math.sqrt(MAX_COVERED * strength)
    tall, wide = round(height * share), round(width * share)
    top = int(rng.integers(0, height - tall + 1))
    left = int(rng.integers(0, width - wide + 1))
    covered[top : top + tall, left : left + wide] = rng.integers(0, 256, size=3, dtype=np.uint8)
    return covered


CHANGES: dict[str, Change] = {
    "crop_shift": crop_shift,
    "rotate": rotate,
    "downscale": downscale,
    "blur": blur,
    "brightness": brightness,
    "gamma": gamma,
    "noise": noise,
    "jpeg": jpeg,
    "flip": flip,
    "occlude": occlude,
}
"""Every change by its name."""

RETAKE: tuple[tuple[Change, float], ...] = (
    (rotate, 0.2),
    (crop_shift, 0.4),
    (brightness, 0.25),
    (gamma, 0.2),
    (blur, 0.2),
    (noise, 0.12),
    (jpeg, 0.3),
)
"""The changes of a retake in the order of a camera, each with its largest strength."""


def _check(image_rgb: ByteArray, strength: float) -> None:
    if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or not image_rgb.size:
        raise ValueError(f"image_rgb must be (h, w, 3), got {image_rgb.shape}")
    if image_rgb.dtype != np.uint8:
        raise ValueError(f"image_rgb must be uint8, got {image_rgb.dtype}")
    if not 0.0 <= strength <= 1.0:  # also refuses NaN
        raise ValueError(f"strength must be 0..1, got {strength}")


def _either_sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _bytes(values: npt.NDArray[np.floating]) -> ByteArray:
    """Round to the nearest level and clip to 0..255."""
    levels: ByteArray = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def _array(picture: Image.Image) -> ByteArray:
    """A Pillow RGB picture as a new, writable array."""
    return np.array(picture, dtype=np.uint8)


def _resized(image_rgb: ByteArray, width: int, height: int) -> ByteArray:
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image_rgb))
    return _array(picture.resize((width, height), Image.Resampling.BICUBIC))
