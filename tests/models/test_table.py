"""The model table is complete, and the weights on this machine are the ones it names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest

from mien.models import DETECTOR_ROWS, EMBEDDERS, MODEL_ROWS, ModelRow, read_weights
from mien.settings import ENGINES, GPU_ENGINES, Settings

ROWS = [pytest.param(row, id=name) for name, row in MODEL_ROWS.items()]


def test_the_table_lists_detector_and_embedders_under_their_own_names() -> None:
    assert set(MODEL_ROWS) == {"mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "sface"}
    assert all(row.name == name for name, row in MODEL_ROWS.items())
    assert all(MODEL_ROWS[row.name] is row for row in DETECTOR_ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_purpose_source_and_licence(row: ModelRow) -> None:
    assert row.purpose
    assert row.licence in ("MIT", "Apache-2.0")
    assert row.package_path.endswith(row.file_name)
    assert re.fullmatch("[0-9a-f]{64}", row.sha256)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_one_graph_hash_for_each_engine(row: ModelRow) -> None:
    assert set(row.graph_sha256) == set(ENGINES)
    assert all(re.fullmatch("[0-9a-f]{64}", hashed) for hashed in row.graph_sha256.values())


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("engine", GPU_ENGINES)
def test_a_gpu_runs_the_plain_form_of_the_graph(row: ModelRow, engine: str) -> None:
    assert row.graph_hash(engine) == row.graph_sha256["openvino"]
    assert row.graph_hash("onnxruntime") == row.graph_sha256["onnxruntime"]


@pytest.mark.parametrize("engine", GPU_ENGINES)
def test_a_gpu_runs_an_added_embedder_whatever_engine_it_was_tried_on(engine: str) -> None:
    row = EMBEDDERS["facenet-vggface2"].model
    assert row.graph_hash(engine) is None
    assert replace(row, graph_sha256={"onnxruntime": "a"}).graph_hash(engine) == "a"
    both = replace(row, graph_sha256={"onnxruntime": "a", "openvino": "b"})
    assert both.graph_hash(engine) == "b"


def test_no_two_files_share_a_hash() -> None:
    hashes = [row.sha256 for row in MODEL_ROWS.values()]
    hashes += [hashed for row in MODEL_ROWS.values() for hashed in row.graph_sha256.values()]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("name", EMBEDDERS)
def test_an_embedder_has_its_own_threshold(name: str) -> None:
    row = EMBEDDERS[name]
    assert row.threshold.model == row.id.name == name
    assert row.id.sha256 == row.model.sha256
    assert row.threshold.provenance
    assert row.side > 0
    assert row.dims > 0


@pytest.mark.parametrize("row", ROWS)
def test_the_installed_weights_are_the_published_ones(row: ModelRow, settings: Settings) -> None:
    weights = read_weights(row, settings.models_dir)
    assert hashlib.sha256(weights).hexdigest() == row.sha256
