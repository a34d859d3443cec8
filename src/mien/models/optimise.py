"""Optimise the graphs of some rows for this machine, and keep the results.

    python -m mien.models.optimise NAME...    the folders as JSON on standard input

`mien.models.optimised` starts this process. It says nothing: what it could not make is missing.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mien.errors import ModelAltered
from mien.models.engine import open_net, open_optimised_net, write_optimised
from mien.models.graph_cache import read_graph
from mien.models.optimised import OptimisedStore
from mien.models.optimised_file import pack_optimised, unpack_optimised
from mien.models.table import MODEL_ROWS, ModelRow
from mien.results import FloatArray

SIDES = {"pnet": 48, "rnet": 24, "onet": 48, "sface": 112}
"""By builder: the side of the pictures on which both graphs are compared, pixels."""


def optimise_row(row: ModelRow, store: OptimisedStore) -> None:
    """Keep the optimised graph of this row, or a record that none can be made.

    Raises what `read_graph` raises, and OSError; whatever else happens, the record that it was
    tried has been written before. Only that a disk became full meanwhile leaves no record, since it
    says nothing of the graph: `OptimisedStore.prepare` tries again once there is room.
    """
    graph = read_graph(row, "onnxruntime", models_dir=store.models_dir, cache_dir=store.cache_dir)
    store.keep(row, b"")
    try:
        store.keep(row, _optimise(graph, _trial_pixels(SIDES[row.builder])))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            store.forget(row)
        raise


def _optimise(graph: bytes, pixels: FloatArray) -> bytes:
    """The content of the file; empty if a net from it gives other outputs, or none."""
    published = open_net(graph, engine="onnxruntime", threads=1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "graph.onnx"
        try:
            write_optimised(graph, path)
            content = pack_optimised(path)
            packed = unpack_optimised(content)
            optimised = open_optimised_net(packed.graph, packed.weights, threads=1)
            same = np.array_equal(optimised(pixels), published(pixels))
        except ModelAltered:
            return b""
    return content if same else b""


def _trial_pixels(side: int) -> FloatArray:
    """(2, 3, side, side) float32, 0..255."""
    n, c, y, x = np.mgrid[0:2, 0:3, 0:side, 0:side]
    pixels: FloatArray = ((7 * y + 13 * x + 29 * c + 101 * n * y) % 256).astype(np.float32)
    return pixels


def main(names: Sequence[str], places: dict[str, str | None]) -> None:
    """Optimise the rows of these names. Raises what `optimise_row` raises."""
    folders = {name: None if value is None else Path(value) for name, value in places.items()}
    store = OptimisedStore(**folders)  # type: ignore[arg-type]
    for name in names:
        optimise_row(MODEL_ROWS[name], store)


if __name__ == "__main__":
    main(sys.argv[1:], json.load(sys.stdin))
