"""Many pictures at once have the faces that each has alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.app.batch_pipeline import open_batch_cascade
from mien.app.pipeline import open_cascade
from mien.faces import batch
from mien.faces.batch import BatchCascade, groups_of, pad_together, run_on_crops, run_on_pictures
from mien.faces.detect import Cascade, Search
from mien.media.image_file import read_image
from mien.models import PNET, PNET_BATCH, MaskedNet, Net, open_masked_net, open_net, read_graph
from mien.models.build.mtcnn import INSIDE, OUTSIDE
from mien.results import ByteArray, Faces, FloatArray
from mien.settings import Settings

SIZES = [(12, 12), (13, 12), (12, 17), (30, 41), (41, 30), (29, 40), (12, 90), (64, 64), (63, 65)]
"""Heights and widths: even and odd, tall and wide, and the smallest that P-Net takes."""


@pytest.fixture(scope="module")
def masked(settings: Settings) -> MaskedNet:
    graph = read_graph(PNET_BATCH, "onnxruntime", models_dir=None, cache_dir=settings.cache_dir)
    return open_masked_net(graph, engine="onnxruntime", threads=1)


@pytest.fixture(scope="module")
def alone(settings: Settings) -> Net:
    """P-Net in the plain form, as the graph of batches is."""
    graph = read_graph(PNET, "openvino", models_dir=None, cache_dir=settings.cache_dir)
    return open_net(graph, engine="onnxruntime", threads=1)


@pytest.fixture(scope="module")
def many(settings: Settings) -> BatchCascade:
    return open_batch_cascade(settings)


def noise(height: int, width: int) -> FloatArray:
    rng = np.random.default_rng([height, width])
    return rng.uniform(0, 255, (1, 3, height, width)).astype(np.float32)


# P-Net ---------------------------------------------------------------------------------------


def test_a_padded_picture_has_the_numbers_that_it_has_alone(masked: MaskedNet, alone: Net) -> None:
    pictures = [noise(*size) for size in SIZES]
    found = run_on_pictures(masked, pictures, most_pixels=10**9)
    for picture, maps in zip(pictures, found, strict=True):
        np.testing.assert_array_equal(maps, alone(picture))


def test_without_the_limits_the_last_row_and_column_are_wrong(
    masked: MaskedNet, alone: Net
) -> None:
    pixels, rows, columns = pad_together([noise(13, 21), noise(40, 40)])
    expected = alone(noise(13, 21))
    inside = np.float32(INSIDE)
    maps = masked(pixels, np.full_like(rows, inside), np.full_like(columns, inside))
    wrong = maps[:1, :, : expected.shape[2], : expected.shape[3]] != expected
    assert wrong[..., -1].all()
    assert not wrong[..., :-1, :-1].any()


def test_nothing_that_comes_of_the_padding_is_huge(masked: MaskedNet) -> None:
    maps = masked(*pad_together([noise(12, 12), noise(60, 60)]))
    assert np.abs(maps).max() < 1e4


def test_the_limits_end_where_the_first_layer_would_see_the_padding() -> None:
    pixels, rows, columns = pad_together([np.ones((1, 3, 12, 14), np.float32), noise(13, 12)])
    assert pixels.shape == (2, 3, 13, 14)
    assert pixels[0, :, :12].min() == 1
    assert not pixels[0, :, 12:].any()
    assert rows.shape == (2, 1, 11, 1)
    assert columns.shape == (2, 1, 1, 12)
    assert np.count_nonzero(rows[0] == np.float32(INSIDE)) == 10
    assert np.count_nonzero(rows[0] == np.float32(OUTSIDE)) == 1
    assert (rows[1] == np.float32(INSIDE)).all()
    assert (columns[0] == np.float32(INSIDE)).all()
    assert np.count_nonzero(columns[1] == np.float32(INSIDE)) == 10


def test_pictures_go_together_while_they_are_few_and_alike() -> None:
    shapes: list[tuple[int, ...]] = []

    def net(pixels: FloatArray, rows: FloatArray, columns: FloatArray, /) -> FloatArray:
        shapes.append(pixels.shape)
        return np.zeros((len(pixels), 5, 100, 100), np.float32)

    run_on_pictures(net, [noise(20, 20)] * 5, most_pixels=1200)
    assert shapes == [(3, 3, 20, 20), (2, 3, 20, 20)]
    shapes.clear()
    run_on_pictures(net, [noise(20, 20), noise(90, 80), noise(20, 20)], most_pixels=10**9)
    assert shapes == [(2, 3, 20, 20), (1, 3, 90, 80)]
    shapes.clear()
    run_on_pictures(net, [noise(90, 80)], most_pixels=100)
    assert shapes == [(1, 3, 90, 80)]


# crops ---------------------------------------------------------------------------------------


def test_crops_of_several_pictures_share_calls() -> None:
    calls: list[int] = []

    def net(pixels: FloatArray, /) -> FloatArray:
        calls.append(len(pixels))
        return pixels + 1

    crops = [np.full((n, 3, 2, 2), n, np.float32) for n in (2, 5, 1)]
    answers = run_on_crops(net, crops, at_most=3)
    assert calls == [3, 3, 2]
    for n, answer in zip((2, 5, 1), answers, strict=True):
        np.testing.assert_array_equal(answer, np.full((n, 3, 2, 2), n + 1, np.float32))


# the cascade ---------------------------------------------------------------------------------


def assert_same(found: Faces, expected: Faces) -> None:
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.boxes_xyxy, expected.boxes_xyxy, atol=1e-3, rtol=0)
    np.testing.assert_allclose(found.points_xy, expected.points_xy, atol=1e-3, rtol=0)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5, rtol=0)


def compare(
    many: BatchCascade, cascade: Cascade, pictures: Sequence[ByteArray], search: Search
) -> int:
    """How many faces there are, which must be the same both ways."""
    found = many.find_faces_in_batch(pictures, search)
    for faces, picture in zip(found, pictures, strict=True):
        assert_same(faces, cascade.find(picture, search))
    return sum(map(len, found))


@pytest.fixture(scope="module")
def pictures(astronaut: ByteArray) -> list[ByteArray]:
    """Her at many sizes, twice, on her side; a wall; pictures too small for a face."""
    photo = Image.fromarray(astronaut)
    sizes = [
        (512, 512),
        (301, 300),
        (300, 301),
        (97, 160),
        (160, 97),
        (64, 64),
        (40, 40),
        (222, 90),
    ]
    found = [np.asarray(photo.resize(size)) for size in sizes]
    found += [np.hstack(found[1:2] * 2), np.rot90(found[1]).copy()]
    found += [np.full((90, 120, 3), 140, np.uint8), np.zeros((11, 200, 3), np.uint8)]
    return [*found, np.zeros((20, 20, 3), np.uint8)]


@pytest.mark.parametrize("search", ["all", "largest"])
def test_the_faces_are_those_of_each_picture_alone(
    many: BatchCascade, cascade: Cascade, pictures: list[ByteArray], search: Search
) -> None:
    assert compare(many, cascade, pictures, search) >= 7


def test_openvino_finds_the_same(openvino_settings: Settings, pictures: list[ByteArray]) -> None:
    many = open_batch_cascade(openvino_settings)
    assert compare(many, open_cascade(openvino_settings), pictures, "largest") >= 7


@pytest.mark.parametrize("search", ["all", "largest"])
def test_on_faces_of_lfw(
    many: BatchCascade, cascade: Cascade, shared_lfw: Path, search: Search
) -> None:
    files = sorted((shared_lfw / "images").rglob("*.jpg"))[::200]
    rng = np.random.default_rng(4)
    some = []
    for file in files:
        size = tuple(int(side) for side in rng.integers(80, 400, 2))
        some += [read_image(file), np.asarray(Image.fromarray(read_image(file)).resize(size))]
    assert compare(many, cascade, some, search) >= len(files)


def test_on_the_photos_of_the_article(
    many: BatchCascade, cascade: Cascade, shared_photos: Path
) -> None:
    some = [read_image(file) for file in sorted(shared_photos.rglob("*.jpg"))]
    assert compare(many, cascade, some, "largest") >= len(some)


def test_no_picture_and_one_picture(
    many: BatchCascade, cascade: Cascade, astronaut: ByteArray
) -> None:
    assert many.find_faces_in_batch([]) == []
    assert compare(many, cascade, [astronaut], "all") == 1


def test_an_unknown_search_is_refused(many: BatchCascade, astronaut: ByteArray) -> None:
    with pytest.raises(ValueError, match="unknown search 'fast'"):
        many.find_faces_in_batch([astronaut], "fast")  # type: ignore[arg-type]


def test_a_picture_that_fails_fails_the_call_only_after_the_others_are_done(
    many: BatchCascade, astronaut: ByteArray
) -> None:
    with pytest.raises((ValueError, IndexError, TypeError)):
        many.find_faces_in_batch([astronaut, np.zeros((40, 40), np.uint8)])
    assert len(many.find_faces_in_batch([astronaut])[0]) == 1


# groups --------------------------------------------------------------------------------------


def test_large_pictures_go_through_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "PIXELS_IN_PROGRESS", 1000)
    pictures = [np.zeros((10, n, 3), np.uint8) for n in (40, 60, 1, 500, 100)]
    sizes = [[one.shape[1] for one in group] for group in groups_of(pictures)]
    assert sizes == [[40, 60], [1], [500], [100]]
    assert list(groups_of([])) == []
