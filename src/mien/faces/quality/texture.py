"""Measures of the finest detail: its direction, its repetition, and what sharpening leaves.

Of the contrast-normalised inner part of a crop, as in `mien.faces.quality.measures`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mien.results import FloatArray

TEXTURE_MEASURES = (
    *("gradient_coherence", "radial_detail", "detail_kurtosis"),
    *("cepstral_peak", "cepstral_near_peak", "colour_detail"),
)
MIDDLE_PX = 12  # about the middle every direction is radial
NEAR_PX, FAR_PX, FURTHEST_PX = 2, 4, 24  # of echoes; nearer ones are the detail itself
LEAST_POWER = 1e-2  # of the spectrum: keeps the logarithm quiet where there is nothing


def measure_texture(normalised: FloatArray, colours: FloatArray) -> dict[str, float]:
    """`TEXTURE_MEASURES`.

    normalised: (rows, columns) luma of mean 0 and deviation 1. colours: (rows, columns, 3)
    colour differences, RGB less luma, 0..255.
    """
    across_colours = np.abs(np.diff(colours, axis=1)).mean()
    found = {"colour_detail": float(np.log(across_colours + 0.1))}
    return found | _directions(normalised) | _echoes(normalised)


def _directions(normalised: FloatArray) -> dict[str, float]:
    """Structure tensor of the fine detail: motion takes one direction out of it.

    J. Bigun and G. Granlund, "Optimal orientation detection of linear symmetry", 1987. A camera
    that turns during the exposure leaves what changes along the radius, one that zooms the rest.
    """
    middle = normalised[1:-1, 1:-1]
    around = normalised[:-2, 1:-1] + normalised[2:, 1:-1] + normalised[1:-1, :-2]
    fine = middle - (around + normalised[1:-1, 2:]) / 4
    x = fine[1:-1, 2:] - fine[1:-1, :-2]
    y = fine[2:, 1:-1] - fine[:-2, 1:-1]
    xx, yy, xy = float((x * x).sum()), float((y * y).sum()), float((x * y).sum())
    to_right, down = _radius(*x.shape)
    outer = np.abs(to_right) + np.abs(down) > 0
    radial = ((x * to_right + y * down)[outer] ** 2).sum()
    tangential = ((y * to_right - x * down)[outer] ** 2).sum()
    spread = max(float(fine.std()), 1e-6)
    return {
        "gradient_coherence": float(np.hypot(xx - yy, 2 * xy) / (xx + yy + 1e-6)),
        "radial_detail": float(np.log(radial / (tangential + 1e-6) + 1e-6)),
        "detail_kurtosis": float(((fine / spread) ** 4).mean()),
    }


def _echoes(normalised: FloatArray) -> dict[str, float]:
    """Peaks of the cepstrum: a picture that holds itself a second time, moved, has one there.

    B. Bogert, M. Healy and J. Tukey, "The quefrency alanysis of time series for echoes", 1963.
    """
    window, near, far = _rings(*normalised.shape)
    power = np.abs(np.fft.rfft2(normalised * window)) ** 2
    cepstrum = np.fft.irfft2(np.log(power + LEAST_POWER), s=normalised.shape)
    echoes = cepstrum[far]
    spread = float(echoes.std()) + 1e-9
    return {
        "cepstral_peak": float((echoes.max() - echoes.mean()) / spread),
        "cepstral_near_peak": float(cepstrum[near].max() / spread),
    }


@lru_cache(maxsize=1)
def _radius(rows: int, columns: int) -> tuple[FloatArray, FloatArray]:
    """Unit vectors from the middle, (rows, columns) each; 0 within `MIDDLE_PX` of it."""
    down, to_right = np.mgrid[:rows, :columns].astype(np.float32)
    down -= rows / 2
    to_right -= columns / 2
    length = np.hypot(to_right, down)
    inverse = np.where(length > MIDDLE_PX, 1 / np.maximum(length, 1e-6), 0).astype(np.float32)
    return to_right * inverse, down * inverse


@lru_cache(maxsize=1)
def _rings(
    rows: int, columns: int
) -> tuple[FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """A window that fades to the edges, and the shifts of near echoes and of far ones."""
    window = np.outer(np.hanning(rows), np.hanning(columns)).astype(np.float32)
    down, across = (np.minimum(np.arange(n), n - np.arange(n)) for n in (rows, columns))
    shift = np.hypot(down[:, np.newaxis], across)
    near = (shift >= NEAR_PX) & (shift < FAR_PX)
    return window, near, (shift >= FAR_PX) & (shift <= FURTHEST_PX)
