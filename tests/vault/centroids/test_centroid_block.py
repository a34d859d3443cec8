"""Blocks of centroids: what is changed in them, and what they refuse to read."""

from __future__ import annotations

import numpy as np
import pytest

from mien.results import FloatArray
from mien.vault.centroids.centroid_block import CentroidBlock


def tag(number: int) -> bytes:
    return bytes([number]) * 32


def rows(*numbers: int) -> FloatArray:
    return np.array([[number, -number] for number in numbers], np.float32)


def block(*numbers: int) -> CentroidBlock:
    return CentroidBlock.of(
        {tag(one): row for one, row in zip(numbers, rows(*numbers), strict=True)}
    )


def contents(found: CentroidBlock) -> dict[bytes, list[float]]:
    return {tag: row.tolist() for tag, row in found.items()}


def test_a_row_is_added_replaced_and_removed() -> None:
    found = block(1, 2).with_rows({tag(3): rows(3)[0], tag(1): rows(9)[0]})
    assert contents(found) == {tag(2): [2, -2], tag(3): [3, -3], tag(1): [9, -9]}
    assert contents(found.without(tag(2))) == {tag(3): [3, -3], tag(1): [9, -9]}
    assert found.without(tag(7)) is found
    assert contents(block().with_rows({tag(4): rows(4)[0]})) == {tag(4): [4, -4]}


def test_a_tag_is_found_at_its_own_place_only() -> None:
    first, second = bytes(31) + b"\x01", bytes([1]) + bytes(30) + b"\x02"
    inside = bytes(30) + b"\x01\x01"  # from the last byte but one of the first tag on
    found = CentroidBlock.of(dict.fromkeys((first, second), rows(1)[0]))
    assert found.tags.find(inside) == 1
    assert found.find(inside) == -1
    assert found.find(second) == 1
    assert found.find(tag(9)) == -1


def test_a_block_is_read_as_it_was_packed() -> None:
    packed = block(1, 2, 3).pack()
    assert contents(CentroidBlock.unpack(packed)) == contents(block(1, 2, 3))
    assert CentroidBlock.unpack(packed).pack() == packed


PACKED = block(1).pack()


@pytest.mark.parametrize(
    "packed", [b"", b"mienGAL1", PACKED[:-1], PACKED + b"x", b"M" + PACKED[1:]]
)
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|do not agree"):
        CentroidBlock.unpack(packed)
