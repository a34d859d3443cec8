"""Test an ONNX embedder in a separate process, with limits on memory and processor time.

    python -m mien.models.onnx_trial FILE GRAPH    options as JSON on standard input

Writes the prepared graph to GRAPH and prints what was found as one JSON object: the
length of an embedding, and for each installed engine that runs it how far a batch is from
single crops; or the reason for a refusal.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import MienError, ModelAltered, UsageError
from mien.models.engine import open_net
from mien.models.onnx_checks import InputRecipe, prepare_graph
from mien.results import FloatArray
from mien.settings import ENGINES
from mien.vectors import unit_rows

MAX_MEMORY_BYTES = 8 << 30  # of address space, of which engines reserve much more than they use
MAX_CPU_S = 240
MAX_FILE_BYTES = 1 << 30
MAX_DIMS = 4096
AGREEMENT = 1e-4  # between a batch and single crops, in any number of a unit embedding
SAME = 0.9999  # cosine above which two unlike crops have one embedding


def limit_resources() -> None:
    """Bound what this process may use; the kernel ends it beyond that. Raises UsageError."""
    try:
        import resource
    except ImportError as error:
        raise UsageError(
            "this system cannot bound what an unknown model uses; add it on Linux or macOS"
        ) from error

    for what, most in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_S),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def try_embedder(graph: bytes, side: int, engine: str) -> tuple[int, float]:
    """Length of an embedding, and the largest difference between a batch and single crops.

    ModelAltered if the outputs are not embeddings: of another shape, not finite, not the
    same for the same crops, or the same for unlike crops.
    """
    net = open_net(graph, engine=engine, threads=1)
    crops = trial_crops(side)
    given = _run(net, crops)
    if not np.array_equal(given, _run(net, crops)):
        raise ModelAltered(f"{engine} gives different numbers for the same crops")
    units = unit_rows(given)
    if float((units @ units.T)[np.triu_indices(len(units), 1)].max()) > SAME:
        raise ModelAltered(f"{engine} gives the same embedding for different crops")
    single = unit_rows(np.concatenate([_run(net, crops[at : at + 1]) for at in range(len(crops))]))
    difference = float(np.abs(units - single).max())
    if not difference <= AGREEMENT:  # also refuses NaN
        raise ModelAltered(f"{engine} gives different numbers for a batch and for single crops")
    return int(given.shape[1]), difference


def trial_crops(side: int) -> FloatArray:
    """(3, 3, side, side) float32, 0..255: noise, patches of 8 pixels, and a gradient."""
    rng = np.random.default_rng(20_261_126)
    noise = rng.integers(0, 256, (3, side, side))
    patches = np.kron(rng.integers(0, 256, (3, side // 8, side // 8)), np.ones((8, 8)))
    gradient = np.broadcast_to(np.linspace(0, 255, side), (3, side, side))
    return np.stack([noise, patches, gradient]).astype(np.float32)


def _run(net: Any, crops: FloatArray) -> FloatArray:
    """(n, d) float32; ModelAltered for another shape or numbers that are not finite."""
    try:
        given = np.asarray(net(crops))
    except MienError:
        raise
    except Exception as error:  # the engines' errors have no base in common
        reason = " ".join(str(error).split())[:200]
        raise ModelAltered(f"it does not run on {len(crops)} crops: {reason}") from error
    if given.dtype != np.float32 or given.ndim < 2 or len(given) != len(crops):
        raise ModelAltered(
            f"its output is {given.dtype} of shape {given.shape}, not (n, d) float32"
        )
    rows = given.reshape(len(crops), -1)
    if not 2 <= rows.shape[1] <= MAX_DIMS:
        raise ModelAltered(f"its embeddings have {rows.shape[1]} numbers; 2 to {MAX_DIMS} are read")
    if not np.isfinite(rows).all():
        raise ModelAltered("its output has numbers that are not finite")
    return rows


def main(file: Path, graph_path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Prepare the file, try it on each engine, and write its graph. Gives what is printed."""
    recipe = InputRecipe(**options)
    try:
        graph = prepare_graph(file.read_bytes(), recipe)
        found: dict[str, float] = {}
        refused: dict[str, str] = {}
        dims = 0
        for engine in ENGINES:
            if find_spec(engine) is None:
                continue
            try:
                dims, found[engine] = try_embedder(graph, recipe.side, engine)
            except MienError as error:
                refused[engine] = str(error)[:200]  # the engines name every layer
    except MienError as error:
        return {"error": str(error)}
    if not found:
        return {"error": next(iter(refused.values()), "no inference engine is installed")}
    graph_path.write_bytes(graph)
    return {"dims": dims, "difference": found, "refused": refused}


if __name__ == "__main__":
    limit_resources()
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), json.load(sys.stdin))))
