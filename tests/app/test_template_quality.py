"""A template's quality in one word, and the picture of its face."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mien.app.template_quality import Word, quality_word
from mien.app.thumbnail import MAX_BYTES, SIDE_PX, make_thumbnail
from mien.results import Crop


@pytest.mark.parametrize(
    ("photos", "margin", "look_alikes", "expected"),
    [
        (3, 0.05, 0, "good"),
        (3, None, 0, "good"),  # a model without a cohort
        (2, 0.2, 0, "fair"),
        (1, 0.2, 0, "fair"),
        (5, 0.049, 0, "fair"),
        (5, 0.0, 0, "poor"),
        (5, -0.1, 0, "poor"),
        (5, float("nan"), 0, "poor"),
        (5, 0.2, 1, "poor"),
    ],
)
def test_poor_may_accept_somebody_else_and_fair_lacks_photos(
    photos: int, margin: float | None, look_alikes: int, expected: Word
) -> None:
    assert quality_word(photos=photos, margin=margin, look_alikes=look_alikes) == expected


@pytest.mark.parametrize("kind", ["flat", "noise"])
def test_a_thumbnail_is_a_small_jpeg_without_metadata(kind: str) -> None:
    pixels = np.full((112, 112, 3), 90, np.uint8)
    if kind == "noise":
        pixels = np.random.default_rng(1).integers(0, 256, (160, 160, 3), np.uint8)
    packed = make_thumbnail(Crop(pixels, "any"))
    assert len(packed) <= MAX_BYTES
    with Image.open(io.BytesIO(packed)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (SIDE_PX, SIDE_PX))
        assert not opened.getexif()
