"""Give arbitrary bytes to the reader of frozen TensorFlow graphs. See README.md."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tests' helpers

with atheris.instrument_imports(include=["mien"]):
    import numpy as np
    from tests.models.test_tensorflow_graph import GRAPH, floats, node, tensor

    from mien.models.tensorflow_graph import MalformedGraph, read_constants

SEEDS = (
    GRAPH,
    node(b"scalar", tensor(content=floats(3))),
    node(b"filled", tensor(900, 900, content=floats(7))),
    node(b"other", tensor(1, content=b"\1\0\0\0", kind=3)),
)


def one_input(data: bytes) -> None:
    try:
        constants = read_constants(data)
    except MalformedGraph as refused:
        assert str(refused).isprintable()  # noqa: PT017
    else:
        assert all(array.dtype == np.float32 for array in constants.values())


if __name__ == "__main__":
    corpus = Path(tempfile.mkdtemp(prefix="mien-fuzz-graphs-"))
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed{number}").write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], one_input)
    atheris.Fuzz()
