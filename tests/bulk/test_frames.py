"""Answers of worker processes: plain data that survives the way, and no hostile bytes."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.bulk.frames import BadFrame, pack, read_frame, unpack, write_frame


def test_plain_data_comes_back_as_it_was() -> None:
    value = [None, True, 3, 0.5, "Zoë", b"\x00\xff", {"a": [b"", "x"]}]
    assert unpack(pack(value)) == value


def test_an_array_keeps_its_kind_and_shape() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = unpack(pack({"vectors": array, "none": np.zeros((0, 4), np.uint8)}))
    np.testing.assert_array_equal(found["vectors"], array)
    assert found["vectors"].dtype == np.float32
    assert found["none"].shape == (0, 4)


def test_numbers_of_numpy_are_numbers() -> None:
    assert unpack(pack([np.float32(0.5), np.int64(7)])) == [0.5, 7]


def test_what_is_no_plain_data_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        pack({1, 2})
    with pytest.raises(TypeError, match="ndarray"):
        pack(np.array([object()]))


def test_frames_follow_one_another_to_the_end() -> None:
    file = io.BytesIO()
    write_frame(file, b"r", b"one")
    write_frame(file, b"d", b"")
    file.seek(0)
    assert [read_frame(file), read_frame(file), read_frame(file)] == [
        (b"r", b"one"),
        (b"d", b""),
        None,
    ]


@pytest.mark.parametrize("cut", [1, 5, 9, 11])
def test_a_frame_that_is_cut_short_is_refused(cut: int) -> None:
    file = io.BytesIO()
    write_frame(file, b"r", b"content")
    with pytest.raises(BadFrame):
        read_frame(io.BytesIO(file.getvalue()[:cut]))


def test_a_frame_that_claims_too_many_bytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadFrame, match="9999999"):
        read_frame(io.BytesIO(b"r" + (99_999_999).to_bytes(8, "big")), at_most=1000)


PART = b'[{"$part": %s}]'


@pytest.mark.parametrize(
    "text",
    [
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        PART % b"[9]",
        PART % b"[-1]",
        PART % b"[true]",
        PART % b"[]",
        PART % b"7",
        PART % b'["4"]',
        PART % b'[4, "|O8", 1]',
        PART % b'[4, "<f4", -1, -1]',
        PART % b'[4, "<f4", 2]',
        PART % b'[4, "<f4", "x"]',
        PART % b'[4, ["<f4"], 1]',
        b"[]",
    ],
)
def test_an_answer_that_pack_does_not_make_is_refused(text: bytes) -> None:
    with pytest.raises(BadFrame):
        unpack(len(text).to_bytes(8, "big") + text + b"1234")


@given(st.binary(max_size=64))
def test_any_bytes_are_an_answer_or_refused(content: bytes) -> None:
    with suppress(BadFrame):
        unpack(content)
