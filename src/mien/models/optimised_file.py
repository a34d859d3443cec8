"""The file of an optimised graph: the graph without its large weights, and those weights.

    8 bytes     length of the header, little endian
    header      JSON: where the graph is, and name, type, shape and place of each weight
    graph       ONNX, whose large weights are named and have no content
    weights     each at a multiple of 64 bytes

Nothing in a file is looked at before the whole content has the expected SHA-256. What is hashed
is a copy in this process's own memory, and the weights are used where they lie in that copy, so
whoever writes to the file later changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.models.engine import Weights
from mien.records import dataclass, field
from mien.system.open_flags import READ

ALIGNMENT = 64  # bytes, a line of the processor's cache
LARGE = 1024  # bytes of a weight that is not left in the graph
CHUNK = 1 << 20  # bytes that are read, then hashed while they are in the processor's cache
NO_CONTENT = "null"  # the file in /dev that stands for the content of a weight


@dataclass(frozen=True, slots=True, eq=False)
class OptimisedGraph:
    """graph: ONNX, to be loaded without further optimisation. weights: by name."""

    graph: bytes = field(repr=False)
    weights: Weights = field(repr=False)


def pack_optimised(onnx_path: Path) -> bytes:
    """The content of the file for a graph that ONNX Runtime optimised and wrote."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model(onnx_path)
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.nbytes < LARGE:
            continue
        arrays[tensor.name] = array
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        del tensor.external_data[:]
        tensor.external_data.add(key="location", value=NO_CONTENT)
    return _pack(model.SerializeToString(deterministic=True), arrays)


def _pack(graph: bytes, arrays: Weights) -> bytes:
    weights: list[tuple[str, str, tuple[int, ...], int]] = []
    at = 0
    for name, array in arrays.items():
        weights.append((name, array.dtype.str, array.shape, at))
        at = _align(at + array.nbytes)
    header = json.dumps({"graph_bytes": len(graph), "weights": weights}).encode()
    parts = [len(header).to_bytes(8, "little"), header, graph]
    content = bytearray().join(parts)
    start = _align(len(content))
    content.extend(bytes(start + at - len(content)))
    for (_, _, _, offset), array in zip(weights, arrays.values(), strict=True):
        place = start + offset
        content[place : place + array.nbytes] = array.tobytes()
    return bytes(content)


def read_optimised(path: Path, *, size: int, sha256: str) -> OptimisedGraph | None:
    """The graph of a file of `size` bytes with this SHA-256; None if it is not that file.

    Raises OSError if it cannot be read.
    """
    handle = os.open(path, READ)
    try:
        if size == 0 or os.fstat(handle).st_size != size:
            return None
        content = memoryview(mmap.mmap(-1, size))
        digest = hashlib.sha256()
        with os.fdopen(handle, "rb", buffering=0, closefd=False) as file:
            at = 0
            while at < size:
                count = file.readinto(content[at : at + CHUNK])
                if not count:  # it was truncated meanwhile
                    return None
                digest.update(content[at : at + count])
                at += count
    finally:
        os.close(handle)
    return unpack_optimised(content) if digest.hexdigest() == sha256 else None


def unpack_optimised(content: bytes | memoryview) -> OptimisedGraph:
    """The parts of a content whose hash was checked."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(bytes(content[8 : 8 + length]))
    end = 8 + length + header["graph_bytes"]
    graph = bytes(content[8 + length : end])
    weights = {}
    for name, dtype, shape, offset in header["weights"]:
        kind = np.dtype(dtype)
        place = _align(end) + offset
        weights[name] = np.frombuffer(content, kind, count=math.prod(shape), offset=place).reshape(
            shape
        )
    return OptimisedGraph(graph, weights)


def _align(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT
