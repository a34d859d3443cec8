"""The dark twin of a chart: dark paper, text that can be read, and the photos as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.lab.plots import draw_crop_grid, draw_heat_map
from mien.lab.plots.dark import DARK_PAPER, GROUNDS, INKS, TINTS, dark_twin
from mien.lab.plots.style import INK, LINE, PANEL, PAPER, relative_luminance
from mien.results import ByteArray

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install '.[lab]'")


def pixels_of(path: Path) -> ByteArray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def count(pixels: ByteArray, colour: str) -> int:
    return int(np.all(pixels == rgb(colour), axis=2).sum())


def test_the_twin_has_the_same_drawing_on_dark_paper(tmp_path: Path) -> None:
    crops = [np.full((40, 40, 3), shade, np.uint8) for shade in (90, 140)]
    light = draw_crop_grid(crops, ["ana", "ben"], tmp_path / "grid.png")
    assert light == tmp_path / "grid.png"
    one, other = pixels_of(light), pixels_of(dark_twin(light))
    assert one.shape == other.shape
    same = np.all(one == rgb(PAPER), axis=2) == np.all(other == rgb(DARK_PAPER), axis=2)
    assert same.mean() > 0.99, "all but the soft edges of letters"
    for shade in (90, 140):  # the photos
        np.testing.assert_array_equal(np.all(one == shade, axis=2), np.all(other == shade, axis=2))
    assert count(one, INK) > 0
    assert count(other, INKS[INK]) > 0
    assert count(other, INK) == 0


def test_numbers_on_colours_stay_as_they_are(tmp_path: Path) -> None:
    crops = [np.full((40, 40, 3), 90, np.uint8)] * 2
    matrix = np.array([[1.0, -0.5], [-0.5, 1.0]], np.float32)
    light = draw_heat_map(matrix, crops, ["ana", "ben"], tmp_path / "heat.png")
    one, other = pixels_of(light), pixels_of(dark_twin(light))
    number = slice(int(one.shape[0] * 0.6), int(one.shape[0] * 0.75))
    white = np.all(one[number] == 255, axis=2) & np.all(other[number] == 255, axis=2)
    assert white.sum() > 10, "white figures on the dark end of the colour map"


def contrast(one: str, other: str) -> float:
    low, high = sorted((relative_luminance(one), relative_luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", [*GROUNDS.values(), *TINTS.values()])
def test_every_ink_can_be_read_on_every_dark_ground(ground: str) -> None:
    for light, dark in INKS.items():
        least = 1.5 if light == LINE else 3.0 if light in ("#9aa1ab", "#0072b2") else 4.5
        if ground in (TINTS[PANEL], *GROUNDS.values()):
            assert contrast(dark, ground) >= least, (light, ground)
    assert contrast(INKS[INK], ground) >= 4.5
