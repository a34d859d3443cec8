"""`MTCNN`'s crops of the twelve photos against the reference's.

The reference values were taken with a `to_tensor` that divides by 255, so they
are (x / 255 - 127.5) / 128 rounded to four places, not (x - 127.5) / 128. They are
turned back into pixels here; a place of four is then worth 1.6 of 255.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mien.compat.mtcnn import MTCNN
from mien.faces.detect import Cascade

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def pairs(
    shared_photos: Path, shared_reference: Path, cascade: Cascade
) -> dict[str, tuple[Floats, dict[str, Any]]]:
    """Our crop as pixels 0..255, (3, 160, 160), and the reference's entry, for each photo."""
    reference = json.loads((shared_reference / "mtcnn_reference.json").read_text())
    mtcnn = MTCNN(image_size=160, margin=18, cascade=cascade)
    pairs = {}
    for name, entry in reference.items():
        with Image.open(shared_photos / name) as photo:
            crop = mtcnn(photo).astype(np.float64) * 128 + 127.5
        pairs[name] = (crop, entry["crop160_margin18"])
    assert len(pairs) == 12
    return pairs


def pixels(values: list[Any] | float) -> Floats:
    return (np.asarray(values, np.float64) * 128 + 127.5) * 255


def test_the_rows_are_within_two_of_255_on_average(pairs: Any) -> None:
    for crop, entry in pairs.values():
        assert list(crop.shape) == entry["shape"]
        corner, centre = pixels(entry["corner_row0"]), pixels(entry["centre_row80"])
        assert np.abs(crop[0, 0, :8] - corner).mean() <= 2
        assert np.abs(crop[:, 80, 76:84] - centre).mean() <= 2


def test_mean_and_deviation_of_the_crop_are_the_same(pairs: Any) -> None:
    for crop, entry in pairs.values():
        assert crop.mean() == pytest.approx(pixels(entry["mean"]), abs=0.01)
        assert crop.std(ddof=1) == pytest.approx(entry["std"] * 128 * 255, rel=1e-4)


def test_light_and_dark_pixels_are_the_same(pairs: Any) -> None:
    # the reference's hash is of its values turned back with * 128 + 127.5 and rounded to bytes:
    # of that scale, a pixel is 0 or 1
    for crop, entry in pairs.values():
        light = np.rint(crop / 255).astype(np.uint8)
        assert hashlib.sha256(light.tobytes()).hexdigest() == entry["sha_rounded"]
