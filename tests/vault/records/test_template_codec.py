"""Templates as bytes: the exact form, and what is refused."""

from __future__ import annotations

import hashlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.errors import ExitCode, ModelMismatch, UsageError, VaultDamaged
from mien.results import FloatArray, ModelId, Template
from mien.vault import pack_template, unpack_template
from mien.vault.records.record import MAX_PAYLOAD_BYTES
from mien.vault.records.template_codec import MAX_DIMS, MAX_VECTORS

MODEL = ModelId("sface", "ab" * 32)
TEMPLATE = Template(np.array([[1, 0, 0, 0], [0.6, 0, -0.8, 0]], np.float32), MODEL)

GOLDEN_HEADER = b'{"d":4,"k":2,"model":"sface","sha256":"' + b"ab" * 32 + b'"}'
GOLDEN_BODY = (
    b"mienTPL\x00"
    + bytes.fromhex("0100 69000000")  # version 1; 105 bytes of header
    + GOLDEN_HEADER
    + bytes.fromhex("0000803f 00000000 00000000 00000000")  # 1 0 0 0
    + bytes.fromhex("9a99193f 00000000 cdcc4cbf 00000000")  # 0.6 0 -0.8 0
)
GOLDEN_CHECKSUM = "489c9b89ab24acf8b9fdc1003172e4f940c3aa2a9b32e3b753aeca84bbe21afe"
GOLDEN = GOLDEN_BODY + bytes.fromhex(GOLDEN_CHECKSUM)


def packed_by_hand(
    *,
    header: bytes = GOLDEN_HEADER,
    vectors: bytes = GOLDEN_BODY[-32:],
    version: int = 1,
    header_length: int | None = None,
) -> bytes:
    """A template with a right checksum, whatever is in it."""
    length = len(header) if header_length is None else header_length
    body = struct.pack("<8sHI", b"mienTPL\x00", version, length) + header + vectors
    return body + hashlib.sha256(body).digest()


def header_with(**changes: object) -> bytes:
    table = {"d": 4, "k": 2, "model": "sface", "sha256": "ab" * 32} | changes
    return json.dumps(table, sort_keys=True, separators=(",", ":")).encode()


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def test_a_template_has_these_bytes() -> None:
    assert pack_template(TEMPLATE) == GOLDEN


def test_the_bytes_of_a_template_are_fixed() -> None:
    template = unpack_template(GOLDEN, expected_model=MODEL)
    np.testing.assert_array_equal(template.vectors, TEMPLATE.vectors, strict=True)
    assert template.model == MODEL


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 9)),
        elements=st.floats(0.5, 1, width=32),
    )
)
def test_any_template_is_read_bit_for_bit_as_it_was_written(raw: FloatArray) -> None:
    vectors = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    template = Template(vectors, MODEL)
    again = unpack_template(pack_template(template), expected_model=MODEL)
    np.testing.assert_array_equal(again.vectors, vectors, strict=True)


def test_arrays_in_column_order_are_written_the_same_way() -> None:
    assert pack_template(Template(np.asfortranarray(TEMPLATE.vectors), MODEL)) == GOLDEN


def test_big_endian_vectors_are_no_template() -> None:
    with pytest.raises(ValueError, match="must be float32"):
        Template(TEMPLATE.vectors.astype(">f4"), MODEL)


def test_unpacked_vectors_are_read_only() -> None:
    template = unpack_template(GOLDEN, expected_model=MODEL)
    with pytest.raises(ValueError, match="read-only"):
        template.vectors[0, 0] = 0.5


@given(st.integers(0, len(GOLDEN) - 1), st.integers(1, 255))
def test_a_template_with_one_byte_changed_is_damaged(place: int, change: int) -> None:
    packed = bytearray(GOLDEN)
    packed[place] ^= change
    with pytest.raises(VaultDamaged):
        unpack_template(bytes(packed), expected_model=MODEL)


@pytest.mark.parametrize("length", range(len(GOLDEN)))
def test_a_truncated_template_is_damaged(length: int) -> None:
    with pytest.raises(VaultDamaged):
        unpack_template(GOLDEN[:length], expected_model=MODEL)


def test_a_template_with_extra_bytes_is_damaged() -> None:
    with pytest.raises(VaultDamaged):
        unpack_template(GOLDEN + b"\x00", expected_model=MODEL)


@given(st.binary(max_size=300))
def test_any_other_bytes_are_damaged(packed: bytes) -> None:
    with pytest.raises(VaultDamaged) as refusal:
        unpack_template(packed, expected_model=MODEL)
    assert refusal.value.exit_code is ExitCode.VAULT_DAMAGED
    assert str(refusal.value).isprintable()


@given(st.binary(max_size=120), st.binary(max_size=40), st.integers(0, 2**32 - 1))
def test_bytes_with_a_correct_checksum_can_still_be_refused(
    header: bytes, vectors: bytes, length: int
) -> None:
    for header_length in (None, length):
        packed = packed_by_hand(header=header, vectors=vectors, header_length=header_length)
        with pytest.raises(VaultDamaged):
            unpack_template(packed, expected_model=MODEL)


@pytest.mark.parametrize(
    "header",
    [
        header_with(k=0),
        header_with(k=-2),
        header_with(k=3),
        header_with(k=2.0),
        header_with(k=True, d=8),
        header_with(k="2"),
        header_with(k=None),
        header_with(k=10**30),
        header_with(k=MAX_VECTORS + 1),
        header_with(k=8, d=1),
        header_with(d=MAX_DIMS + 1),
        header_with(model=7),
        header_with(sha256=["ab"]),
        header_with(extra=1),
        GOLDEN_HEADER.replace(b":2", b": 2"),
        GOLDEN_HEADER.replace(b'"k":2', b'"k":1,"k":2'),
        GOLDEN_HEADER.replace(b"sface", b"sf\xc3\xa1ce"),
        GOLDEN_HEADER.replace(b'"d":4,', b""),
        b"",
        b"[]",
        b"2",
        b"null",
        b"NaN",
        b"[" * 3000,
        b'{"d":' * 600,
        b"9" * 3000,
        b" " * 10_000,
    ],
)
def test_a_header_in_any_other_form_is_damaged(header: bytes) -> None:
    with pytest.raises(VaultDamaged, match=r"header|vector|numbers"):
        unpack_template(packed_by_hand(header=header), expected_model=MODEL)


@pytest.mark.parametrize(
    "row",
    [
        floats(float("nan"), 0, 0, 0),
        floats(float("inf"), 0, 0, 0),
        floats(3e38, 3e38, 0, 0),
        floats(0, 0, 0, 0),
        floats(0.6, 0.6, 0, 0),
        floats(1.001, 0, 0, 0),
    ],
)
def test_a_vector_that_does_not_have_length_one_is_damaged(row: bytes) -> None:
    with pytest.raises(VaultDamaged, match="length one"):
        unpack_template(packed_by_hand(vectors=floats(1, 0, 0, 0) + row), expected_model=MODEL)


def test_a_newer_format_says_upgrade() -> None:
    with pytest.raises(VaultDamaged, match="format 2 and this mien reads 1; upgrade mien"):
        unpack_template(packed_by_hand(version=2), expected_model=MODEL)


def test_a_template_of_another_model_says_enroll_again() -> None:
    with pytest.raises(
        ModelMismatch, match="'sface', and 'vggface2' is in use; enroll again"
    ) as no:
        unpack_template(GOLDEN, expected_model=ModelId("vggface2", "cd" * 32))
    assert no.value.exit_code is ExitCode.MODEL_UNAVAILABLE


def test_a_template_of_another_file_of_the_model_says_enroll_again() -> None:
    with pytest.raises(ModelMismatch, match=r"another file of the model 'sface'.*enroll again"):
        unpack_template(GOLDEN, expected_model=ModelId("sface", "cd" * 32))


def test_a_damaged_template_of_another_model_is_damaged() -> None:
    with pytest.raises(VaultDamaged):
        unpack_template(
            packed_by_hand(vectors=floats(*[0] * 8)), expected_model=ModelId("other", "cd" * 32)
        )


def test_a_model_name_cannot_break_the_line() -> None:
    packed = pack_template(Template(TEMPLATE.vectors, ModelId("a\nb\x1b", "ab")))
    with pytest.raises(ModelMismatch) as refusal:
        unpack_template(packed, expected_model=MODEL)
    assert str(refusal.value).isprintable()


def test_more_vectors_than_a_template_holds_are_refused() -> None:
    vectors = np.ones((MAX_VECTORS + 1, 1), np.float32)
    with pytest.raises(UsageError, match="at most 1024 photos, got 1025"):
        pack_template(Template(vectors, MODEL))


def test_longer_vectors_than_any_model_makes_are_refused() -> None:
    vector = np.zeros((1, MAX_DIMS + 1), np.float32)
    vector[0, 0] = 1
    with pytest.raises(ValueError, match="at most 4096 numbers"):
        pack_template(Template(vector, MODEL))


def test_a_model_name_of_any_length_is_not_accepted() -> None:
    with pytest.raises(ValueError, match="within 128"):
        pack_template(Template(TEMPLATE.vectors, ModelId("x" * 4000, "ab")))


def test_the_largest_template_fits_a_record() -> None:
    vectors = np.zeros((MAX_VECTORS, MAX_DIMS), np.float32)
    vectors[:, 0] = 1
    packed = pack_template(Template(vectors, ModelId("😀" * 128, "😀" * 128)))
    assert len(packed) <= MAX_PAYLOAD_BYTES
    again = unpack_template(packed, expected_model=ModelId("😀" * 128, "😀" * 128))
    assert again.vectors.shape == (MAX_VECTORS, MAX_DIMS)
