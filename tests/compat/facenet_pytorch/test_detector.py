"""`mien.facenet_pytorch.MTCNN`: what `mien.MTCNN` finds, as tensors and as a torch module."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mien
from mien.errors import UnreadableImage
from mien.faces.align import margin_box
from mien.faces.detect import Cascade
from mien.faces.select import SELECTION_METHODS
from mien.results import ByteArray

torch = pytest.importorskip("torch", reason="needs torch: pip install 'mien[torch]'")

from mien.facenet_pytorch import MTCNN, extract_face  # noqa: E402 - imports torch

NO_FACE: ByteArray = np.full((80, 90, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def mtcnn(cascade: Cascade) -> MTCNN:
    return MTCNN(margin=18, cascade=cascade)


@pytest.fixture(scope="module")
def keeping_all(cascade: Cascade) -> MTCNN:
    return MTCNN(margin=18, keep_all=True, cascade=cascade)


@pytest.fixture(scope="module")
def numpy_mtcnn(cascade: Cascade) -> mien.MTCNN:
    return mien.MTCNN(margin=18, keep_all=True, cascade=cascade)


# --- a torch module -----------------------------------------------------------------------


def test_it_is_a_torch_module_without_parameters(mtcnn: MTCNN) -> None:
    assert isinstance(mtcnn, torch.nn.Module)
    assert mtcnn.state_dict() == {}
    assert list(mtcnn.parameters()) == []
    mtcnn.load_state_dict(torch.nn.Module().state_dict())


def test_eval_train_to_half_and_double_return_the_module_and_change_no_crop(
    cascade: Cascade, crowd: ByteArray
) -> None:
    made = MTCNN(margin=18, cascade=cascade)
    before = made(crowd)
    for changed in (made.eval(), made.to("cpu"), made.half(), made.double(), made.train()):
        assert changed is made
        assert torch.equal(made(crowd), before)
        assert made(crowd).dtype == torch.float32
    assert made.training


def test_the_device_is_a_torch_device_that_follows_to(cascade: Cascade) -> None:
    assert MTCNN(cascade=cascade).device == torch.device("cpu")
    assert MTCNN(cascade=cascade, device="meta").device.type == "meta"
    made = MTCNN(cascade=cascade, device=torch.device("cpu"))
    made.device = "meta"
    assert made.device.type == "meta"
    assert MTCNN(cascade=cascade).to("meta").device.type == "meta"


def test_it_works_within_other_modules(mtcnn: MTCNN, crowd: ByteArray) -> None:
    both = torch.nn.Sequential(mtcnn, torch.nn.Flatten(0))
    assert both(crowd).shape == (3 * 160 * 160,)


def test_the_repr_shows_the_settings(mtcnn: MTCNN) -> None:
    assert repr(mtcnn).startswith("MTCNN(image_size=160, margin=18, min_face_size=20, ")


def test_a_copy_gives_the_same_crop(home: Path, mtcnn: MTCNN, crowd: ByteArray) -> None:
    assert torch.equal(copy.deepcopy(mtcnn)(crowd), mtcnn(crowd))


def test_attributes_may_be_changed_after_construction(cascade: Cascade, crowd: ByteArray) -> None:
    made = MTCNN(cascade=cascade)
    made.keep_all = True
    assert made(crowd).shape == (3, 3, 160, 160)
    made.min_face_size = 100
    assert made(crowd).shape == (2, 3, 160, 160)
    made.thresholds = [0.6, 0.7, 0.99999]
    assert len(made.detect(crowd)[0]) < 2
    made.image_size, made.post_process = 100, False
    assert made(crowd).shape[2:] == (100, 100)
    assert made(crowd).max() > 1


def test_the_arguments_and_their_order_are_those_of_the_reference(cascade: Cascade) -> None:
    made = MTCNN(99, 9, 30, [0.5, 0.6, 0.7], 0.8, False, False, None, True, "cpu", cascade=cascade)
    assert (made.image_size, made.margin, made.min_face_size) == (99, 9, 30)
    assert (made.thresholds, made.factor, made.post_process) == ([0.5, 0.6, 0.7], 0.8, False)
    assert (made.select_largest, made.keep_all) == (False, True)
    assert made.selection_method == "probability"


@pytest.mark.parametrize(
    "wrong",
    [{"margin": 160}, {"margin": -1}, {"factor": 1.0}, {"thresholds": [2, 2, 2]}],
    ids=str,
)
def test_an_impossible_parameter_is_a_value_error(wrong: dict[str, Any], cascade: Cascade) -> None:
    with pytest.raises(ValueError, match=r"must|numbers"):
        MTCNN(cascade=cascade, **wrong)
    with pytest.raises(ValueError, match="unknown selection_method"):
        MTCNN(cascade=cascade, selection_method="biggest")


# --- what it gives ------------------------------------------------------------------------


def test_detect_gives_the_arrays_of_the_numpy_class(
    mtcnn: MTCNN, numpy_mtcnn: mien.MTCNN, crowd: ByteArray
) -> None:
    expected = numpy_mtcnn.detect(crowd, landmarks=True)
    for given, wanted in zip(mtcnn.detect(crowd, landmarks=True), expected, strict=True):
        np.testing.assert_array_equal(given, wanted)
        assert given.dtype == np.float32
        given *= 2  # writable, as in the reference
    assert len(mtcnn.detect(crowd)) == 2


def test_detect_sorts_by_score_without_select_largest(cascade: Cascade, crowd: ByteArray) -> None:
    _, scores = MTCNN(select_largest=False, cascade=cascade).detect(crowd)
    assert np.all(np.diff(scores) < 0)


def test_crops_are_tensors_with_the_numbers_of_the_numpy_class(
    keeping_all: MTCNN, numpy_mtcnn: mien.MTCNN, crowd: ByteArray
) -> None:
    for image in (crowd, Image.fromarray(crowd), torch.from_numpy(crowd.copy())):
        crops = keeping_all(image)
        assert (crops.dtype, tuple(crops.shape)) == (torch.float32, (3, 3, 160, 160))
        np.testing.assert_array_equal(crops.numpy(), numpy_mtcnn(image))


def test_one_face_comes_with_its_score_as_a_number(mtcnn: MTCNN, crowd: ByteArray) -> None:
    crop, score = mtcnn(crowd, return_prob=True)
    assert tuple(crop.shape) == (3, 160, 160)
    assert score == mtcnn.detect(crowd)[1][0]
    assert np.ndim(score) == 0


def test_no_face_is_none(mtcnn: MTCNN, keeping_all: MTCNN) -> None:
    assert mtcnn(NO_FACE) is None
    assert mtcnn(NO_FACE, return_prob=True) == (None, None)
    boxes, scores, points = mtcnn.detect(NO_FACE, landmarks=True)
    assert (boxes, scores.tolist(), points) == (None, [None], None)
    crops, scores = keeping_all(NO_FACE, return_prob=True)
    assert (crops, scores.tolist()) == (None, [None])


def test_a_batch_gives_arrays_with_one_more_dimension(mtcnn: MTCNN, crowd: ByteArray) -> None:
    mirrored = np.ascontiguousarray(crowd[:, ::-1])
    batches: list[Any] = [[crowd, mirrored], np.stack([crowd, mirrored])]
    batches.append(torch.from_numpy(batches[1]))
    for batch in batches:
        boxes, scores, points = mtcnn.detect(batch, landmarks=True)
        assert (boxes.shape, scores.shape, points.shape) == ((2, 3, 4), (2, 3), (2, 3, 5, 2))
        crops, scores = mtcnn(batch, return_prob=True)
        assert [tuple(crop.shape) for crop in crops] == [(3, 160, 160)] * 2
        assert scores.shape == (2, 1)
    assert mtcnn([]) == []


def test_a_batch_with_an_image_without_a_face_has_none_there(
    mtcnn: MTCNN, keeping_all: MTCNN, crowd: ByteArray, astronaut: ByteArray
) -> None:
    images = [crowd, NO_FACE, Image.fromarray(astronaut)]
    boxes, scores = mtcnn.detect(images)
    assert boxes[1] is None
    assert scores[1].tolist() == [None]
    assert [len(boxes[0]), len(boxes[2])] == [3, 1]
    crops, scores = mtcnn(images, return_prob=True)
    assert crops[1] is None
    assert scores[1][0] is None
    assert scores[0][0] > 0.9
    assert [None if crop is None else len(crop) for crop in keeping_all(images)] == [3, None, 1]


@pytest.mark.parametrize("method", SELECTION_METHODS)
def test_each_selection_method_chooses_the_face_of_the_numpy_class(
    method: str, cascade: Cascade, crowd: ByteArray
) -> None:
    options: dict[str, Any] = {"selection_method": method, "margin": 18, "cascade": cascade}
    for image in (crowd, Image.fromarray(crowd), torch.from_numpy(crowd.copy())):
        expected, wanted = mien.MTCNN(**options)(image, return_prob=True)
        crop, score = MTCNN(**options)(image, return_prob=True)
        np.testing.assert_array_equal(crop.numpy(), expected)
        assert score == pytest.approx(wanted)


def test_select_boxes_takes_its_own_threshold_and_centre_weight(
    mtcnn: MTCNN, crowd: ByteArray
) -> None:
    found = mtcnn.detect(crowd, landmarks=True)
    scores = found[1]
    chosen = mtcnn.select_boxes(*found, crowd, method="largest_over_threshold", threshold=0.0)
    assert chosen[1] == scores[0]
    between = float(np.sort(scores)[0] + np.sort(scores)[1]) / 2
    box, score, points = mtcnn.select_boxes(
        *found, crowd, method="largest_over_threshold", threshold=between
    )
    assert (box.shape, points.shape) == ((1, 4), (1, 5, 2))
    assert score > between
    nothing = mtcnn.select_boxes(*found, crowd, method="largest_over_threshold", threshold=1.0)
    assert nothing == (None, None, None)
    by_size = mtcnn.select_boxes(*found, crowd, "center_weighted_size", center_weight=0.0)
    assert by_size[1] == scores[0]
    central = mtcnn.select_boxes(*found, crowd, "center_weighted_size", center_weight=1e6)
    assert central[1] != scores[0]


def test_extract_cuts_the_boxes_that_it_is_given(
    mtcnn: MTCNN, keeping_all: MTCNN, crowd: ByteArray
) -> None:
    boxes, _ = mtcnn.detect(crowd)
    assert torch.equal(keeping_all.extract(crowd, boxes, None), keeping_all(crowd))
    assert torch.equal(mtcnn.extract(crowd, boxes[1:], None), keeping_all(crowd)[1])
    assert torch.equal(mtcnn.extract([crowd], [boxes], None)[0], mtcnn(crowd))
    assert mtcnn.extract(crowd, None, None) is None


def test_crops_are_saved_as_they_look(
    tmp_path: Path, keeping_all: MTCNN, mtcnn: MTCNN, crowd: ByteArray
) -> None:
    crops = keeping_all(crowd, save_path=str(tmp_path / "new" / "face.png"))
    names = ["face.png", "face_2.png", "face_3.png"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names
    for name, crop in zip(names, crops, strict=True):
        saved = np.asarray(Image.open(tmp_path / "new" / name)).transpose(2, 0, 1)
        np.testing.assert_array_equal((saved - 127.5) / 128, crop.numpy())
    mtcnn([crowd, crowd], save_path=[str(tmp_path / "1.png"), str(tmp_path / "2.png")])
    assert (tmp_path / "2.png").is_file()
    with pytest.raises(ValueError, match="one for each"):
        mtcnn([crowd, crowd], save_path="one.png")


# --- what it takes ------------------------------------------------------------------------


def test_paths_bytes_and_files_are_read_once_and_cut_like_pil_images(
    mtcnn: MTCNN, crowd: ByteArray, tmp_path: Path
) -> None:
    Image.fromarray(crowd).save(tmp_path / "crowd.png")
    expected = mtcnn(Image.fromarray(crowd))
    content = (tmp_path / "crowd.png").read_bytes()
    for source in (tmp_path / "crowd.png", str(tmp_path / "crowd.png"), content):
        assert torch.equal(mtcnn(source), expected)
        assert torch.equal(mtcnn([source])[0], expected)


def test_a_pil_image_is_taken_as_it_is_stored(mtcnn: MTCNN, astronaut: ByteArray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    file = io.BytesIO()
    Image.fromarray(astronaut).save(file, "PNG", exif=exif)
    boxes, _ = mtcnn.detect(Image.open(file))
    np.testing.assert_array_equal(boxes, mtcnn.detect(astronaut)[0])


def test_a_palette_image_keeps_its_transparency(mtcnn: MTCNN, astronaut: ByteArray) -> None:
    image = Image.fromarray(astronaut).quantize(256)
    image.info["transparency"] = bytes(256)  # nothing of it can be seen
    assert mtcnn(image) is None


def test_an_object_that_is_not_a_picture_is_refused(mtcnn: MTCNN) -> None:
    for source in (b"no picture", torch.zeros(3, 80, 90), torch.zeros(80, 90, 3).to("meta")):
        with pytest.raises(UnreadableImage):
            mtcnn(source)


def test_extract_face_gives_pixels_of_one_box(mtcnn: MTCNN, crowd: ByteArray) -> None:
    boxes, _ = mtcnn.detect(crowd)
    crop = extract_face(crowd, boxes[0], margin=18)
    assert torch.equal((crop - 127.5) / 128, mtcnn(crowd))
    assert extract_face(crowd, [10, 20, 60, 90], image_size=50).shape == (3, 50, 50)
    with pytest.raises(ValueError, match="margin"):
        extract_face(crowd, boxes[0], image_size=50, margin=50)
    for image in (crowd, Image.fromarray(crowd), torch.from_numpy(crowd / 255)):
        with pytest.raises(ValueError, match="outside"):
            extract_face(image, [900, 900, 950, 950])


@pytest.mark.parametrize(
    "dtype",
    ["int64", "int32", "int16", "bfloat16", "float16", "float32", "float64"],
)
def test_a_tensor_of_every_dtype_is_pooled_like_one_of_bytes(
    dtype: str, mtcnn: MTCNN, crowd: ByteArray
) -> None:
    tensor = torch.from_numpy(crowd.copy())
    boxes, _ = mtcnn.detect(tensor)
    left, top, right, bottom = margin_box(boxes[0], crowd.shape, side=160, margin=18)
    cut = tensor[top:bottom, left:right].permute(2, 0, 1).unsqueeze(0).float()
    pooled = torch.nn.functional.adaptive_avg_pool2d(cut, (160, 160))[0].floor()
    wide = tensor.to(getattr(torch, dtype))
    assert torch.equal(mtcnn(wide), (pooled - 127.5) / 128)
    assert torch.equal(mtcnn(wide), mtcnn(tensor))


def test_a_gradient_and_floats_within_0_and_1_are_no_obstacle(
    mtcnn: MTCNN, crowd: ByteArray
) -> None:
    tensor = torch.from_numpy(crowd.copy())
    crop = mtcnn(tensor.float().requires_grad_())
    assert torch.equal(crop, mtcnn(tensor))
    assert not crop.requires_grad
    # of the values as they are, and so to one of 255: 1 / 128
    torch.testing.assert_close(mtcnn(tensor.double() / 255), mtcnn(tensor), atol=1 / 128, rtol=0)
