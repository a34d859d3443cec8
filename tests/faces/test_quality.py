"""Each measure on a crop made by hand, and the advice that follows from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from mien.app.pipeline import Pipeline
from mien.faces.quality.advice import Quality, measure_quality
from mien.results import ByteArray, Crop, Face

FRONTAL = ((40.0, 50.0), (80.0, 50.0), (60.0, 75.0), (45.0, 95.0), (75.0, 95.0))


def face_of(points_xy: object = FRONTAL) -> Face:
    return Face(np.array([0, 0, 112, 112], np.float32), np.array(points_xy, np.float32), 0.99)


def crop_of(pixels: object) -> Crop:
    return Crop(np.asarray(pixels, np.uint8), "warp112")


def stripes(dark: int, light: int) -> Crop:
    """Columns four wide, dark and light in turn."""
    columns = np.where(np.arange(112) // 4 % 2, light, dark)
    return crop_of(np.broadcast_to(columns[np.newaxis, :, np.newaxis], (112, 112, 3)))


def blurred(crop: Crop, radius: float) -> Crop:
    return crop_of(
        np.asarray(Image.fromarray(crop.pixels).filter(ImageFilter.GaussianBlur(radius)))
    )


def test_brightness_is_the_luma_of_the_middle() -> None:
    red = np.zeros((112, 112, 3), np.uint8)
    red[:, :, 0] = 200
    found = measure_quality(face_of(), crop_of(red))
    assert found.brightness == pytest.approx(0.299 * 200, abs=0.01)
    assert found.contrast == pytest.approx(0.0, abs=0.01)
    assert found.sharpness == pytest.approx(0.0, abs=0.01)


def test_pixels_around_the_face_do_not_count() -> None:
    framed = np.full((112, 112, 3), 255, np.uint8)
    framed[20:102, 20:92] = 30
    assert measure_quality(face_of(), crop_of(framed)).brightness == pytest.approx(30, abs=0.01)


def test_the_inner_part_of_the_crop_reaches_to_a_tenth_of_the_lower_edge() -> None:
    chin = np.full((112, 112, 3), 30, np.uint8)
    chin[90:101] = 255  # the inner part has rows 22 to 100
    found = measure_quality(face_of(), crop_of(chin)).brightness
    assert found == pytest.approx(30 + 225 * 11 / 79, abs=0.01)


@pytest.mark.parametrize(
    ("measure", "accepted", "refused", "advice"),
    [
        ("eye_distance_px", 24.0, 23.9, "the face is too small"),
        ("brightness", 55.0, 54.9, "too dark"),
        ("brightness", 215.0, 215.1, "too bright"),
        ("contrast", 18.0, 17.9, "too little contrast"),
        ("sharpness", 20.0, 19.9, "blurred"),
        ("turn", -0.4, -0.41, "turned away"),
        ("tilt_degrees", 30.0, 30.1, "tilted"),
    ],
)
def test_each_limit_gives_its_advice_just_beyond_it(
    measure: str, accepted: float, refused: float, advice: str
) -> None:
    good = Quality(60.0, 120.0, 40.0, 100.0, 0.0, 0.0)
    assert replace(good, **{measure: accepted}).advice == ()
    (given,) = replace(good, **{measure: refused}).advice
    assert given.startswith(advice)


def test_contrast_of_even_stripes_is_half_their_distance() -> None:
    assert measure_quality(face_of(), stripes(100, 160)).contrast == pytest.approx(30, abs=0.5)


def test_a_good_crop_gets_no_advice() -> None:
    assert measure_quality(face_of(), stripes(90, 170)).advice == ()


@pytest.mark.parametrize(
    ("dark", "light", "words"),
    [
        (10, 60, ("too dark: face a light",)),
        (205, 255, ("too bright: step out of the direct light",)),
        (110, 130, ("too little contrast: find more even, stronger light",)),
    ],
)
def test_the_advice_names_what_is_wrong(dark: int, light: int, words: tuple[str, ...]) -> None:
    assert measure_quality(face_of(), stripes(dark, light)).advice == words


def test_blur_reduces_sharpness_and_gives_advice() -> None:
    sharp = stripes(60, 200)
    soft = blurred(sharp, 2.0)
    assert (
        measure_quality(face_of(), soft).sharpness
        < measure_quality(face_of(), sharp).sharpness / 20
    )
    waves = 128 + 60 * np.sin(np.arange(112) / 15)  # contrast enough, and no edge anywhere
    smooth = crop_of(np.broadcast_to(waves[:, np.newaxis, np.newaxis], (112, 112, 3)))
    assert measure_quality(face_of(), smooth).advice == ("blurred: hold still and clean the lens",)


@pytest.mark.parametrize(
    ("nose_x", "turn"), [(60.0, 0.0), (70.0, 0.25), (44.0, -0.4), (84.0, 0.6), (36.0, -0.6)]
)
def test_turn_is_the_offset_of_the_nose_in_eye_distances(nose_x: float, turn: float) -> None:
    points = [FRONTAL[0], FRONTAL[1], (nose_x, 75.0), *FRONTAL[3:]]
    found = measure_quality(face_of(points), stripes(90, 170))
    assert found.turn == pytest.approx(turn, abs=1e-5)
    if abs(turn) > 0.5:
        assert found.advice == ("turned away: look into the camera",)


@pytest.mark.parametrize("degrees", [-40.0, -10.0, 0.0, 25.0, 45.0])
def test_tilt_is_the_angle_of_the_eyes_and_no_turn(degrees: float) -> None:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = measure_quality(face_of((np.array(FRONTAL) - 60) @ turn.T + 60), stripes(90, 170))
    assert found.tilt_degrees == pytest.approx(degrees, abs=1e-3)
    assert found.turn == pytest.approx(0.0, abs=1e-5)
    assert (found.advice == ("tilted: hold the head upright",)) is (abs(degrees) > 30)


def test_a_small_face_gets_the_advice_to_move_closer() -> None:
    found = measure_quality(face_of(np.array(FRONTAL) / 2), stripes(90, 170))
    assert found.eye_distance_px == pytest.approx(20.0)
    assert found.advice == ("the face is too small: move closer",)


def test_eyes_in_one_place_are_measured_without_a_division_by_zero() -> None:
    found = measure_quality(face_of(np.full((5, 2), 30.0)), stripes(90, 170))
    assert np.isfinite([found.turn, found.tilt_degrees, found.eye_distance_px]).all()


def test_all_advice_is_given_with_the_most_important_first() -> None:
    bad = Quality(
        eye_distance_px=10, brightness=20, contrast=5, sharpness=1, turn=-0.9, tilt_degrees=60
    )
    said = [words.split(":")[0] for words in bad.advice]
    assert said == [
        "the face is too small",
        "too dark",
        "too little contrast",
        "blurred",
        "turned away",
        "tilted",
    ]


def test_a_good_photo_gets_no_advice_and_a_degraded_one_does(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    face = pipeline.door_face(astronaut)
    assert measure_quality(face, pipeline.crop(astronaut, face)).advice == ()
    dark = (astronaut // 5).astype(np.uint8)
    assert "too dark: face a light" in measure_quality(face, pipeline.crop(dark, face)).advice
    soft = np.asarray(Image.fromarray(astronaut).filter(ImageFilter.GaussianBlur(6)))
    advice = measure_quality(face, pipeline.crop(np.ascontiguousarray(soft), face)).advice
    assert advice == ("blurred: hold still and clean the lens",)
