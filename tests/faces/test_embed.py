"""Embeddings: unit rows, one by one or together, and never from a wrong crop or a broken net."""

from __future__ import annotations

import numpy as np
import pytest

from mien.app.pipeline import Pipeline
from mien.errors import ExitCode, ModelMismatch, ModelUnavailable
from mien.faces.embed import BATCH, Embedder
from mien.models import EMBEDDERS
from mien.results import ByteArray, Crop, FloatArray
from mien.vectors import unit_rows

SFACE = EMBEDDERS["sface"]


@pytest.fixture(scope="module")
def crops(pipeline: Pipeline, astronaut: ByteArray) -> list[Crop]:
    """More crops than one batch holds: the face, moved a little further each time."""
    face = pipeline.door_face(astronaut)
    found = []
    for step in range(BATCH + 3):
        moved = np.roll(astronaut, step, axis=1)
        found.append(pipeline.crop(moved, face))
    return found


def test_rows_are_of_length_one_and_float32(pipeline: Pipeline, crops: list[Crop]) -> None:
    vectors = pipeline.embed(crops)
    assert vectors.shape == (BATCH + 3, 128)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_a_batch_gives_the_same_as_single_crops(pipeline: Pipeline, crops: list[Crop]) -> None:
    together = pipeline.embed(crops)
    alone = np.concatenate([pipeline.embed([crop]) for crop in crops])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_same_crop_gives_the_same_numbers(pipeline: Pipeline, crops: list[Crop]) -> None:
    np.testing.assert_array_equal(pipeline.embed(crops[:3]), pipeline.embed(crops[:3]))


def test_no_crops_give_no_rows(pipeline: Pipeline) -> None:
    vectors = pipeline.embed([])
    assert vectors.shape == (0, 128)
    assert vectors.dtype == np.float32


def test_exchanging_red_and_blue_changes_the_embedding(
    pipeline: Pipeline, crops: list[Crop]
) -> None:
    swapped = Crop(np.ascontiguousarray(crops[0].pixels[:, :, ::-1]), crops[0].recipe)
    right, wrong = pipeline.embed([crops[0], swapped])
    assert float(right @ wrong) < 0.99


@pytest.mark.parametrize(
    "crop",
    [
        Crop(np.zeros((112, 112, 3), np.uint8), "margin112+0"),
        Crop(np.zeros((160, 160, 3), np.uint8), "warp112"),
    ],
    ids=["another recipe", "another size"],
)
def test_a_crop_of_another_recipe_or_size_is_refused(
    pipeline: Pipeline, crops: list[Crop], crop: Crop
) -> None:
    with pytest.raises(ModelMismatch, match="sface needs crops warp112") as caught:
        pipeline.embed([crops[0], crop])
    assert caught.value.exit_code is ExitCode.MODEL_UNAVAILABLE


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_a_network_with_zero_or_not_finite_output_is_an_error(
    value: float, crops: list[Crop]
) -> None:
    def net(pixels: FloatArray) -> FloatArray:
        vectors = np.ones((len(pixels), 128), np.float32)
        vectors[-1] = value
        return vectors

    with pytest.raises(ModelUnavailable, match="mien doctor"):
        Embedder(net, SFACE).embed(crops[:2])


def test_the_network_gets_channels_first_float_pixels_of_0_to_255() -> None:
    seen: list[FloatArray] = []

    def net(pixels: FloatArray) -> FloatArray:
        seen.append(pixels)
        return np.ones((len(pixels), 128), np.float32)

    pixels = np.zeros((112, 112, 3), np.uint8)
    pixels[5, 7] = (255, 128, 1)
    Embedder(net, SFACE).embed([Crop(pixels, "warp112")])
    assert seen[0].shape == (1, 3, 112, 112)
    assert seen[0].dtype == np.float32
    assert seen[0][0, :, 5, 7].tolist() == [255.0, 128.0, 1.0]


def test_unit_rows_by_hand() -> None:
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, -2.0]], np.float32))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, -1.0]], atol=1e-7)
    assert unit_rows(np.zeros((0, 2), np.float32)).shape == (0, 2)


def test_a_flip_average_is_between_a_crop_and_its_mirror_image(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    crop = pipeline.crop(astronaut, pipeline.door_face(astronaut))
    mirrored = Crop(np.ascontiguousarray(crop.pixels[:, ::-1]), crop.recipe)
    plain = pipeline.embed([crop, mirrored])
    averaging = Embedder(pipeline.embedder._net, pipeline.embedder.row, flip_average=True)
    averaged = averaging.embed([crop, mirrored])
    np.testing.assert_allclose(averaged[0], averaged[1], atol=1e-6)
    middle = plain.sum(axis=0) / np.linalg.norm(plain.sum(axis=0))
    np.testing.assert_allclose(averaged[0], middle, atol=1e-5)
