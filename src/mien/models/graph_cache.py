"""Build the ONNX graph of a model once, cache it, and check its hash at every use."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mien.errors import ModelAltered
from mien.files import write_whole
from mien.models.table import PNET_BATCH, ModelRow
from mien.models.weights import read_weights
from mien.settings import GPU_ENGINES


def read_graph(row: ModelRow, engine: str, *, models_dir: Path | None, cache_dir: Path) -> bytes:
    """The ONNX graph of this row, written for this engine.

    Read from the cache if the cached file has the hash in the table; otherwise built
    from the published weights and cached. A cache that cannot be read or written only
    costs time at every start, and `mien doctor` reports it. Raises ModelMissing if the
    weights are missing, ModelAltered if they or the built graph have another hash.
    """
    path = cached_graph_path(row, engine, cache_dir)
    cached = _read_cached(path)
    expected = _pinned_hash(row, engine)
    if hashlib.sha256(cached).hexdigest() == expected:
        return cached
    graph = build_graph(row, engine, read_weights(row, models_dir))
    found = hashlib.sha256(graph).hexdigest()
    if found != expected:
        raise ModelAltered(
            f"the graph built from {row.name} hashes to {found[:12]}..., expected "
            f"{expected[:12]}...; reinstall mien and onnx, then run: mien doctor"
        )
    with suppress(OSError):
        write_whole(path, graph)
    return graph


def cached_graph_path(row: ModelRow, engine: str, cache_dir: Path) -> Path:
    """Where the built graph is cached, under a name that contains its hash."""
    form = GPU_ENGINES.get(engine, engine)
    return cache_dir / "graphs" / f"{row.name}-{form}-{_pinned_hash(row, engine)[:16]}.onnx"


def build_graph(row: ModelRow, engine: str, weights: bytes) -> bytes:
    """Build the graph from weights whose hash was checked. Takes up to two seconds."""
    from mien.models.build.blocked_writer import BlockedWriter
    from mien.models.build.graph_writer import GraphWriter
    from mien.models.build.mtcnn import build_onet, build_pnet, build_pnet_batch, build_rnet
    from mien.models.build.sface import build_sface

    builders: dict[str, Callable[[bytes, GraphWriter], bytes]] = {
        "pnet": build_pnet,
        "pnet-batch": build_pnet_batch,
        "rnet": build_rnet,
        "onet": build_onet,
        "sface": build_sface,
    }
    is_blocked = engine == "onnxruntime" and row is not PNET_BATCH  # its mask breaks the layout
    writer = BlockedWriter() if is_blocked else GraphWriter()
    return builders[row.builder](weights, writer)


def _pinned_hash(row: ModelRow, engine: str) -> str:
    found = row.graph_hash(engine)
    assert found is not None  # a row that pip installs has a graph for every engine
    return found


def _read_cached(path: Path) -> bytes:
    """The bytes of the cached file; empty if it cannot be read. Never waits for a pipe."""
    try:
        return path.read_bytes() if os.path.isfile(path) else b""
    except OSError:
        return b""
