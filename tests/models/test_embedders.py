"""What every embedder must do, run on each that can be had, on each engine.

Of InceptionResnetV1 only the row `facenet-vggface2` needs weights that no package has.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.app.pipeline import Pipeline, open_pipeline
from mien.errors import ModelAltered, ModelMismatch
from mien.models import EMBEDDERS, find_weights
from mien.models.added import added_graph_path, read_record
from mien.results import Crop
from mien.settings import ENGINES, Settings

STORES = {
    "sface": "settings",
    "facenet-casia-webface": "real_webface",
    "facenet-vggface2": "real_vggface2",
}
"""Which fixture of conftest has the embedder ready."""


@pytest.fixture(scope="module", params=STORES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def ready(request: pytest.FixtureRequest, name: str) -> Settings:
    """Settings with which this embedder opens, on ONNX Runtime."""
    made: Settings = request.getfixturevalue(STORES[name])
    return made


@pytest.fixture(scope="module", params=ENGINES)
def pipeline_here(request: pytest.FixtureRequest, name: str, ready: Settings) -> Pipeline:
    pytest.importorskip(request.param, reason=f"needs {request.param}")
    return open_pipeline(replace(ready, engine=request.param), name)


def crops_for(name: str, n: int) -> list[Crop]:
    """Patches as large as eyes and noses, of any colour."""
    row = EMBEDDERS[name]
    rng = np.random.default_rng(7)
    patch = row.side // 8
    small = rng.integers(0, 256, (n, 8, 8, 3), np.uint8)
    large = np.repeat(np.repeat(small, patch, axis=1), patch, axis=2)
    return [Crop(pixels, row.recipe) for pixels in large]


def test_every_embedder_of_the_table_is_in_this_suite() -> None:
    assert set(STORES) == set(EMBEDDERS)


def test_rows_have_length_one_and_the_size_of_the_table(pipeline_here: Pipeline, name: str) -> None:
    vectors = pipeline_here.embed(crops_for(name, 3))
    assert vectors.shape == (3, EMBEDDERS[name].dims)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_a_batch_gives_the_same_as_single_crops(pipeline_here: Pipeline, name: str) -> None:
    crops = crops_for(name, 5)
    alone = np.concatenate([pipeline_here.embed([crop]) for crop in crops])
    np.testing.assert_allclose(pipeline_here.embed(crops), alone, atol=1e-5)


def test_the_same_crop_gives_the_same_numbers(pipeline_here: Pipeline, name: str) -> None:
    crops = crops_for(name, 2)
    np.testing.assert_array_equal(pipeline_here.embed(crops), pipeline_here.embed(crops))


def test_different_crops_give_different_directions(pipeline_here: Pipeline, name: str) -> None:
    one, other = pipeline_here.embed(crops_for(name, 2))
    assert float(one @ other) < 0.9999


def test_no_crops_give_no_rows(pipeline_here: Pipeline, name: str) -> None:
    assert pipeline_here.embed([]).shape == (0, EMBEDDERS[name].dims)


def test_a_crop_of_another_size_or_recipe_is_refused(pipeline_here: Pipeline, name: str) -> None:
    row = EMBEDDERS[name]
    for side, recipe in ((row.side + 8, row.recipe), (row.side, "margin90+9")):
        with pytest.raises(ModelMismatch, match=f"{name} needs crops"):
            pipeline_here.embed([Crop(np.zeros((side, side, 3), np.uint8), recipe)])


def test_vectors_and_threshold_carry_the_model(pipeline_here: Pipeline, name: str) -> None:
    assert pipeline_here.model.name == pipeline_here.matcher.threshold_for(photos=1).model == name
    assert len(pipeline_here.model.sha256) == 64


@pytest.fixture
def altered(name: str, ready: Settings, tmp_path: Path) -> Iterator[Settings]:
    """The same settings, but for one byte in the file that the embedder is opened from."""
    row = EMBEDDERS[name].model
    if row.is_added:
        shutil.copytree(ready.data_dir, tmp_path, dirs_exist_ok=True)
        file = added_graph_path(read_record(row, tmp_path).graph_sha256["onnxruntime"], tmp_path)
        made = replace(ready, data_dir=tmp_path)
    else:
        source = find_weights(row, ready.models_dir)
        assert source is not None
        file = tmp_path / row.file_name
        shutil.copy(source, file)
        made = replace(ready, models_dir=tmp_path, cache_dir=tmp_path / "cache")
    with open(file, "r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        byte = opened.read(1)
        opened.seek(-1, 1)
        opened.write(bytes([byte[0] ^ 1]))
    yield made
    file.unlink()  # 94 MB


def test_one_altered_byte_in_the_file_is_refused_by_name(altered: Settings, name: str) -> None:
    pipeline = open_pipeline(altered, name)
    with pytest.raises(ModelAltered, match=name):
        pipeline.embed(crops_for(name, 1))
