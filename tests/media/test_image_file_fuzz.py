"""Whatever bytes come in: a picture goes out, or one line that refuses it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.errors import UnreadableImage
from mien.media.image_file import read_image


def noise(kind: str, **options: object) -> bytes:
    """A small file of this kind in which every byte carries something."""
    rng = np.random.default_rng(7)
    file = io.BytesIO()
    pixels = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(UnreadableImage) as caught:
        read_image(data)
    assert str(caught.value).isprintable()


STARTS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"P6 ",
    b"Pf\n",
]
STARTS += [b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBPVP8L", b"RIFF\0\0\0\0WEBPVP8X"]
STARTS += [b"\0\0\0\x18ftypavif", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypmif1\0\0\0\0avif"]


def picture_or_refusal(data: bytes) -> None:
    try:
        rgb = read_image(data)
    except UnreadableImage as refused:
        message = str(refused)
        assert message.isprintable()
    else:
        assert (rgb.dtype.name, rgb.ndim, rgb.shape[2]) == ("uint8", 3, 3)


@settings(deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_random_bytes_behind_a_known_start_are_a_picture_or_refused(
    head: bytes, tail: bytes
) -> None:
    picture_or_refusal(head + tail)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "PPM"]),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=6),
    kept=st.floats(0, 1) | st.just(1.0),
)
def test_flipped_bits_and_cut_ends_are_a_picture_or_refused(
    kind: str, flips: list[tuple[float, int]], kept: float
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif.tobytes()} if kind in ("JPEG", "PNG", "WEBP") else {}
    data = bytearray(noise(kind, **options))
    for where, bit in flips:
        data[int(where * len(data))] ^= 1 << bit
    picture_or_refusal(bytes(data[: int(kept * len(data))]))
