"""Read the constants of a frozen TensorFlow graph without TensorFlow.

A frozen graph is a `GraphDef` in protocol buffer encoding (tensorflow/core/framework:
graph.proto, node_def.proto, attr_value.proto, tensor.proto, tensor_shape.proto). Its
weights are nodes of the operation `Const`. Only those are decoded; everything else is
skipped by its length.

The input is untrusted: each length is checked against the bytes that are there, nesting
is as deep as the six functions below and no deeper, and names, dimensions and the number
of nodes are bounded. Nothing is allocated before its size was found in the input.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from mien.errors import ModelAltered
from mien.results import FloatArray

MAX_NODES: Final = 10_000  # InceptionResnetV1 frozen has 1,400
MAX_NAME_BYTES: Final = 200
MAX_DIMENSIONS: Final = 6
MAX_NUMBERS: Final = 100_000_000  # in one constant
MAX_VARINT_BYTES: Final = 10  # 64 bits, seven in each byte

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types of the encoding; 3 and 4 (groups) are not in these messages."""

FLOAT32 = 1  # DT_FLOAT in tensorflow/core/framework/types.proto

Field = tuple[int, int, int, memoryview]
"""Field number, wire type, the number of a VARINT, and the bytes of any other type."""


class MalformedGraph(ModelAltered):
    """The bytes are not a GraphDef that mien reads."""


def read_constants(content: bytes) -> dict[str, FloatArray]:
    """Node name -> array, of every float32 constant of a frozen graph.

    The arrays have TensorFlow's order: convolution kernels are (height, width, in, out),
    dense weights (in, out). Raises MalformedGraph.
    """
    constants: dict[str, FloatArray] = {}
    nodes = 0
    for number, wire_type, _, payload in _fields(memoryview(content)):
        if (number, wire_type) != (1, BYTES):
            continue
        nodes += 1
        if nodes > MAX_NODES:
            raise MalformedGraph(f"the graph has more than {MAX_NODES:,} nodes; get the file again")
        name, array = _constant(payload)
        if array is None:
            continue
        if name in constants:
            raise MalformedGraph(f"the graph has two constants {name!r}; get the file again")
        constants[name] = array
    return constants


def _constant(node: memoryview) -> tuple[str, FloatArray | None]:
    """Name and value of a NodeDef; None if it is no float32 constant."""
    name, operation, attributes = "", "", []
    for number, wire_type, _, payload in _fields(node):
        if wire_type != BYTES:
            continue
        if number == 1:
            name = _text(payload)
        elif number == 2:
            operation = _text(payload)
        elif number == 5:
            attributes.append(payload)
    if operation != "Const":
        return name, None
    for entry in attributes:
        tensor = _value_tensor(entry)
        if tensor is not None:
            return name, _array(tensor, name)
    return name, None


def _value_tensor(entry: memoryview) -> memoryview | None:
    """The TensorProto of the attribute `value`; None for another attribute."""
    key, value = b"", None
    for number, wire_type, _, payload in _fields(entry):
        if number == 1 and wire_type == BYTES:
            key = bytes(payload[: MAX_NAME_BYTES + 1])
        elif number == 2 and wire_type == BYTES:
            value = payload
    if key != b"value" or value is None:
        return None
    tensors = [
        payload for number, kind, _, payload in _fields(value) if (number, kind) == (8, BYTES)
    ]
    return tensors[-1] if tensors else None


def _array(tensor: memoryview, name: str) -> FloatArray | None:
    """The array of a TensorProto; None if it is not float32."""
    shape: tuple[int, ...] = ()
    kind, content, listed = 0, b"", bytearray()
    for number, wire_type, value, payload in _fields(tensor):
        if (number, wire_type) == (1, VARINT):
            kind = value
        elif (number, wire_type) == (2, BYTES):
            shape = _shape(payload, name)
        elif (number, wire_type) == (4, BYTES):
            content = bytes(payload)
        elif number == 5 and wire_type in (BYTES, FIXED32):
            listed += payload  # one by one, or packed
    if kind != FLOAT32:
        return None
    stored = content or bytes(listed)
    if len(stored) % 4:
        raise MalformedGraph(f"the constant {name!r} ends inside a number; get the file again")
    values = np.frombuffer(stored, "<f4").astype(np.float32)
    size = math.prod(shape)
    if size > MAX_NUMBERS or len(values) not in (1, size):
        raise MalformedGraph(
            f"the constant {name!r} has {len(values):,} numbers for shape {shape}; "
            "get the file again"
        )
    if len(values) == 1:
        return np.broadcast_to(values[0], shape)  # stands for a whole tensor, and takes no memory
    return values.reshape(shape)


def _shape(message: memoryview, name: str) -> tuple[int, ...]:
    """The sizes of a TensorShapeProto."""
    sizes: list[int] = []
    for number, wire_type, _, dimension in _fields(message):
        if (number, wire_type) != (2, BYTES):
            continue
        found = [
            value for field, kind, value, _ in _fields(dimension) if (field, kind) == (1, VARINT)
        ]
        sizes.append(found[-1] if found else 0)
        if len(sizes) > MAX_DIMENSIONS:
            raise MalformedGraph(
                f"the constant {name!r} has more than {MAX_DIMENSIONS} dimensions; "
                "get the file again"
            )
    return tuple(sizes)


def _text(payload: memoryview) -> str:
    if len(payload) > MAX_NAME_BYTES:
        raise MalformedGraph(
            f"the graph has a name of {len(payload):,} bytes, at most {MAX_NAME_BYTES} are read; "
            "get the file again"
        )
    try:
        return bytes(payload).decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedGraph(
            "the graph has a name that is not ASCII; get the file again"
        ) from error


def _fields(message: memoryview) -> Iterator[Field]:
    """The fields of one message, in their order. MalformedGraph where it is cut or unknown."""
    at, end, none = 0, len(message), message[:0]
    while at < end:
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            value, at = _varint(message, at)
            yield number, wire_type, value, none
            continue
        if wire_type == BYTES:
            length, at = _varint(message, at)
        elif wire_type in (FIXED32, FIXED64):
            length = 4 if wire_type == FIXED32 else 8
        else:
            raise MalformedGraph(f"the graph has a field of type {wire_type}; get the file again")
        if length > end - at:
            raise MalformedGraph("the graph is cut short; get the file again")
        yield number, wire_type, 0, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of up to 64 bits at a place, and the place behind it."""
    value = 0
    for shift, byte in enumerate(message[at : at + MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    raise MalformedGraph("the graph is cut short; get the file again")
