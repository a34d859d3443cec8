"""The cascade finds what the reference finds, and `largest` the same face at the door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.app.pipeline import open_cascade
from mien.faces.detect import Cascade, CascadeSettings, pyramid_scales
from mien.media.image_file import read_image
from mien.results import ByteArray, Face, Faces
from mien.settings import Settings

PHOTOS = [
    "faces/di_caprio/220px-Leonardo_DiCaprio_2014.jpg",
    "faces/di_caprio/220px-Leonardo_Dicaprio_Cannes_2019_2.jpg",
    "faces/di_caprio/Leonardo-DiCaprio-smoking-500x375.jpg",
    "faces/matt_demon/193188.jpg",
    "faces/matt_demon/Matt_Damon_TIFF_2015.jpg",
    "faces/me/me_1.jpg",
    "faces/me/me_2.jpg",
    "faces/me/me_3.jpg",
    "faces_test/202008-full.jpg",
    "faces_test/400px-Elon_Musk_Royal_Society.jpg",
    "faces_test/cropped-miguel-herran-rio-casa-de-papel-0919-1400x800.jpg",
    "faces_test/me_test.jpg",
]


@pytest.fixture(scope="module")
def reference(shared_reference: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((shared_reference / "mtcnn_reference.json").read_text())
    return read


@pytest.fixture(scope="module")
def openvino_cascade(openvino_settings: Settings) -> Cascade:
    return open_cascade(openvino_settings)


def composed(
    astronaut: ByteArray, *places: tuple[int, int, int], size_wh: tuple[int, int]
) -> ByteArray:
    """The astronaut's head on grey, once for each (side, x, y); her face is a third of the side."""
    head = Image.fromarray(astronaut[0:256, 96:352])
    canvas = Image.new("RGB", size_wh, (90, 90, 90))
    for side, x, y in places:
        canvas.paste(head.resize((side, side), Image.Resampling.BICUBIC), (x, y))
    return np.asarray(canvas)


def largest(faces: Faces) -> Face:
    return max(faces, key=lambda face: face.height_px)


def assert_same_face(a: Face, b: Face) -> None:
    """Points within 2 % of the distance between the eyes."""
    apart = np.linalg.norm(a.points_xy - b.points_xy, axis=1)
    assert apart.max() <= 0.02 * b.eye_distance_px


# --- parity with the reference ------------------------------------------------------------


def test_the_reference_has_the_twelve_photos(reference: dict[str, Any]) -> None:
    assert sorted(reference) == sorted(PHOTOS)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("photo", PHOTOS)
def test_boxes_scores_and_points_are_those_of_the_reference(
    photo: str,
    engine: str,
    shared_photos: Path,
    reference: dict[str, Any],
    request: pytest.FixtureRequest,
) -> None:
    name = "cascade" if engine == "onnxruntime" else "openvino_cascade"
    cascade: Cascade = request.getfixturevalue(name)
    faces, expected = cascade.find(read_image(shared_photos / photo)), reference[photo]

    assert len(faces) == len(expected["boxes_xyxy"])
    areas = np.prod(faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2], axis=1)
    faces = faces.take(np.argsort(-areas))  # the reference's order
    # the issue asks for 1 px and 0.005; what is reached is 0.02 px and 1e-4
    np.testing.assert_allclose(faces.boxes_xyxy, expected["boxes_xyxy"], atol=0.02, rtol=0)
    np.testing.assert_allclose(faces.points_xy, expected["landmarks_xy"], atol=0.02, rtol=0)
    np.testing.assert_allclose(faces.scores, expected["scores"], atol=1e-4, rtol=0)


# --- largest ------------------------------------------------------------------------------


@pytest.mark.parametrize("photo", PHOTOS)
def test_largest_finds_the_largest_face_of_all(
    photo: str, shared_photos: Path, cascade: Cascade
) -> None:
    image = read_image(shared_photos / photo)
    assert_same_face(largest(cascade.find(image, "largest")), largest(cascade.find(image)))


@pytest.mark.parametrize("far", [(90, 550, 200), (60, 700, 20), (150, 600, 300)])
def test_largest_finds_the_large_face_beside_a_small_one(
    far: tuple[int, int, int], astronaut: ByteArray, cascade: Cascade
) -> None:
    image = composed(astronaut, (400, 10, 10), far, size_wh=(800, 500))
    everyone = cascade.find(image)
    assert len(everyone) == 2
    assert_same_face(largest(cascade.find(image, "largest")), largest(everyone))


def test_largest_goes_finer_until_it_finds_a_small_face(
    astronaut: ByteArray, cascade: Cascade
) -> None:
    image = composed(astronaut, (80, 500, 300), size_wh=(800, 600))  # a face of 34 px in 600
    found = cascade.find(image, "largest")
    assert len(found) == 1
    assert_same_face(found[0], cascade.find(image)[0])


def test_largest_reports_a_second_face_of_half_the_size(
    astronaut: ByteArray, cascade: Cascade
) -> None:
    image = composed(astronaut, (400, 10, 10), (280, 420, 200), size_wh=(720, 500))
    assert len(cascade.find(image, "largest")) == 2


# --- all ----------------------------------------------------------------------------------


def test_faces_of_several_sizes_in_one_picture_are_all_found(
    astronaut: ByteArray, cascade: Cascade
) -> None:
    places = [(400, 10, 10), (200, 450, 20), (100, 700, 30), (64, 750, 300)]
    faces = cascade.find(composed(astronaut, *places, size_wh=(900, 600)))
    assert len(faces) == len(places)
    by_size = sorted(faces, key=lambda face: -face.height_px)
    for face, (side, x, y) in zip(by_size, places, strict=True):
        assert np.all(face.points_xy > (x, y))
        assert np.all(face.points_xy < (x + side, y + side))
        assert 0.3 * side < face.height_px < 0.6 * side


def test_the_face_with_the_highest_score_comes_first(
    astronaut: ByteArray, cascade: Cascade
) -> None:
    image = composed(astronaut, (300, 10, 10), (200, 350, 20), (90, 350, 250), size_wh=(600, 400))
    for search in ("all", "largest"):
        assert np.all(np.diff(cascade.find(image, search).scores) <= 0)


def test_each_point_is_at_the_part_of_the_face_that_it_names(
    astronaut: ByteArray, cascade: Cascade
) -> None:
    (face,) = cascade.find(astronaut)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points_xy
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert np.all(face.points_xy > face.box_xyxy[:2])
    assert np.all(face.points_xy < face.box_xyxy[2:])


def test_a_face_moves_with_its_picture(astronaut: ByteArray, cascade: Cascade) -> None:
    ahead = np.zeros((600, 700, 3), np.uint8)
    ahead[60 : 60 + 512, 100 : 100 + 512] = astronaut
    (here,), (there,) = cascade.find(astronaut), cascade.find(ahead)
    np.testing.assert_allclose(there.points_xy, here.points_xy + np.array([100, 60]), atol=2.5)


def test_a_face_cut_off_by_the_edge_of_the_picture_is_no_error(
    astronaut: ByteArray, cascade: Cascade
) -> None:
    for cut in (astronaut[:, 215:], astronaut[110:], astronaut[:, :235], astronaut[:130, 170:260]):
        for face in cascade.find(np.ascontiguousarray(cut)):
            assert np.all(np.isfinite(face.box_xyxy))


def test_detection_is_repeatable(astronaut: ByteArray, cascade: Cascade) -> None:
    first, second = cascade.find(astronaut), cascade.find(astronaut)
    np.testing.assert_array_equal(first.boxes_xyxy, second.boxes_xyxy)
    np.testing.assert_array_equal(first.points_xy, second.points_xy)


# --- nothing to find ----------------------------------------------------------------------


@pytest.mark.parametrize("search", ["all", "largest"])
@pytest.mark.parametrize("size_hw", [(15, 15), (300, 10), (10, 300), (1, 1), (19, 400), (1, 5000)])
def test_a_picture_too_small_for_a_face_has_none(
    size_hw: tuple[int, int], search: Any, cascade: Cascade
) -> None:
    faces = cascade.find(np.full((*size_hw, 3), 200, np.uint8), search)
    assert faces.boxes_xyxy.shape == (0, 4)
    assert faces.points_xy.shape == (0, 5, 2)
    assert faces.scores.shape == (0,)


@pytest.mark.parametrize("search", ["all", "largest"])
@pytest.mark.parametrize("level", [0, 127, 255])
def test_a_blank_picture_has_no_face(level: int, search: Any, cascade: Cascade) -> None:
    assert len(cascade.find(np.full((120, 160, 3), level, np.uint8), search)) == 0


@pytest.mark.parametrize("side", [20, 21, 24])
def test_the_smallest_picture_that_could_hold_a_face_is_searched(
    side: int, astronaut: ByteArray, cascade: Cascade
) -> None:
    face = Image.fromarray(astronaut[50:186, 156:292])
    small = np.asarray(face.resize((side, side), Image.Resampling.BOX))
    for search in ("all", "largest"):
        assert len(cascade.find(small, search)) <= 1


@pytest.mark.parametrize("size_hw", [(200, 200), (4, 4)])
def test_an_unknown_search_is_refused_for_every_picture(
    size_hw: tuple[int, int], cascade: Cascade
) -> None:
    with pytest.raises(ValueError, match="known: all, largest"):
        cascade.find(np.zeros((*size_hw, 3), np.uint8), "smallest")  # type: ignore[arg-type]


# --- settings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_face_size": 0},
        {"min_face_size": -20},
        {"min_face_size": float("nan")},
        {"min_face_size": float("inf")},
        {"factor": 0.0},
        {"factor": 1.0},
        {"factor": float("nan")},
        {"thresholds": (0.6, 0.7)},
        {"thresholds": (0.6, 0.7, 1.0)},
        {"thresholds": (0.0, 0.7, 0.7)},
        {"thresholds": (0.6, float("nan"), 0.7)},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CascadeSettings(**wrong)


def test_a_pyramid_starts_at_the_smallest_face_and_ends_at_the_short_side() -> None:
    scales = pyramid_scales(100, 300, CascadeSettings(min_face_size=24, factor=0.5))
    assert scales == [0.5, 0.25, 0.125]  # 50, 25 and 12.5 px; 6.25 would hold no window


def test_a_short_side_of_exactly_the_smallest_face_has_one_level() -> None:
    settings = CascadeSettings(min_face_size=24)
    assert pyramid_scales(24, 500, settings) == [0.5]
    assert pyramid_scales(23, 500, settings) == []


def test_faces_below_the_minimum_size_are_not_searched(
    astronaut: ByteArray, cascade: Cascade
) -> None:
    image = composed(astronaut, (400, 10, 10), (90, 550, 200), size_wh=(800, 500))
    choosy = cascade.with_settings(CascadeSettings(min_face_size=80))
    assert len(cascade.find(image)) == 2
    assert len(choosy.find(image)) == 1


def test_the_last_threshold_is_the_least_score(astronaut: ByteArray, cascade: Cascade) -> None:
    image = composed(astronaut, (300, 10, 10), (60, 350, 20), size_wh=(500, 400))
    scores = cascade.find(image).scores
    between = float(scores.max() + scores.min()) / 2
    strict = cascade.with_settings(CascadeSettings(thresholds=(0.6, 0.7, between)))
    assert strict.find(image).scores.tolist() == [scores.max()]


@pytest.mark.parametrize("strip_pixels", [1, 20_000, 100_000])
def test_a_level_in_strips_gives_the_numbers_of_the_whole(
    cascade: Cascade,
    astronaut: ByteArray,
    monkeypatch: pytest.MonkeyPatch,
    strip_pixels: int,
) -> None:
    whole = cascade.find(astronaut)
    monkeypatch.setattr("mien.faces.detect.STRIP_PIXELS", strip_pixels)
    assert np.array_equal(cascade.find(astronaut).boxes_xyxy, whole.boxes_xyxy)
