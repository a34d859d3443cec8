"""Measures of fine texture, on pictures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from mien.faces.quality.texture import TEXTURE_MEASURES, measure_texture
from mien.results import FloatArray

ROWS, COLUMNS = 82, 72
GREY = np.zeros((ROWS, COLUMNS, 3), np.float32)


def noise(seed: int = 0, rows: int = ROWS, columns: int = COLUMNS) -> FloatArray:
    drawn = np.random.default_rng(seed).normal(size=(rows, columns))
    return drawn.astype(np.float32)


def measured(picture: FloatArray, name: str, colours: FloatArray = GREY) -> float:
    normalised = (picture - picture.mean()) / max(float(picture.std()), 1e-3)
    return measure_texture(normalised.astype(np.float32), colours)[name]


def test_every_measure_is_a_number_also_where_there_is_nothing() -> None:
    found = measure_texture(np.zeros((ROWS, COLUMNS), np.float32), GREY)
    assert set(found) == set(TEXTURE_MEASURES)
    assert all(np.isfinite(value) for value in found.values())


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 90.0])
def test_stripes_have_one_direction_at_any_angle_and_noise_has_none(angle: float) -> None:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    along = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    assert measured(np.sin(along * 1.3).astype(np.float32), "gradient_coherence") > 0.95
    assert measured(noise(), "gradient_coherence") < 0.1


def test_motion_takes_one_direction_out() -> None:
    sharp = gaussian_filter(noise(), 0.7)
    moved = gaussian_filter1d(sharp, 3.0, axis=1)
    assert measured(moved, "gradient_coherence") > measured(sharp, "gradient_coherence") + 0.5


def test_rings_and_rays_are_told_apart() -> None:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    angle = np.arctan2(y - ROWS / 2, x - COLUMNS / 2)
    distance = np.hypot(y - ROWS / 2, x - COLUMNS / 2)
    rings = np.sin(distance * 1.5).astype(np.float32)  # what a turning camera leaves
    rays = np.sin(angle * 24).astype(np.float32)  # what a zooming one leaves
    assert measured(rings, "radial_detail") > 2
    assert measured(rays, "radial_detail") < -2
    assert abs(measured(noise(), "radial_detail")) < 0.3


@pytest.mark.parametrize("shift", [(0, 8), (6, 6), (12, 0)])
def test_a_picture_that_holds_itself_a_second_time_has_an_echo(shift: tuple[int, int]) -> None:
    wide = gaussian_filter(noise(rows=ROWS + 20, columns=COLUMNS + 20), 0.7)
    down, across = shift
    once = wide[:ROWS, :COLUMNS]
    again = wide[down : down + ROWS, across : across + COLUMNS]
    alone = measured(once, "cepstral_peak")
    assert measured((once + again) / 2, "cepstral_peak") > 2 * alone


def test_an_echo_of_two_pixels_is_a_near_one() -> None:
    wide = noise(columns=COLUMNS + 2)
    twice = (wide[:, :-2] + wide[:, 2:]) / 2
    assert measured(twice, "cepstral_near_peak") > measured(wide[:, :-2], "cepstral_near_peak") + 3


def test_sparse_edges_have_a_higher_kurtosis_than_noise() -> None:
    blocks = np.kron(noise(rows=9, columns=8), np.ones((10, 10)))[:ROWS, :COLUMNS]
    assert measured(noise(), "detail_kurtosis") == pytest.approx(3.0, abs=0.3)  # a Gaussian's
    assert measured(blocks.astype(np.float32), "detail_kurtosis") > 6


def test_colour_detail_is_the_mean_step_of_the_colours() -> None:
    steps = np.zeros((ROWS, COLUMNS, 3), np.float32)
    steps[:, ::2] = 10.0
    assert measured(noise(), "colour_detail", steps) == pytest.approx(np.log(10.1))
    assert measured(noise(), "colour_detail") == pytest.approx(np.log(0.1))
