"""`MTCNN` gives what facenet-pytorch's class gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.compat.mtcnn import MTCNN
from mien.errors import UnreadableImage
from mien.faces.align import margin_box
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


# --- construction -------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_reference(cascade: Cascade) -> None:
    made = MTCNN(cascade=cascade)
    assert (made.image_size, made.margin) == (160, 0)
    assert (made.post_process, made.select_largest, made.keep_all) == (True, True, False)
    assert made.selection_method == "largest"
    found = made._cascade.get().settings
    assert (found.min_face_size, found.thresholds, found.factor) == (20, (0.6, 0.7, 0.7), 0.709)


def test_without_a_cascade_it_opens_the_detector(home: Path, astronaut: ByteArray) -> None:
    assert MTCNN()(astronaut).shape == (3, 160, 160)


def test_a_shared_cascade_shares_its_nets_and_not_its_settings(
    cascade: Cascade, crowd: ByteArray
) -> None:
    assert len(MTCNN(cascade=cascade).faces(crowd)) == 3
    assert len(MTCNN(min_face_size=100, cascade=cascade).faces(crowd)) == 2
    assert cascade.settings.min_face_size == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"margin": -1},
        {"image_size": 0},
        {"min_face_size": 0},
        {"factor": 1.0},
        {"thresholds": [0.6, 0.7]},
        {"thresholds": [0.6, 0.7, 7]},
        {"device": "cuda"},
    ],
    ids=str,
)
def test_an_impossible_parameter_is_refused(wrong: dict[str, Any], cascade: Cascade) -> None:
    with pytest.raises(ValueError, match=r"must|values|numbers"):
        MTCNN(cascade=cascade, **wrong)


# --- detect -------------------------------------------------------------------------------


def test_detect_gives_float32_arrays_of_stated_shapes(mtcnn: MTCNN, crowd: ByteArray) -> None:
    boxes, scores, points = mtcnn.detect(crowd, landmarks=True)
    assert (boxes.shape, scores.shape, points.shape) == ((3, 4), (3,), (3, 5, 2))
    assert boxes.dtype == scores.dtype == points.dtype == np.float32
    boxes *= 2  # writable, as in the reference
    assert len(mtcnn.detect(crowd)) == 2


def test_detect_sorts_by_area(mtcnn: MTCNN, crowd: ByteArray) -> None:
    boxes, scores = mtcnn.detect(crowd)
    assert np.all(np.diff(areas(boxes)) < 0)
    assert not np.all(np.diff(scores) < 0)  # so that the test can tell the two orders apart


def test_detect_sorts_by_score_without_select_largest(cascade: Cascade, crowd: ByteArray) -> None:
    _, scores = MTCNN(select_largest=False, cascade=cascade).detect(crowd)
    assert np.all(np.diff(scores) < 0)


def test_points_stay_with_their_boxes_when_sorted(mtcnn: MTCNN, crowd: ByteArray) -> None:
    boxes, _, points = mtcnn.detect(crowd, landmarks=True)
    for box, five in zip(boxes, points, strict=True):
        assert np.all((five > box[:2]) & (five < box[2:]))


def test_detect_without_a_face_gives_none_and_a_list_of_none(mtcnn: MTCNN) -> None:
    assert mtcnn.detect(NO_FACE) == (None, [None])
    assert mtcnn.detect(NO_FACE, landmarks=True) == (None, [None], None)


def test_detect_of_a_list_gives_a_list_for_each_part(mtcnn: MTCNN, crowd: ByteArray) -> None:
    boxes, scores, points = mtcnn.detect([NO_FACE, crowd], landmarks=True)
    assert (boxes[0], scores[0], points[0]) == (None, [None], None)
    assert (boxes[1].shape, scores[1].shape, points[1].shape) == ((3, 4), (3,), (3, 5, 2))


def test_the_faces_record_has_the_order_of_detect(mtcnn: MTCNN, crowd: ByteArray) -> None:
    boxes, scores = mtcnn.detect(crowd)
    np.testing.assert_array_equal(mtcnn.faces(crowd).boxes_xyxy, boxes)
    np.testing.assert_array_equal(mtcnn.faces(crowd).scores, scores)


# --- calling ------------------------------------------------------------------------------


def test_a_call_gives_one_standardised_crop(mtcnn: MTCNN, crowd: ByteArray) -> None:
    crop = mtcnn(crowd)
    assert (crop.shape, crop.dtype) == ((3, 160, 160), np.float32)
    assert -1 <= crop.min() < -0.5 < 0.5 < crop.max() <= 1
    assert crop.flags.c_contiguous


def test_without_post_process_pixels_stay_0_to_255(
    cascade: Cascade, mtcnn: MTCNN, crowd: ByteArray
) -> None:
    raw = MTCNN(margin=18, post_process=False, cascade=cascade)(crowd)
    assert raw.dtype == np.float32
    np.testing.assert_array_equal(raw, np.rint(raw))
    np.testing.assert_array_equal((raw - 127.5) / 128, mtcnn(crowd))


def test_a_call_without_a_face_gives_none(mtcnn: MTCNN, keeping_all: MTCNN) -> None:
    assert mtcnn(NO_FACE) is None
    assert mtcnn(NO_FACE, return_prob=True) == (None, None)
    assert keeping_all(NO_FACE) is None
    assert keeping_all(NO_FACE, return_prob=True) == (None, [None])


def test_return_prob_gives_the_score_of_the_face(mtcnn: MTCNN, crowd: ByteArray) -> None:
    crop, score = mtcnn(crowd, return_prob=True)
    np.testing.assert_array_equal(crop, mtcnn(crowd))
    assert isinstance(score, float)
    assert score == pytest.approx(float(mtcnn.detect(crowd)[1][0]))


def test_keep_all_gives_every_face_in_the_order_of_detect(
    keeping_all: MTCNN, mtcnn: MTCNN, crowd: ByteArray
) -> None:
    crops, scores = keeping_all(crowd, return_prob=True)
    assert (crops.shape, crops.dtype) == ((3, 3, 160, 160), np.float32)
    assert (scores.shape, scores.dtype) == ((3,), np.float32)
    np.testing.assert_array_equal(scores, keeping_all.detect(crowd)[1])
    np.testing.assert_array_equal(crops[0], mtcnn(crowd))


@pytest.mark.parametrize("method", SELECTION_METHODS)
def test_keep_all_keeps_all_whatever_the_selection_method(
    method: str, keeping_all: MTCNN, cascade: Cascade, crowd: ByteArray
) -> None:
    both = MTCNN(margin=18, keep_all=True, selection_method=method, cascade=cascade)
    np.testing.assert_array_equal(both(crowd), keeping_all(crowd))


def test_a_selection_method_overrides_select_largest(cascade: Cascade, crowd: ByteArray) -> None:
    for largest, method, pick in ((True, "probability", np.argmax), (False, "largest", None)):
        made = MTCNN(select_largest=largest, selection_method=method, cascade=cascade)
        boxes, scores = made.detect(crowd)
        row = int(pick(scores)) if pick else int(np.argmax(areas(boxes)))
        assert made(crowd, return_prob=True)[1] == pytest.approx(float(scores[row]))


def test_a_list_or_a_batch_gives_a_list_in_order(
    mtcnn: MTCNN, crowd: ByteArray, astronaut: ByteArray
) -> None:
    mirrored = np.ascontiguousarray(crowd[:, ::-1])
    for many in ([crowd, mirrored], (crowd, mirrored), np.stack([crowd, mirrored])):
        crops, scores = mtcnn(many, return_prob=True)
        assert isinstance(crops, list)
        assert len(scores) == 2
        np.testing.assert_array_equal(crops[0], mtcnn(crowd))
        np.testing.assert_array_equal(crops[1], mtcnn(mirrored))
    assert mtcnn([]) == []
    assert mtcnn([], return_prob=True) == ([], [])


def test_with_empty_the_result_is_arrays_without_rows_instead_of_none(cascade: Cascade) -> None:
    empty = MTCNN(keep_all=True, empty=True, cascade=cascade)
    boxes, scores, points = empty.detect(NO_FACE, landmarks=True)
    assert (boxes.shape, scores.shape, points.shape) == ((0, 4), (0,), (0, 5, 2))
    crops, scores = empty(NO_FACE, return_prob=True)
    assert (crops.shape, scores.shape) == ((0, 3, 160, 160), (0,))
    assert boxes.dtype == points.dtype == crops.dtype == scores.dtype == np.float32
    assert MTCNN(empty=True, cascade=cascade)(NO_FACE) is None  # one face was asked for


def test_it_is_a_transform_for_a_folder_of_pil_images(mtcnn: MTCNN, astronaut: ByteArray) -> None:
    # ImageFolder opens each file, calls the transform, and DataLoader stacks the samples
    samples = [Image.fromarray(astronaut), Image.fromarray(astronaut[:, ::-1])]
    batch = np.stack([mtcnn(sample) for sample in samples])
    assert batch.shape == (2, 3, 160, 160)


# --- the crop -----------------------------------------------------------------------------


def test_the_margin_is_pixels_of_the_crop_half_on_each_side() -> None:
    box = np.array([50, 60, 121, 202], np.float32)  # 71 x 142 in 142 pixels of a crop of 160
    assert margin_box(box, (400, 300, 3), side=160, margin=18) == (45, 51, 125, 211)
    assert margin_box(box, (400, 300, 3), side=160, margin=0) == (50, 60, 121, 202)


def test_the_margin_stops_at_the_edge_of_the_picture() -> None:
    box = np.array([-3, 2, 68, 144], np.float32)
    assert margin_box(box, (150, 70, 3), side=160, margin=18) == (0, 0, 70, 150)


def test_a_pil_image_is_cut_bilinear_and_an_array_by_area(
    cascade: Cascade, astronaut: ByteArray
) -> None:
    import cv2

    mtcnn = MTCNN(margin=18, post_process=False, cascade=cascade)
    left, top, right, bottom = margin_box(
        mtcnn.detect(astronaut)[0][0], astronaut.shape, side=160, margin=18
    )
    cut = astronaut[top:bottom, left:right]
    by_area = cv2.resize(cut, (160, 160), interpolation=cv2.INTER_AREA)
    bilinear = Image.fromarray(cut).resize((160, 160), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(mtcnn(astronaut), by_area.transpose(2, 0, 1))
    np.testing.assert_array_equal(
        mtcnn(Image.fromarray(astronaut)), np.asarray(bilinear).transpose(2, 0, 1)
    )


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "int32", "int64", "uint64"])
def test_whole_numbers_within_0_and_255_are_pixels_in_every_dtype(
    dtype: str, mtcnn: MTCNN, crowd: ByteArray
) -> None:
    image = crowd // 2 if dtype == "int8" else crowd
    np.testing.assert_array_equal(mtcnn(image.astype(dtype)), mtcnn(image))


def test_whole_numbers_below_0_are_not_pixels(mtcnn: MTCNN, crowd: ByteArray) -> None:
    with pytest.raises(UnreadableImage):
        mtcnn(crowd.astype(np.int16) - 1)


class Tensor:
    """As much of a torch tensor as the detector asks for."""

    dtype, device = "bytes", "nowhere"

    def __init__(self, values: ByteArray, error: Exception | None = None) -> None:
        self.values, self.error = values, error

    def detach(self) -> Tensor:
        return self

    cpu = detach

    def numpy(self) -> ByteArray:
        if self.error:
            raise self.error
        return self.values


def test_a_tensor_is_cut_by_means_that_lose_their_fractions(
    cascade: Cascade, crowd: ByteArray
) -> None:
    mtcnn = MTCNN(image_size=20, post_process=False, cascade=cascade)
    box = mtcnn.detect(crowd)[0][0]
    left, top, right, bottom = margin_box(box, crowd.shape, side=20, margin=0)
    cut = crowd[top:bottom, left:right].astype(np.float64)
    rows = [(i * len(cut) // 20, -(-(i + 1) * len(cut) // 20)) for i in range(20)]
    columns = [(i * cut.shape[1] // 20, -(-(i + 1) * cut.shape[1] // 20)) for i in range(20)]
    expected = [[cut[a:b, c:d].mean(axis=(0, 1)) for c, d in columns] for a, b in rows]
    np.testing.assert_array_equal(
        mtcnn(Tensor(crowd)), np.floor(np.array(expected)).transpose(2, 0, 1)
    )


def test_a_tensor_without_values_is_refused(mtcnn: MTCNN, crowd: ByteArray) -> None:
    for error in (RuntimeError("no storage"), NotImplementedError("meta")):
        with pytest.raises(UnreadableImage, match="dense tensor"):
            mtcnn(Tensor(crowd, error))


# --- saving -------------------------------------------------------------------------------


def test_saved_crops_are_not_standardised_and_all_but_the_first_are_numbered(
    tmp_path: Path, keeping_all: MTCNN, crowd: ByteArray
) -> None:
    crops = keeping_all(crowd, save_path=str(tmp_path / "new" / "face.png"))
    names = ["face.png", "face_2.png", "face_3.png"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names
    for name, crop in zip(names, crops, strict=True):
        saved = np.asarray(Image.open(tmp_path / "new" / name))
        np.testing.assert_array_equal((saved.transpose(2, 0, 1) - 127.5) / 128, crop)


def test_one_crop_is_saved_under_the_name_given(
    tmp_path: Path, mtcnn: MTCNN, crowd: ByteArray
) -> None:
    mtcnn(crowd, save_path=tmp_path / "one.png")
    mtcnn([crowd], save_path=str(tmp_path / "two.png"))
    mtcnn([crowd, NO_FACE], save_path=[tmp_path / "three.png", tmp_path / "none.png"])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"one.png", "two.png", "three.png"}


@pytest.mark.parametrize("path", ["ab", ["a.png"], ["a.png"] * 3])
def test_a_list_needs_one_path_for_each_image(path: Any, mtcnn: MTCNN) -> None:
    with pytest.raises(ValueError, match="one for each"):
        mtcnn([NO_FACE, NO_FACE], save_path=path)
