"""The constants of a frozen TensorFlow graph are read by bounded code of our own."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.models.tensorflow_graph import (
    MAX_DIMENSIONS,
    MAX_NAME_BYTES,
    MAX_NODES,
    MalformedGraph,
    read_constants,
)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def shape(*sizes: int) -> bytes:
    return block(2, b"".join(block(2, number(1, size)) for size in sizes))


def tensor(*sizes: int, content: bytes = b"", kind: int = 1, rest: bytes = b"") -> bytes:
    return number(1, kind) + shape(*sizes) + (block(4, content) if content else b"") + rest


def node(name: bytes, value: bytes, operation: bytes = b"Const", key: bytes = b"value") -> bytes:
    entry = block(1, key) + block(2, block(8, value))
    return block(1, block(1, name) + block(2, operation) + block(5, entry))


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


GRAPH = node(b"scope/weights", tensor(2, 3, content=floats(1, 2, 3, 4, 5, 6))) + node(
    b"offset", tensor(2, content=floats(-1, 0.5))
)


def test_names_shapes_and_numbers_are_read() -> None:
    constants = read_constants(GRAPH)
    assert list(constants) == ["scope/weights", "offset"]
    np.testing.assert_array_equal(constants["scope/weights"], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(constants["offset"], [-1, 0.5])
    assert constants["offset"].dtype == np.float32


def test_an_empty_graph_has_no_constants() -> None:
    assert read_constants(b"") == {}


def test_numbers_may_be_listed_one_by_one_or_packed() -> None:
    packed = tensor(2, rest=block(5, floats(1, 2)))
    alone = tensor(2, rest=b"".join(varint(5 << 3 | 5) + floats(value) for value in (1, 2)))
    for value in (packed, alone):
        np.testing.assert_array_equal(read_constants(node(b"a", value))["a"], [1, 2])


def test_one_number_fills_a_whole_tensor_without_memory() -> None:
    array = read_constants(node(b"a", tensor(9000, 9000, rest=block(5, floats(7)))))["a"]
    assert array.shape == (9000, 9000)
    assert array.strides == (0, 0)
    assert array[-1, -1] == 7


def test_a_scalar_has_no_dimensions() -> None:
    assert read_constants(node(b"a", tensor(content=floats(3))))["a"] == 3.0


@pytest.mark.parametrize(
    "other",
    [
        node(b"a", tensor(1, content=floats(1)), operation=b"Conv2D"),
        node(b"a", tensor(1, content=floats(1)), key=b"dtype"),
        node(b"a", tensor(1, content=b"\1\0\0\0", kind=3)),
        block(2, b"\xff\xff\xff"),  # the library, which is not decoded
        number(3, 21),
        varint(9 << 3 | 1) + bytes(8),
    ],
    ids=["operation", "attribute", "int32", "library", "version", "fixed64"],
)
def test_other_nodes_are_skipped(other: bytes) -> None:
    assert list(read_constants(other + GRAPH)) == ["scope/weights", "offset"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (GRAPH[:-1], "cut short"),
        (b"\x0a", "cut short"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "cut short"),
        (b"\x80" * 11, "cut short"),
        (varint(1 << 3 | 3), "field of type 3"),
        (varint(1 << 3 | 7), "field of type 7"),
        (node(b"a", tensor(3, content=floats(1, 2))), r"2 numbers for shape \(3,\)"),
        (node(b"a", tensor(2, content=floats(1, 2)[:-1])), "ends inside a number"),
        (node(b"a", tensor(2)), r"0 numbers for shape \(2,\)"),
        (node(b"a", tensor(2**60, 2**60, content=floats(1))), "1 numbers for shape"),
        (node(b"a", tensor(*[1] * (MAX_DIMENSIONS + 1), content=floats(1))), "more than 6"),
        (node(b"a" * (MAX_NAME_BYTES + 1), b""), "a name of 201 bytes"),
        (node(b"\xff", b""), "not ASCII"),
        (node(b"a", tensor(content=floats(1))) * 2, "two constants 'a'"),
        (block(1, b"") * (MAX_NODES + 1), "more than 10,000 nodes"),
    ],
)
def test_a_malformed_graph_is_refused_in_one_line(content: bytes, why: str) -> None:
    with pytest.raises(MalformedGraph, match=why) as caught:
        read_constants(content)
    assert "\n" not in str(caught.value)


@given(content=st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_constants_or_a_refusal(content: bytes) -> None:
    try:
        read_constants(content)
    except MalformedGraph:
        return


@given(at=st.integers(0, len(GRAPH) - 1), byte=st.integers(0, 255))
@settings(max_examples=500, deadline=None)
def test_any_altered_byte_gives_constants_or_a_refusal(at: int, byte: int) -> None:
    altered = bytearray(GRAPH)
    altered[at] = byte
    try:
        read_constants(bytes(altered))
    except MalformedGraph:
        return
