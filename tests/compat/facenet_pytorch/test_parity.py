"""mien against facenet-pytorch 2.6 itself, where that is installed (last step of `.ci/run`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mien
from mien.faces.detect import Cascade
from mien.results import ByteArray

torch = pytest.importorskip("torch", reason="needs torch: pip install 'mien[torch]'")
reference = pytest.importorskip(
    "facenet_pytorch", reason="needs facenet-pytorch, torchvision and requests, as in .ci/run"
)
torch.set_num_threads(1)  # its many small calls spend their time waiting for each other otherwise

from mien import facenet_pytorch  # noqa: E402 - imports torch

KINDS: dict[str, Callable[[ByteArray], Any]] = {
    "PIL image": Image.fromarray,
    "uint8 array": np.array,
    "int16 array": lambda a: a.astype(np.int16),
    "uint16 array": lambda a: a.astype(np.uint16),
    "uint8 tensor": lambda a: torch.from_numpy(a.copy()),
    "int64 tensor": lambda a: torch.from_numpy(a.copy()).long(),
    "int32 tensor": lambda a: torch.from_numpy(a.copy()).int(),
    "float32 tensor": lambda a: torch.from_numpy(a.copy()).float(),
    "float64 tensor": lambda a: torch.from_numpy(a.copy()).double(),
    "bfloat16 tensor": lambda a: torch.from_numpy(a.copy()).bfloat16(),
    "float16 tensor": lambda a: torch.from_numpy(a.copy()).half(),
    "tensor with a gradient": lambda a: torch.from_numpy(a.copy()).float().requires_grad_(),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"margin": 18, "post_process": False},
    {"image_size": 112, "keep_all": True},
    {"select_largest": False, "margin": 40},
    {"min_face_size": 90, "keep_all": True, "select_largest": False},
]


def both(cascade: Cascade, **options: Any) -> tuple[Any, Any]:
    return facenet_pytorch.MTCNN(**options, cascade=cascade), reference.MTCNN(**options)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PIL image", options) for options in OPTIONS] + [(kind, OPTIONS[1]) for kind in KINDS],
    ids=str,
)
def test_crops_equal_those_of_the_reference_bit_for_bit(
    kind: str, options: dict[str, Any], cascade: Cascade, crowd: ByteArray
) -> None:
    ours, theirs = both(cascade, **options)
    image = KINDS[kind](crowd)
    crops, scores = ours(image, return_prob=True)
    expected, wanted = theirs(image, return_prob=True)
    if "16 array" in kind:  # OpenCV rounds wide numbers and bytes apart by one in a few pixels
        step = 1 if options.get("post_process") is False else 1 / 128
        assert (crops - expected).abs().max() <= step
    else:
        assert torch.equal(crops, expected)
    assert (crops.dtype, crops.requires_grad) == (torch.float32, False)
    np.testing.assert_allclose(np.asarray(scores, float), np.asarray(wanted, float), atol=1e-5)
    by_numpy = mien.MTCNN(**options, cascade=cascade)(image)
    np.testing.assert_array_equal(by_numpy, crops.numpy())


@pytest.mark.parametrize("count", [1, 2])
def test_batches_have_the_shapes_and_numbers_of_the_reference(
    count: int, cascade: Cascade, crowd: ByteArray
) -> None:
    batch = np.stack([crowd, crowd[:, ::-1]][:count])
    ours, theirs = both(cascade, margin=18)
    for images in (batch, torch.from_numpy(batch), [Image.fromarray(one) for one in batch]):
        for given, wanted in zip(
            ours.detect(images, landmarks=True), theirs.detect(images, landmarks=True), strict=True
        ):
            assert given.shape == wanted.shape
            np.testing.assert_allclose(given, wanted.astype(float), atol=1e-2)
        crops, scores = ours(images, return_prob=True)
        expected, wanted = theirs(images, return_prob=True)
        assert [torch.equal(*pair) for pair in zip(crops, expected, strict=True)] == [True] * count
        assert scores.shape == wanted.shape


def test_an_image_without_a_face_gives_the_same_as_the_reference(cascade: Cascade) -> None:
    grey = np.full((80, 90, 3), 128, np.uint8)
    for options in ({}, {"keep_all": True}):
        ours, theirs = both(cascade, **options)
        crop, score = ours(grey, return_prob=True)
        expected, wanted = theirs(grey, return_prob=True)
        assert crop is expected is None
        assert np.array_equal(score, wanted)
        for given, their in zip(ours.detect(grey, True), theirs.detect(grey, True), strict=True):
            assert np.array_equal(given, their)


@pytest.mark.parametrize(
    "method", ["probability", "largest", "largest_over_threshold", "center_weighted_size"]
)
def test_select_boxes_chooses_as_the_reference_does(
    method: str, cascade: Cascade, crowd: ByteArray
) -> None:
    ours, theirs = both(cascade)
    image = Image.fromarray(crowd)
    found = ours.detect(image, landmarks=True)
    for options in ({}, {"threshold": 0.9999, "center_weight": 0.1}):
        given = ours.select_boxes(*found, image, method=method, **options)
        wanted = theirs.select_boxes(*found, image, method=method, **options)
        # over a threshold, the reference gives the box of one face and the score of another
        wrong_score = method == "largest_over_threshold"
        for part, their in list(zip(given, wanted, strict=True))[: 1 if wrong_score else 3]:
            assert np.array_equal(part, their)
            assert np.shape(part) == np.shape(their)


@pytest.mark.parametrize("kind", KINDS)
def test_extract_face_and_the_scalings_equal_the_reference(kind: str, crowd: ByteArray) -> None:
    image = KINDS[kind](crowd)
    if kind in ("uint8 array", "PIL image") or "tensor" in kind:
        for box in ([40, 60, 200, 260], np.array([-5.5, 3.2, 90.9, 120.1])):
            crop = facenet_pytorch.extract_face(image, box, 120, 16)
            assert torch.equal(crop, reference.extract_face(image, box, 120, 16))
            for name in ("fixed_image_standardization", "prewhiten"):
                ours, theirs = getattr(facenet_pytorch, name), getattr(reference, name)
                assert torch.equal(ours(crop), theirs(crop))


def test_saved_crops_are_the_same_files(tmp_path: Path, cascade: Cascade, crowd: ByteArray) -> None:
    ours, theirs = both(cascade, keep_all=True)
    ours(crowd, save_path=str(tmp_path / "ours" / "face.png"))
    theirs(crowd, save_path=str(tmp_path / "theirs" / "face.png"))
    for path in (tmp_path / "theirs").iterdir():
        given = np.asarray(Image.open(tmp_path / "ours" / path.name))
        np.testing.assert_array_equal(given, np.asarray(Image.open(path)))


@pytest.mark.parametrize("options", [{}, {"classify": True, "num_classes": 5}], ids=str)
def test_the_embedder_has_the_layers_and_numbers_of_the_reference(options: dict[str, Any]) -> None:
    theirs = reference.InceptionResnetV1(**options).eval()
    ours = facenet_pytorch.InceptionResnetV1(**options).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_children()] == [n for n, _ in theirs.named_children()]
    ours.load_state_dict(theirs.state_dict())
    crops = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(ours(crops), theirs(crops), atol=1e-6, rtol=0)
    for net in (ours, theirs):
        net.train()
        net.dropout.p = 0.0
    torch.testing.assert_close(ours(crops), theirs(crops), atol=1e-4, rtol=1e-4)
    assert ours.dropout.p == theirs.dropout.p


def test_every_public_name_of_the_reference_except_the_three_nets_exists() -> None:
    theirs = {name for name in vars(reference) if not name.startswith("_")}
    theirs -= {"warnings", "models", "PNet", "RNet", "ONet"}
    assert theirs == set(facenet_pytorch.__all__)
    helpers = {name for name in vars(reference.training) if name[0].isalpha()}
    assert helpers - {"torch", "np", "time"} <= set(vars(facenet_pytorch.training))
