"""Each change of a photo: what it does at no strength, at full strength, and twice."""

from __future__ import annotations

import numpy as np
import pytest

from mien.lab.recapture import (
    CHANGES,
    blur,
    brightness,
    crop_shift,
    downscale,
    flip,
    gamma,
    jpeg,
    noise,
    occlude,
    recapture,
    rotate,
)
from mien.results import ByteArray

ALL = sorted(CHANGES)


@pytest.fixture
def photo() -> ByteArray:
    """A 60 x 48 picture with gradients and an edge; no two rows or columns are equal."""
    y, x = np.mgrid[0:60, 0:48]
    planes = [x * 5, y * 4, np.where(x > 20, 200, 30) + y // 4]
    return np.stack(planes, axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", ALL)
def test_strength_zero_changes_nothing_and_gives_a_copy(name: str, photo: ByteArray) -> None:
    same = CHANGES[name](photo, 0.0, _rng())
    np.testing.assert_array_equal(same, photo)
    assert not np.shares_memory(same, photo)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (37, 3), (60, 48)])
def test_shape_and_type_are_kept(name: str, shape: tuple[int, int]) -> None:
    image = _rng().integers(0, 256, size=(*shape, 3), dtype=np.uint8)
    before = image.copy()
    changed = CHANGES[name](image, 1.0, _rng())
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(image, before)  # the original is left alone


@pytest.mark.parametrize("name", ALL)
def test_full_strength_changes_the_photo_and_the_same_seed_repeats_it(
    name: str, photo: ByteArray
) -> None:
    first = CHANGES[name](photo, 1.0, _rng(3))
    np.testing.assert_array_equal(first, CHANGES[name](photo, 1.0, _rng(3)))
    assert not np.array_equal(first, photo)


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("flip", "crop_shift")])
def test_a_higher_strength_changes_the_photo_more(name: str, photo: ByteArray) -> None:
    distances = []
    for strength in (0.0, 0.3, 1.0):
        changed = CHANGES[name](photo, strength, _rng(4))
        distances.append(np.abs(changed.astype(int) - photo).mean())
    assert distances[0] < distances[1] < distances[2]


@pytest.mark.parametrize("name", ["blur", "downscale", "jpeg"])
def test_these_changes_are_not_random(name: str, photo: ByteArray) -> None:
    np.testing.assert_array_equal(
        CHANGES[name](photo, 0.7, _rng(1)), CHANGES[name](photo, 0.7, _rng(2))
    )


def test_flip_at_strength_one_always_mirrors() -> None:
    image = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    for seed in range(5):
        assert flip(image, 1.0, _rng(seed)).tolist() == [[[4, 5, 6], [1, 2, 3]]]


def test_brightness_at_strength_one_doubles_or_halves() -> None:
    image = np.full((2, 2, 3), 100, np.uint8)
    values = {int(brightness(image, 1.0, _rng(seed))[0, 0, 0]) for seed in range(10)}
    assert values == {50, 200}


def test_brightness_is_clipped_at_white() -> None:
    image = np.full((1, 1, 3), 200, np.uint8)
    values = {int(brightness(image, 1.0, _rng(seed))[0, 0, 0]) for seed in range(10)}
    assert values == {100, 255}


def test_gamma_keeps_black_and_white_and_changes_middle_tones() -> None:
    image = np.array([[[0, 128, 255]]], np.uint8)
    # 255 * (128/255) ** 2.5 = 45.7 and 255 * (128/255) ** 0.4 = 193.6
    found = {tuple(gamma(image, 1.0, _rng(seed))[0, 0].tolist()) for seed in range(10)}
    assert found == {(0, 46, 255), (0, 194, 255)}


def test_noise_has_the_stated_standard_deviation() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    grain = noise(grey, 0.5, _rng()).astype(float) - 128  # 40 * 0.5
    assert abs(grain.mean()) < 0.5
    assert grain.std() == pytest.approx(20.0, abs=0.3)


def test_blur_keeps_the_mean_and_blurs_an_edge() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, 50:] = 200
    soft = blur(image, 1.0, _rng())  # deviation 2 pixels
    assert soft[50, 10, 0] == 0
    assert soft[50, 90, 0] == 200
    assert 60 < soft[50, 49, 0] < 140
    assert soft.mean() == pytest.approx(image.mean(), abs=1.0)


def test_downscale_at_one_leaves_an_eighth_of_the_detail() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert downscale(stripes, 1.0, _rng()).std() < 5  # stripes of one pixel are gone


def test_occlude_covers_half_of_the_area_with_one_colour() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    covered = occlude(image, 1.0, _rng(1))
    share = np.any(covered != 0, axis=2).mean()
    assert share == pytest.approx(0.71**2)  # sides of sqrt(0.5), whole pixels
    assert len(np.unique(covered.reshape(-1, 3), axis=0)) == 2


@pytest.mark.parametrize("change", [rotate, crop_shift, blur, downscale])
def test_geometric_changes_add_no_new_colour_to_a_uniform_picture(change: object) -> None:
    plain = np.full((40, 30, 3), (10, 120, 240), np.uint8)
    assert callable(change)
    np.testing.assert_array_equal(change(plain, 1.0, _rng()), plain)


def test_rotate_keeps_the_centre_and_moves_the_edges() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[48:53, 48:53] = 255  # a dot in the middle
    image[48:53, 90:95] = 255  # and one on the right
    turned = rotate(image, 1.0, _rng())
    assert turned[50, 50, 0] > 250
    assert turned[50, 92, 0] == 0
    # 30 degrees about (50, 50): 42 right becomes 36.4 right, 21 up or down
    assert max(turned[50 - 21, 86, 0], turned[50 + 21, 86, 0]) > 200


def test_jpeg_loses_more_at_full_strength(photo: ByteArray) -> None:
    mild = np.abs(jpeg(photo, 0.1, _rng()).astype(int) - photo).mean()
    strong = np.abs(jpeg(photo, 1.0, _rng()).astype(int) - photo).mean()
    assert mild < strong


def test_a_retake_is_similar_to_the_photo_but_not_equal(photo: ByteArray) -> None:
    taken = recapture(photo, _rng(5))
    assert taken.shape == photo.shape
    assert taken.dtype == np.uint8
    assert not np.array_equal(taken, photo)
    assert np.corrcoef(taken.ravel(), photo.ravel())[0, 1] > 0.8


def test_a_retake_repeats_with_its_seed_and_differs_with_another(photo: ByteArray) -> None:
    np.testing.assert_array_equal(recapture(photo, _rng(5)), recapture(photo, _rng(5)))
    assert not np.array_equal(recapture(photo, _rng(5)), recapture(photo, _rng(6)))


def test_one_generator_gives_a_series_of_different_retakes(photo: ByteArray) -> None:
    rng = _rng(7)
    assert not np.array_equal(recapture(photo, rng), recapture(photo, rng))


def test_a_retake_of_strength_zero_is_the_photo(photo: ByteArray) -> None:
    np.testing.assert_array_equal(recapture(photo, _rng(), strength=0.0), photo)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_its_range_is_refused(strength: float, photo: ByteArray) -> None:
    for change in CHANGES.values():
        with pytest.raises(ValueError, match=r"strength must be 0\.\.1"):
            change(photo, strength, _rng())
    with pytest.raises(ValueError, match=r"strength must be 0\.\.1"):
        recapture(photo, _rng(), strength=strength)


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_an_array_that_is_not_a_picture_is_refused(image: ByteArray) -> None:
    with pytest.raises(ValueError, match=r"must be \(h, w, 3\)"):
        noise(image, 0.5, _rng())


def test_float_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        noise(np.zeros((4, 4, 3), np.float32), 0.5, _rng())


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)
