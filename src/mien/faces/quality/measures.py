"""Measure what makes photos of strangers resemble each other: blur, noise, compression, covers.

All measures but those of the detector and of the embedder are of the inner part of a 112 x 112
crop, whose eyes and mouth lie where `mien.faces.align.WARP_TEMPLATE_XY` says. They follow the
components of ISO/IEC 29794-5 (sharpness, motion blur, compression, contrast, eyes visible), and
not its algorithms: `mien.lab.quality` fits their weights to the error rates of the embedder.
"""

from __future__ import annotations

import numpy as np

from mien.faces.quality.advice import LUMA
from mien.faces.quality.texture import TEXTURE_MEASURES, measure_texture
from mien.results import Crop, Face, FloatArray

INNER_ROWS, INNER_COLUMNS = slice(24, 106), slice(20, 92)  # (82, 72): skin, not background
EYES = ((slice(45, 59), slice(29, 47)), (slice(45, 59), slice(65, 83)))
CHEEKS = ((slice(70, 82), slice(30, 42)), (slice(70, 82), slice(70, 82)))
FLAT = 0.06  # of a 4 x 4 block: standard deviation as a share of that of the inner part

CROP_MEASURES = (
    *("fine_detail", "noise_ratio", "coarse_ratio", "direction"),
    *("block_contrast", "smoothest_blocks", "flat_blocks", "smooth_blocks", "uneven_sides"),
    *("eye_contrast", "eye_tone", *TEXTURE_MEASURES),
)
FACE_MEASURES = ("detector_score", "aspect")
EMBEDDER_MEASURES = ("vector_length", "mirror_cosine")


def measure_face(face: Face, crop: Crop) -> dict[str, float]:
    """`CROP_MEASURES` and `FACE_MEASURES` of one face.

    crop: (112, 112, 3) uint8 RGB of the recipe "warp112"; ValueError for another size.
    """
    if crop.pixels.shape[0] != 112:
        raise ValueError(f"the measures need a crop of 112 x 112, got {crop.pixels.shape}")
    luma = crop.pixels.astype(np.float32) @ LUMA  # (112, 112), 0..255
    inner = luma[INNER_ROWS, INNER_COLUMNS]  # (82, 72)
    mean, spread = inner.mean(), max(float(inner.std()), 1e-3)
    normalised = (inner - mean) / spread
    found = _detail(normalised) | _blocks(inner, normalised, spread)
    colours = crop.pixels[INNER_ROWS, INNER_COLUMNS] - inner[:, :, np.newaxis]
    found |= measure_texture(normalised, colours)
    eyes = [(luma[place] - mean) / spread for place in EYES]
    cheeks = [(luma[place] - mean) / spread for place in CHEEKS]
    found["eye_contrast"] = max(float(eye.std()) for eye in eyes)
    found["eye_tone"] = _mean(eyes) - _mean(cheeks)
    found["detector_score"] = face.score
    found["aspect"] = face.width_px / max(face.height_px, 1e-6)
    return found


def _detail(normalised: FloatArray) -> dict[str, float]:
    """How much there is of fine and coarse detail, and whether one direction lacks it."""
    across = np.abs(normalised[:, :-2] + normalised[:, 2:] - 2 * normalised[:, 1:-1]).mean()
    down = np.abs(normalised[:-2] + normalised[2:] - 2 * normalised[1:-1]).mean()
    halved = normalised.reshape(41, 2, 36, 2).mean((1, 3))
    quartered = normalised[:80].reshape(20, 4, 18, 4).mean((1, 3))
    fine, middle, coarse = (_energy(one) for one in (normalised, halved, quartered))
    steps_across = np.abs(np.diff(normalised, axis=1)).mean()
    steps_down = np.abs(np.diff(normalised, axis=0)).mean()
    return {
        "fine_detail": float(np.log(min(across, down) + 1e-3)),
        "noise_ratio": float(np.log(fine / middle)),
        "coarse_ratio": float(np.log(middle / coarse)),
        "direction": float(np.abs(np.log((steps_across + 1e-3) / (steps_down + 1e-3)))),
    }


def _blocks(inner: FloatArray, normalised: FloatArray, spread: float) -> dict[str, float]:
    """Standard deviations in blocks of 8 x 8 and 4 x 4 pixels."""
    large = inner[:80, :72].reshape(10, 8, 9, 8).std((1, 3))
    small = normalised[:80, :72].reshape(20, 4, 18, 4).std((1, 3))
    ordered = np.sort(large, axis=None)
    smoothest, most = _percentile(ordered, 5), _percentile(ordered, 95)
    left, right = (small[:, :9] < FLAT).mean(), (small[:, 9:] < FLAT).mean()
    return {
        "block_contrast": most,
        "smoothest_blocks": smoothest,
        "flat_blocks": float((small * spread < 0.5).mean()),
        "smooth_blocks": float((small * spread < 1.5).mean()),
        "uneven_sides": float(np.abs(left - right)),
    }


def _energy(picture: FloatArray) -> float:
    """Mean squared difference between neighbours, both directions together."""
    across, down = np.diff(picture, axis=1), np.diff(picture, axis=0)
    return float((across * across).mean() + (down * down).mean()) + 1e-4


def _percentile(ordered: FloatArray, percent: float) -> float:
    """As `np.percentile` of the ascending values (n,), to the bit.

    numpy's own imports its masked arrays, which takes 9 ms of an unlock in a new process.
    """
    place = (len(ordered) - 1) * (percent / 100)
    low = int(place)
    share = place - low
    step = float(ordered[low + 1] - ordered[low])
    if share < 0.5:
        return float(ordered[low]) + step * share
    return float(ordered[low + 1]) - step * (1 - share)


def _mean(patches: list[FloatArray]) -> float:
    return sum(float(patch.mean()) for patch in patches) / len(patches)
