"""From a row of the model table to a graph's bytes: built once, checked every time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mien.errors import ModelAltered
from mien.files import write_whole
from mien.models.table import ModelRow
from mien.models.weights import read_weights


def read_graph(row: ModelRow, engine: str, *, models_dir: Path | None, cache_dir: Path) -> bytes:
    """The ONNX graph of this row in the engine's dialect.

    From the cache when the cached file has the hash that the table names; else
    built from the published weights and put into the cache. A cache that cannot be
    read or written costs time at every start, and nothing else; `mien doctor`
    reports it. Raises ModelMissing or ModelAltered.
    """
    path = cached_graph_path(row, engine, cache_dir)
    cached = _cached(path)
    expected = row.graph_sha256[engine]
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
    """Where the built graph is cached; the name carries the hash, so a new one gets a new file."""
    return cache_dir / "graphs" / f"{row.name}-{engine}-{row.graph_sha256[engine][:16]}.onnx"


def build_graph(row: ModelRow, engine: str, weights: bytes) -> bytes:
    """Write the graph from published weights whose hash was checked. Takes up to two seconds."""
    from mien.models.build.blocked_writer import BlockedWriter
    from mien.models.build.graph_writer import GraphWriter
    from mien.models.build.mtcnn import build_onet, build_pnet, build_rnet
    from mien.models.build.sface import build_sface

    builders: dict[str, Callable[[bytes, GraphWriter], bytes]] = {
        "pnet": build_pnet,
        "rnet": build_rnet,
        "onet": build_onet,
        "sface": build_sface,
    }
    writer = BlockedWriter() if engine == "onnxruntime" else GraphWriter()
    return builders[row.builder](weights, writer)


def _cached(path: Path) -> bytes:
    """What the cache holds there; empty if nothing can be had. Never waits on a pipe."""
    try:
        return path.read_bytes() if os.path.isfile(path) else b""
    except OSError:
        return b""
