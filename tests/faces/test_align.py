"""Crops: the five-point warp against dots drawn by hand and OpenCV, the margin box by hand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from PIL import Image

from mien.app.pipeline import Pipeline
from mien.faces.align import (
    WARP_RECIPE,
    WARP_SIDE,
    WARP_TEMPLATE_XY,
    crop_by_recipe,
    margin_box,
    margin_crop,
    sample_bilinear,
    warp_crop,
)
from mien.faces.geometry import similarity_transform
from mien.results import ByteArray, Face, FloatArray


def face_at(points_xy: object, box_xyxy: tuple[float, ...] = (0.0, 0.0, 100.0, 100.0)) -> Face:
    return Face(np.array(box_xyxy, np.float32), np.array(points_xy, np.float32), 0.9)


def turned(points_xy: FloatArray, degrees: float, scale: float, shift_xy: object) -> FloatArray:
    """The points turned clockwise as seen (y is down), scaled and shifted."""
    angle = np.radians(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points_xy @ matrix.T + np.asarray(shift_xy)).astype(np.float32)


def dotted(points_xy: FloatArray, size_wh: tuple[int, int]) -> ByteArray:
    """Black, with a soft white dot at each point: its weighted middle is the point itself."""
    x, y = np.arange(size_wh[0]), np.arange(size_wh[1])[:, np.newaxis]
    light = np.zeros((size_wh[1], size_wh[0]))
    for px, py in points_xy:
        light = np.maximum(light, 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 4.0**2)))
    return np.repeat(np.rint(light).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)


def middle_of_light(crop: ByteArray, near_xy: FloatArray, reach: int = 9) -> FloatArray:
    left, top = np.rint(near_xy).astype(int) - reach
    light = crop[top : top + 2 * reach + 1, left : left + 2 * reach + 1, 0].astype(np.float64)
    y, x = np.mgrid[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    return np.array([(light * x).sum(), (light * y).sum()], np.float32) / np.float32(light.sum())


@pytest.mark.parametrize("degrees", [0.0, 20.0, -35.0, 90.0, 180.0])
def test_the_five_points_of_a_face_land_on_the_template(degrees: float) -> None:
    # about the template's middle, then placed into a picture of 300 x 280 at 1.5 of the size
    points = turned(WARP_TEMPLATE_XY - 56, degrees, 1.5, (150, 140))
    crop = warp_crop(dotted(points, (300, 280)), face_at(points))
    assert crop.recipe == WARP_RECIPE == "warp112"
    for target in WARP_TEMPLATE_XY:
        np.testing.assert_allclose(middle_of_light(crop.pixels, target), target, atol=0.35)


def test_points_on_the_template_copy_the_pixels() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (WARP_SIDE + 8, WARP_SIDE + 5, 3), dtype=np.uint8)
    crop = warp_crop(image, face_at(WARP_TEMPLATE_XY))
    np.testing.assert_array_equal(crop.pixels, image[:WARP_SIDE, :WARP_SIDE])


def test_a_shift_by_whole_pixels_copies_the_pixels() -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    crop = warp_crop(image, face_at(WARP_TEMPLATE_XY + np.float32([30, 50])))
    np.testing.assert_array_equal(crop.pixels, image[50:162, 30:142])


def test_a_rotation_by_90_degrees_copies_the_rotated_pixels() -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (WARP_SIDE, WARP_SIDE, 3), dtype=np.uint8)
    # (x, y) of the crop comes from (111 - y, x) of the image
    points = np.stack([111 - WARP_TEMPLATE_XY[:, 1], WARP_TEMPLATE_XY[:, 0]], axis=1)
    crop = warp_crop(image, face_at(points))
    difference = crop.pixels.astype(int) - np.rot90(image, 1).astype(int)
    assert np.abs(difference).max() <= 1


def test_pixels_outside_of_the_picture_are_black() -> None:
    white = np.full((112, 112, 3), 255, np.uint8)
    crop = warp_crop(white, face_at(WARP_TEMPLATE_XY + np.float32([56, 0])))
    assert (crop.pixels[:, :56] == 255).all()
    assert not crop.pixels[:, 57:].any()


def test_a_face_far_outside_gives_a_black_crop() -> None:
    white = np.full((50, 60, 3), 255, np.uint8)
    for shift in (1e4, -1e4, 1e9):
        points = WARP_TEMPLATE_XY.astype(np.float64) * 10 + shift
        assert not warp_crop(white, face_at(points)).pixels.any()


def test_points_that_coincide_are_refused() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(ValueError, match="points coincide"):
        warp_crop(image, face_at(np.full((5, 2), 20.0)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_points_that_are_not_finite_are_refused(bad: float) -> None:
    points = WARP_TEMPLATE_XY.copy()
    points[2, 1] = bad
    with pytest.raises(ValueError, match="finite"):
        warp_crop(np.zeros((50, 50, 3), np.uint8), face_at(points))


def test_a_real_crop_equals_opencvs_within_a_grey_level(
    astronaut: ByteArray, pipeline: Pipeline
) -> None:
    face = pipeline.door_face(astronaut)
    ours = warp_crop(astronaut, face).pixels
    # OpenCV is given the same transform, so that the sampling alone is compared
    matrix = similarity_transform(WARP_TEMPLATE_XY, face.points_xy)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    theirs = cv2.warpAffine(astronaut, matrix, (WARP_SIDE, WARP_SIDE), flags=flags)
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    # OpenCV 4 rounds the places of samples to 1/32 of a pixel, OpenCV 5 does not
    assert difference.max() <= (1 if cv2.__version__ >= "5" else 2)


# margin box --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "side", "margin", "expected"),
    [
        ((20, 30, 60, 80), 160, 0, (20, 30, 60, 80)),
        # 32 of 160: the box is 128, so a quarter of it is added, half of that on each side
        ((20, 40, 60, 80), 160, 32, (15, 35, 65, 85)),
        ((20.9, 30.2, 60.9, 80.7), 160, 0, (20, 30, 60, 80)),  # cut, not rounded
        ((2, 3, 42, 43), 160, 32, (0, 0, 47, 48)),  # clipped left and top
        ((170, 60, 210, 110), 160, 0, (170, 60, 200, 100)),  # clipped right and bottom
        ((-30, -30, 400, 400), 160, 0, (0, 0, 200, 100)),
    ],
)
def test_margin_box_by_hand(
    box: tuple[float, ...], side: int, margin: int, expected: tuple[int, ...]
) -> None:
    found = margin_box(np.array(box, np.float32), (100, 200, 3), side=side, margin=margin)
    assert found == expected


def test_a_margin_crop_is_the_box_resized_as_pillow_does(astronaut: ByteArray) -> None:
    face = face_at(WARP_TEMPLATE_XY, (180.0, 60.0, 260.0, 170.0))
    crop = margin_crop(astronaut, face, side=64, margin=0)
    cut = Image.fromarray(astronaut[60:170, 180:260])
    expected = np.asarray(cut.resize((64, 64), Image.Resampling.BILINEAR))
    assert crop.recipe == "margin64+0"
    np.testing.assert_array_equal(crop.pixels, expected)


def test_a_margin_crop_by_area_averages_whole_blocks() -> None:
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    crop = margin_crop(
        image, face_at(WARP_TEMPLATE_XY, (0, 0, 64, 64)), side=32, margin=0, by_area=True
    )
    blocks = image.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(crop.pixels - blocks).max() <= 0.5 + 1e-6


def test_a_box_outside_of_the_picture_is_refused() -> None:
    face = face_at(WARP_TEMPLATE_XY, (300.0, 10.0, 340.0, 50.0))
    for by_area in (False, True):
        with pytest.raises(ValueError, match="outside the image"):
            margin_crop(np.zeros((100, 200, 3), np.uint8), face, side=32, margin=0, by_area=by_area)


# recipes by name ---------------------------------------------------------------------------


def test_a_crop_is_made_by_the_name_of_its_recipe_and_carries_it(astronaut: ByteArray) -> None:
    face = face_at(WARP_TEMPLATE_XY + 100, (180.0, 60.0, 260.0, 170.0))
    for recipe, side in (("warp112", 112), ("margin160+18", 160)):
        crop = crop_by_recipe(astronaut, face, recipe)
        assert crop.recipe == recipe
        assert crop.pixels.shape == (side, side, 3)
        assert crop.pixels.dtype == np.uint8
    direct = margin_crop(astronaut, face, side=160, margin=18)
    np.testing.assert_array_equal(
        crop_by_recipe(astronaut, face, "margin160+18").pixels, direct.pixels
    )


def test_an_unknown_recipe_is_refused(astronaut: ByteArray) -> None:
    with pytest.raises(ValueError, match="unknown crop recipe 'warp224'"):
        crop_by_recipe(astronaut, face_at(WARP_TEMPLATE_XY), "warp224")


def sampled_by_hand(image: ByteArray, x: float, y: float) -> list[int]:
    """The four pixels around a place, each with its share; pixels outside count as black."""
    left, top = math.floor(x), math.floor(y)
    total = np.zeros(3)
    for row, down in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, across in ((left, 1 - (x - left)), (left + 1, x - left)):
            if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
                total += down * across * image[row, column].astype(float)
    return [round(value) for value in total.tolist()]  # a half to the even number, as numpy's rint


@pytest.mark.parametrize("shape", [(6, 5), (1, 1), (1, 9), (2, 2)])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_each_sample_is_the_mean_of_the_four_pixels_around_it(
    shape: tuple[int, int], is_reversed: bool
) -> None:
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3)).astype(np.uint8)
    if is_reversed:  # a view that is not contiguous
        image = image[:, ::-1]
    quarters = np.arange(-12, 40, dtype=np.float32) / 4  # exact in binary
    x, y = np.meshgrid(quarters, quarters)
    found = sample_bilinear(image, x, y)
    expected = [
        [sampled_by_hand(image, *place) for place in zip(*line, strict=True)]
        for line in zip(x.tolist(), y.tolist(), strict=True)
    ]
    assert found.tolist() == expected
    assert (found.dtype, found.flags.c_contiguous) == (np.uint8, True)


def test_places_that_are_all_inside_are_sampled_alike() -> None:
    image = np.random.default_rng(3).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    x, y = np.meshgrid(np.arange(28, dtype=np.float32) / 4, np.arange(32, dtype=np.float32) / 4)
    expected = [
        [sampled_by_hand(image, *place) for place in zip(*line, strict=True)]
        for line in zip(x.tolist(), y.tolist(), strict=True)
    ]
    assert sample_bilinear(image, x, y).tolist() == expected
    assert sample_bilinear(image, x[:0], y[:0]).shape == (0, 28, 3)
