"""JPEG files: passes over the picture, half-size decoding, and a missing end."""

from __future__ import annotations

import io
import re
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mien.media.image_formats import PLAIN_BYTES
from mien.results import ByteArray

if TYPE_CHECKING:
    from PIL import Image

MAX_SCANS = 24  # a progressive JPEG has about ten; each is another pass over all pixels
MARKER = rb"\xff[^\x00\x01\xd0-\xd7\xff]"  # markers that a segment follows
END = b"\xff\xd9"
OTHER_TAIL = bytes(range(1, 250)) * 8  # picture data that no file would end with
MAX_LOST_SHARE = 0.001  # of the pixels, in the last row of blocks


class Scans(NamedTuple):
    """passes: over the picture, at most one more than `MAX_SCANS`. has_end: the marker EOI."""

    passes: int
    has_end: bool


def read_scans(data: bytes) -> Scans:
    """Walk through the markers of a JPEG."""
    marker_from = re.compile(MARKER).search
    count, at = 0, 2
    while count <= MAX_SCANS and (marker := marker_from(data, at)):
        code, at = data[marker.end() - 1], marker.end()
        if code == 0xD9:  # end of the picture; a phone may store a video or a preview after it
            return Scans(count, True)
        count += code == 0xDA
        at += int.from_bytes(data[at : at + 2], "big")  # skip the bytes of the segment
    return Scans(count, False)


def coefficient_bytes(image: Image.Image, *, buffered: bool) -> float:
    """Memory that libjpeg holds of the whole picture until the last pass, in bytes a pixel."""
    if not (buffered or "progressive" in image.info):
        return 0.0
    samples = [int(h) * int(v) for _, h, v, *_ in getattr(image, "layer", [])] or [1]
    return 2 * sum(samples) / max(samples)


def halve(image: Any, max_pixels: int, *, buffered: bool) -> int:
    """Have a JPEG of more than `max_pixels` decoded at half its width and height, if that fits.

    Returns how many pixels it may have. The decoder scales while it decodes, so the memory is
    that of the small picture. The face of a phone's photo of 50 megapixels stays large enough:
    the search for faces works on 4 megapixels.
    """
    a_pixel = coefficient_bytes(image, buffered=buffered) + PLAIN_BYTES / 4
    limit = int(max_pixels * PLAIN_BYTES / a_pixel)
    width, height = image.size
    if max_pixels < width * height <= limit:
        image.draft(None, (width // 2, height // 2))
    return limit


def halve_above(image: Any, most_pixels: int) -> None:
    """Have a JPEG of more pixels decoded at half its width and height, rounded up."""
    width, height = image.size
    if width * height > most_pixels:
        image.draft(None, (width // 2, height // 2))


def with_end(data: bytes, decoder: Any, size_wh: tuple[int, int]) -> bytes:
    """The data of a JPEG of one scan whose end is missing, with an end if no pixel is lost.

    libjpeg fills what is missing with grey and says nothing. So the file is decoded with two
    endings: it was whole where no more than the end of the last row of blocks depends on them.
    Otherwise the data comes back as it is, for the decoder to refuse. size_wh: to decode to.
    """
    grey, other = (_decoded(data + end, decoder, size_wh) for end in (END, OTHER_TAIL + END))
    lost = np.count_nonzero((grey.last_rows != other.last_rows).any(axis=2))
    is_whole = grey.checksums == other.checksums and lost <= MAX_LOST_SHARE * grey.pixels
    return data + END if is_whole else data


class _Decoded(NamedTuple):
    """checksums: of the rows above the last blocks, which are at most 32 pixels high."""

    checksums: list[int]
    last_rows: ByteArray
    pixels: int


def _decoded(data: bytes, decoder: Any, size_wh: tuple[int, int]) -> _Decoded:
    image = decoder(io.BytesIO(data))
    image.draft(None, size_wh)
    image.load()
    width, height = image.size
    last = max(0, height - 32)
    strips = (image.crop((0, y, width, min(y + 32, last))) for y in range(0, last, 32))
    checksums = [zlib.crc32(strip.tobytes()) for strip in strips]
    last_rows = np.asarray(image.crop((0, last, width, height)).convert("RGB"))
    return _Decoded(checksums, last_rows, width * height)
