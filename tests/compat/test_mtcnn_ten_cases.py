"""The ten cases in which facenet-pytorch's `MTCNN` fails, and mien's answers.

One test for each, named after the case.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.compat.mtcnn import MTCNN
from mien.errors import UnreadableImage
from mien.faces.detect import Cascade
from mien.faces.select import SELECTION_METHODS
from mien.results import ByteArray

NO_FACE: ByteArray = np.full((80, 90, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def mtcnn(cascade: Cascade) -> MTCNN:
    return MTCNN(image_size=160, margin=18, cascade=cascade)


@pytest.fixture(scope="module")
def keeping_all(cascade: Cascade) -> MTCNN:
    return MTCNN(margin=18, keep_all=True, cascade=cascade)


def areas(boxes: Any) -> Any:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def test_a_batch_in_which_one_image_has_no_face_gives_none_for_that_image(
    mtcnn: MTCNN, keeping_all: MTCNN, astronaut: ByteArray
) -> None:
    batch = np.stack([astronaut, np.zeros_like(astronaut), astronaut])
    crops, scores = mtcnn(batch, return_prob=True)
    assert [crop is None for crop in crops] == [False, True, False]
    assert scores[1] is None
    crops, scores = keeping_all(batch, return_prob=True)
    assert crops[1] is None
    assert scores[1] == [None]


@pytest.mark.parametrize("size_hw", [(15, 15), (10, 300), (300, 10), (1, 1)])
def test_an_image_too_small_for_a_face_has_none(size_hw: tuple[int, int], mtcnn: MTCNN) -> None:
    tiny = np.zeros((*size_hw, 3), np.uint8)
    for image in (tiny, Image.fromarray(tiny)):
        assert mtcnn(image) is None
        assert mtcnn.detect(image) == (None, [None])


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "LA", "1", "CMYK", "I;16"])
def test_a_grey_transparent_or_palette_image_gives_the_right_answer(
    mode: str, mtcnn: MTCNN, astronaut: ByteArray
) -> None:
    photo = Image.fromarray(astronaut)
    image = photo.convert("L").convert("I").point(lambda v: v * 257) if mode == "I;16" else photo
    boxes, _ = mtcnn.detect(image.convert(mode))
    expected, _ = mtcnn.detect(astronaut)
    assert len(boxes) == 1
    np.testing.assert_allclose(boxes, expected, atol=12)
    assert mtcnn(image.convert(mode)).shape == (3, 160, 160)


def test_a_float_array_within_0_and_1_gives_the_right_answer(
    mtcnn: MTCNN, astronaut: ByteArray
) -> None:
    floats = astronaut.astype(np.float32) / 255
    np.testing.assert_array_equal(mtcnn(floats), mtcnn(astronaut))
    np.testing.assert_array_equal(mtcnn(astronaut.astype(np.float64)), mtcnn(astronaut))


@pytest.mark.parametrize("low_high", [(-1, 1), (0, 300), (0, np.nan)])
def test_a_float_array_of_another_range_is_a_clear_error(
    low_high: tuple[float, float], mtcnn: MTCNN
) -> None:
    with pytest.raises(UnreadableImage, match="within 0"):
        mtcnn(np.array([*low_high] * 600, np.float32).reshape(20, 20, 3))


def test_a_list_of_different_sizes_gives_the_right_answers_in_order(
    mtcnn: MTCNN, astronaut: ByteArray, crowd: ByteArray
) -> None:
    images = [crowd, astronaut, NO_FACE, Image.fromarray(astronaut)]
    crops = mtcnn(images)
    assert crops[2] is None
    for image, crop in zip(images[:2] + images[3:], crops[:2] + crops[3:], strict=True):
        np.testing.assert_array_equal(crop, mtcnn(image))


def test_center_weighted_size_works_on_arrays(cascade: Cascade, crowd: ByteArray) -> None:
    mtcnn = MTCNN(selection_method="center_weighted_size", margin=18, cascade=cascade)
    boxes, scores = mtcnn.detect(crowd)
    # cut so that the second face is in the middle of what is left
    centre_xy = (boxes[1][:2] + boxes[1][2:]) / 2
    middle = np.ascontiguousarray(crowd[:, : int(2 * centre_xy[0])][: int(2 * centre_xy[1])])
    on_array, on_pil = (mtcnn(i, return_prob=True)[1] for i in (middle, Image.fromarray(middle)))
    assert on_array == on_pil == pytest.approx(float(scores[1]), abs=1e-3)


def test_an_unknown_selection_method_is_a_value_error_that_lists_the_known_ones(
    cascade: Cascade,
) -> None:
    with pytest.raises(ValueError, match="unknown selection_method 'biggest'") as caught:
        MTCNN(selection_method="biggest", cascade=cascade)
    assert all(method in str(caught.value) for method in SELECTION_METHODS)


def test_largest_over_threshold_gives_the_score_of_the_face_that_it_cuts(
    cascade: Cascade, crowd: ByteArray
) -> None:
    chosen = MTCNN(selection_method="largest_over_threshold", margin=18, cascade=cascade)
    boxes, scores, points = chosen.detect(crowd, landmarks=True)
    crop, score = chosen(crowd, return_prob=True)
    assert score == pytest.approx(float(scores[np.argmax(areas(boxes))]))
    np.testing.assert_array_equal(crop, MTCNN(margin=18, cascade=cascade)(crowd))
    assert len(points) == len(boxes)


@pytest.mark.parametrize("margin", [160, 161])
def test_a_margin_equal_to_image_size_is_a_value_error_at_construction(
    margin: int, cascade: Cascade
) -> None:
    with pytest.raises(ValueError, match="margin must be 0 to 159"):
        MTCNN(image_size=160, margin=margin, cascade=cascade)


@pytest.mark.parametrize("keep_all", [False, True])
def test_no_array_has_dtype_object(keep_all: bool, cascade: Cascade, crowd: ByteArray) -> None:
    mtcnn = MTCNN(keep_all=keep_all, cascade=cascade)
    parts = [*mtcnn.detect(crowd, landmarks=True), *mtcnn.detect([crowd], landmarks=True)]
    arrays = [mtcnn(crowd), *mtcnn([crowd]), *(p[0] if isinstance(p, list) else p for p in parts)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
