"""Read the operators and constants of a TensorFlow Lite file, without TensorFlow.

The file is a FlatBuffer: https://flatbuffers.dev/internals/ describes tables and vectors, and
tensorflow/lite/schema/schema.fbs numbers the fields. Only float32 and int32 constants are read.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import ModelAltered

IDENTIFIER = b"TFL3"
DTYPES = {0: np.dtype("<f4"), 2: np.dtype("<i4")}  # TensorType FLOAT32 and INT32
KINDS = {0: "ADD", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 17: "MAX_POOL_2D", 34: "PAD", 54: "PRELU"}
"""BuiltinOperator, as far as the face mesh uses it."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. inputs, outputs: numbers of tensors.

    options: the fields of its table of options by number; a field that is not there is 0.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class TfliteGraph:
    """The only subgraph of a file. shapes, constants: by the number of the tensor."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]
    shapes: tuple[tuple[int, ...], ...]
    constants: Mapping[int, npt.NDArray[Any]] = field(repr=False)


def read_tflite(content: bytes) -> TfliteGraph:
    """The graph of a `.tflite` file. ModelAltered if it is not one, or has other operators."""
    try:
        if content[4:8] != IDENTIFIER:
            raise ValueError("it begins with other letters")
        return _read_graph(_Table(content, struct.unpack_from("<I", content)[0]))
    except (struct.error, ValueError, KeyError, IndexError) as error:
        raise ModelAltered(
            f"the file is not a TensorFlow Lite file that can be read ({error}); download it again"
        ) from error


def _read_graph(model: _Table) -> TfliteGraph:
    kinds = [KINDS[code.byte(0) or code.int32(3)] for code in model.tables(1)]
    (graph,) = model.tables(2)
    buffers = model.tables(4)
    tensors = graph.tables(0)
    constants = {
        number: values
        for number, tensor in enumerate(tensors)
        if (values := _constant(tensor, buffers)) is not None
    }
    operators = tuple(
        Operator(kinds[table.int32(0)], table.int32s(1), table.int32s(2), _options(table))
        for table in graph.tables(3)
    )
    shapes = tuple(tensor.int32s(0) for tensor in tensors)
    return TfliteGraph(graph.int32s(1), graph.int32s(2), operators, shapes, constants)


def _constant(tensor: _Table, buffers: list[_Table]) -> npt.NDArray[Any] | None:
    """The values of a tensor that has some in the file."""
    content = buffers[tensor.int32(2)].bytes(0)
    if not content:
        return None
    return np.frombuffer(content, DTYPES[tensor.byte(1)]).reshape(tensor.int32s(0))


def _options(operator: _Table) -> dict[int, int]:
    """The first byte of each field of an operator's options; no number here is above 255."""
    table = operator.table(4)
    return {} if table is None else {n: table.byte(n) for n in range(8)}


class _Table:
    """A table of a FlatBuffer; a field that is not there reads as 0 or as empty."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self._at = at
        self._fields = at - self._read("<i", at)
        self._size = self._read("<H", self._fields)

    def byte(self, number: int) -> int:
        at = self._place(number)
        return self._content[at] if at else 0

    def int32(self, number: int) -> int:
        at = self._place(number)
        return self._read("<i", at) if at else 0

    def int32s(self, number: int) -> tuple[int, ...]:
        start, count = self._vector(number)
        return struct.unpack_from(f"<{count}i", self._content, start)

    def bytes(self, number: int) -> bytes:
        start, count = self._vector(number)
        if start + count > len(self._content):
            raise ValueError("it is cut short")
        return self._content[start : start + count]

    def table(self, number: int) -> _Table | None:
        at = self._place(number)
        return _Table(self._content, at + self._read("<I", at)) if at else None

    def tables(self, number: int) -> list[_Table]:
        start, count = self._vector(number)
        places = range(start, start + 4 * count, 4)
        return [_Table(self._content, at + self._read("<I", at)) for at in places]

    def _vector(self, number: int) -> tuple[int, int]:
        """Where the elements start, and how many there are."""
        at = self._place(number)
        if not at:
            return 0, 0
        start = at + self._read("<I", at)
        return start + 4, self._read("<I", start)

    def _place(self, number: int) -> int:
        """Where a field is; 0 if it is not there."""
        slot = 4 + 2 * number
        offset = self._read("<H", self._fields + slot) if slot < self._size else 0
        return self._at + offset if offset else 0

    def _read(self, kind: str, at: int) -> int:
        if at < 0:
            raise ValueError("it points before its start")
        return int(struct.unpack_from(kind, self._content, at)[0])
