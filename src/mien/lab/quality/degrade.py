"""Spoil photos in the ways that are known to make strangers resemble each other.

Every function takes (H, W, 3) uint8 RGB, the face on it and a numpy Generator, and gives a new
photo. `HARMFUL` and `HARMLESS` list them by name; the gate must let the latter pass.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.results import ByteArray, Face

EXPOSED = 15  # pictures that are averaged, of one exposure
Degradation = Callable[[ByteArray, Face, np.random.Generator], ByteArray]


def recode(kind: str, quality: int) -> Degradation:
    """Save as "JPEG" or "WEBP" of this quality and read again."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(image).save(stream, kind, quality=quality)
        return np.asarray(Image.open(stream).convert("RGB"))

    return change


def add_noise(sigma: float, *, grey: bool = False) -> Degradation:
    """Gaussian noise, the same in all colours if grey. sigma: levels of 255."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        shape = (*image.shape[:2], 1) if grey else image.shape
        return _bytes(image + rng.normal(0, sigma, shape))

    return change


def salt(share: float) -> Degradation:
    """Make this share of the pixels black or white."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        drawn = rng.random(image.shape[:2])
        spoilt = image.copy()
        spoilt[drawn < share / 2] = 0
        spoilt[drawn > 1 - share / 2] = 255
        return spoilt

    return change


def blur(radius: float) -> Degradation:
    """Gaussian blur. radius: standard deviation, pixels."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        from PIL import Image, ImageFilter

        return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))

    return change


def move(across: int, down: int) -> Degradation:
    """Motion blur along a line of so many pixels."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        steps = max(across, down)
        total = np.zeros(image.shape)
        for step in range(steps):
            shift = (round(down * (step / steps - 0.5)), round(across * (step / steps - 0.5)))
            total += np.roll(image, shift, (0, 1))
        return _bytes(total / steps)

    return change


def spin(degrees: float) -> Degradation:
    """Turn the camera by so much during the exposure."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        from PIL import Image

        photo = Image.fromarray(image)
        angles = np.linspace(-degrees / 2, degrees / 2, EXPOSED)
        turned = [np.asarray(photo.rotate(angle, Image.Resampling.BILINEAR)) for angle in angles]
        return _bytes(np.mean(turned, axis=0))

    return change


def zoom(share: float) -> Degradation:
    """Enlarge the picture by this share during the exposure."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        from PIL import Image

        photo = Image.fromarray(image)
        seen = []
        for factor in np.linspace(1.0, 1.0 + share, EXPOSED):
            cut_x, cut_y = (side * (1 - 1 / factor) / 2 for side in photo.size)
            part = (cut_x, cut_y, photo.width - cut_x, photo.height - cut_y)
            seen.append(np.asarray(photo.resize(photo.size, Image.Resampling.BILINEAR, box=part)))
        return _bytes(np.mean(seen, axis=0))

    return change


def waves(height_px: float, length_px: float) -> Degradation:
    """Move rows and columns by a sine, as bad glass does."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        down = np.rint(rows + height_px * np.sin(2 * np.pi * columns / length_px)).astype(int)
        across = np.rint(columns + height_px * np.sin(2 * np.pi * rows / length_px)).astype(int)
        height, width = image.shape[:2]
        moved: ByteArray = image[np.clip(down, 0, height - 1), np.clip(across, 0, width - 1)]
        return moved

    return change


def shade(share: float) -> Degradation:
    """Leave this share of the light on the right half of the face, with a soft edge."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        middle = (face.box_xyxy[0] + face.box_xyxy[2]) / 2
        columns = np.arange(image.shape[1])
        lit = 1 / (1 + np.exp((columns - middle) / (0.05 * face.width_px)))
        return _bytes(image * (share + (1 - share) * lit)[:, np.newaxis])

    return change


def shrink_and_recode(face_px: float, quality: int) -> Degradation:
    """Resize so that the face is so high, and save as JPEG of this quality."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        factor = face_px / face.height_px
        small = stretch(factor, factor)(image, face, rng)
        return recode("JPEG", quality)(small, face, rng)

    return change


def double_exposure(across: int, down: int) -> Degradation:
    """The mean of the photo and the photo moved by so many pixels."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        return _bytes((image.astype(float) + np.roll(image, (down, across), (0, 1))) / 2)

    return change


def cover(left: float, top: float, right: float, bottom: float, level: int | None) -> Degradation:
    """Cover a part of the face's box, in shares of its sides. level: grey; None draws a colour."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        x, y = face.box_xyxy[:2]
        spoilt = image.copy()
        rows = slice(_edge(y, top, face.height_px), _edge(y, bottom, face.height_px))
        columns = slice(_edge(x, left, face.width_px), _edge(x, right, face.width_px))
        spoilt[rows, columns] = rng.integers(0, 256, 3) if level is None else level
        return spoilt

    return change


def dark_glasses(radius: float) -> Degradation:
    """Cover both eyes with dark discs. radius: in eye distances."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        spoilt = image.copy()
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        size = radius * face.eye_distance_px
        for x, y in face.points_xy[:2]:
            inside = ((columns - x) / size) ** 2 + ((rows - y) / (0.8 * size)) ** 2 <= 1
            spoilt[inside] = 15
        return spoilt

    return change


def relight(gain: float, offset: float = 0.0) -> Degradation:
    """Multiply every value and add an offset."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        return _bytes(image * gain + offset)

    return change


def desaturate(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
    """Make it grey, as an infrared camera does."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("L").convert("RGB"))


def posterise(levels: int) -> Degradation:
    """Leave so many values of each colour."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        return _bytes((image // (256 / levels)) * (255 / (levels - 1)))

    return change


def pixelate(side: int) -> Degradation:
    """Make squares of one colour. side: pixels."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        from PIL import Image

        photo = Image.fromarray(image)
        small = photo.resize(
            (max(4, photo.width // side), max(4, photo.height // side)), Image.Resampling.BOX
        )
        return np.asarray(small.resize(photo.size, Image.Resampling.NEAREST))

    return change


def stretch(across: float, down: float) -> Degradation:
    """Resize the sides by these factors."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        from PIL import Image

        photo = Image.fromarray(image)
        size = (max(8, round(photo.width * across)), max(8, round(photo.height * down)))
        return np.asarray(photo.resize(size, Image.Resampling.BICUBIC))

    return change


def turn(degrees: float) -> Degradation:
    """Turn counter-clockwise about the middle; corners become black."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        from PIL import Image

        return np.asarray(Image.fromarray(image).rotate(degrees, resample=Image.Resampling.BICUBIC))

    return change


def crop_to_face(margin: float) -> Degradation:
    """Cut to the face's box and this margin, in shares of its sides; negative cuts into it."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        left, top = face.box_xyxy[:2]
        rows = slice(_edge(top, -margin, face.height_px), _edge(top, 1 + margin, face.height_px))
        columns = slice(_edge(left, -margin, face.width_px), _edge(left, 1 + margin, face.width_px))
        return np.ascontiguousarray(image[rows, columns])

    return change


def sharpen(radius: float, percent: int) -> Degradation:
    """Unsharp mask."""

    def change(image: ByteArray, face: Face, rng: np.random.Generator) -> ByteArray:
        from PIL import Image, ImageFilter

        return np.asarray(
            Image.fromarray(image).filter(ImageFilter.UnsharpMask(radius, percent, 0))
        )

    return change


HARMFUL: Mapping[str, Degradation] = {
    **{f"jpeg{quality}": recode("JPEG", quality) for quality in (1, 2, 3, 4, 5, 7, 10)},
    "webp0": recode("WEBP", 0),
    **{f"noise{sigma}": add_noise(sigma) for sigma in (20, 30, 45, 60, 80)},
    **{f"grey noise{sigma}": add_noise(sigma, grey=True) for sigma in (40, 70)},
    **{f"salt{share}": salt(share) for share in (0.05, 0.15, 0.3)},
    **{f"blur{radius}": blur(radius) for radius in (2, 3, 4, 6, 8)},
    **{f"motion{length} across": move(length, 0) for length in (9, 13, 17, 21, 31)},
    **{f"motion{length} down": move(0, length) for length in (9, 13, 17, 21)},
    **{f"motion{length} diagonal": move(length, length) for length in (9, 15)},
    "double exposure 8": double_exposure(8, 0),
    "double exposure 14": double_exposure(14, 5),
    **{f"spin {degrees}": spin(degrees) for degrees in (8, 15)},
    **{f"zoom {share}": zoom(share) for share in (0.1, 0.2)},
    **{f"waves {height}": waves(height, 30) for height in (3, 5)},
    **{f"shade {share}": shade(share) for share in (0.1, 0.25)},
    **{f"small{height} jpeg10": shrink_and_recode(height, 10) for height in (45, 60)},
    "right half black": cover(0.5, -0.1, 1.3, 1.1, 10),
    "left half grey": cover(-0.3, -0.1, 0.5, 1.1, 128),
    "right half coloured": cover(0.5, -0.1, 1.3, 1.1, None),
    "third coloured": cover(0.65, -0.1, 1.3, 1.1, None),
    "lower part black": cover(-0.1, 0.6, 1.1, 1.2, 10),
    "lower part coloured": cover(-0.1, 0.55, 1.1, 1.2, None),
    "forehead black": cover(-0.1, -0.2, 1.1, 0.3, 10),
    "bar over the eyes": cover(-0.05, 0.28, 1.05, 0.5, 10),
    "mouth coloured": cover(0.15, 0.65, 0.85, 0.9, None),
    **{f"dark glasses {radius}": dark_glasses(radius) for radius in (0.32, 0.5)},
    **{f"dark {gain}": relight(gain) for gain in (0.1, 0.15)},
    **{f"bright {gain}": relight(gain) for gain in (2.2, 3.0)},
    **{f"haze {share}": relight(1 - share, 128 * share) for share in (0.7, 0.85)},
    **{f"fog {share}": relight(1 - share, 230 * share) for share in (0.6, 0.85)},
    **{f"posterised {levels}": posterise(levels) for levels in (2, 3)},
    **{f"pixelated {side}": pixelate(side) for side in (4, 6, 9, 13)},
    "squashed across": stretch(0.6, 1.0),
    "squashed down": stretch(1.0, 0.6),
    "sharpened strongly": sharpen(3, 400),
    **{f"turned {degrees}": turn(degrees) for degrees in (45, 60, 90, 135, 180, 225, 270)},
    **{f"cropped {margin}": crop_to_face(margin) for margin in (-0.15, -0.08, -0.03, 0.0)},
}

HARMLESS: Mapping[str, Degradation] = {
    "ok_sharpened 1": sharpen(1, 160),
    "ok_sharpened 2": sharpen(2, 100),
    "ok_jpeg30": recode("JPEG", 30),
    "ok_jpeg60": recode("JPEG", 60),
    "ok_noise8": add_noise(8),
    "ok_grey": desaturate,
    "ok_darker": relight(0.7),
    "ok_brighter": relight(1.25),
    "ok_contrast": relight(1.3, -38),
    "ok_smaller": stretch(0.65, 0.65),
    "ok_larger": stretch(2.4, 2.4),
    "ok_turned 12": turn(12),
    "ok_turned -20": turn(-20),
}


def _bytes(values: npt.NDArray[np.floating[Any]]) -> ByteArray:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _edge(start: float, share: float, side: float) -> int:
    return max(0, int(start + share * side))
