"""The formats of image files: what their first bytes are, and which decoder reads them."""

from __future__ import annotations

import re
from typing import NamedTuple

from mien.errors import UnreadableImage

PLAIN_BYTES = 7.0  # Pillow keeps 4 bytes a pixel, the array that is handed back takes 3


class ImageFormat(NamedTuple):
    """A file format: its first bytes, its decoder, and the decoder's peak memory a pixel."""

    name: str
    start: bytes  # a regular expression
    module: str
    decoder: str
    peak_bytes: float = PLAIN_BYTES


FORMATS = (
    ImageFormat("JPEG", rb"\xff\xd8\xff", "PIL.JpegImagePlugin", "JpegImageFile"),
    ImageFormat("PNG", rb"\x89PNG\r\n\x1a\n", "PIL.PngImagePlugin", "PngImageFile"),
    ImageFormat("WEBP", rb"RIFF....WEBP", "PIL.WebPImagePlugin", "WebPImageFile", 14.5),
    ImageFormat("GIF", rb"GIF8[79]a", "PIL.GifImagePlugin", "GifImageFile"),
    ImageFormat("TIFF", rb"II[*+]\0|MM\0[*+]", "PIL.TiffImagePlugin", "TiffImageFile", 12),
    ImageFormat("PPM", rb"P[456f]\s+[\d#+-]", "PIL.PpmImagePlugin", "PpmImageFile"),
    ImageFormat(
        "AVIF",
        rb"....ftyp(avi[fs]|m[is][fa][1f].{4,32}avi[fs])",
        "PIL.AvifImagePlugin",
        "AvifImageFile",
        14.5,
    ),
    ImageFormat("HEIF", rb"....ftyp(he[iv][cmsx]|mif1|msf1)", "pillow_heif", "HeifImageFile", 7),
    ImageFormat(
        "BMP", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "PIL.BmpImagePlugin", "BmpImageFile"
    ),
)

OTHER_FILES = (
    ("JPEG 2000", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL "),
    ("a Photoshop file", rb"8BPS"),
    ("an SVG drawing", rb"\s*(<\?xml[^>]*>\s*)?<svg"),
    ("a PDF document", rb"%PDF-"),
    ("a raw photo", rb"FUJIFILMCCD-RAW|IIRO|....ftypcrx "),
    (
        "a sound file",
        rb"RIFF....WAVE|ID3|\xff[\xf1-\xfb]|fLaC|OggS|FORM....AIF[FC]|MThd|#!AMR|\.snd"
        rb"|....ftypM4[ABP]",
    ),
    ("a video", rb"RIFF....AVI |\x1a\x45\xdf\xa3|....ftyp(mp4|isom|iso\d|qt  |M4V|3g[p2]|avc1)"),
)
"""Files that mien recognises in order to name them, with their first bytes."""


def find_format(data: bytes, name: str) -> ImageFormat:
    """The format of the bytes of a file. name: for messages. Raises UnreadableImage for others."""
    for found in FORMATS:
        if re.match(found.start, data, re.DOTALL):
            return found
    for what, start in OTHER_FILES:
        if re.match(start, data[:200], re.DOTALL):
            kind = f"is {what}, which is not a picture that mien reads"
            break
    else:
        kind = "is not a picture that mien reads"
    raise UnreadableImage(f"{name} {kind}; convert it to JPEG or PNG")


def has_heif_rotation(data: bytes) -> bool:
    """Whether a HEIF file turns or mirrors a picture itself, with a property irot or imir.

    Some phones write only the EXIF tag, which decoders of HEIF ignore.
    """
    properties = _find_box(data, (b"meta", b"iprp", b"ipco"))
    return any(kind in (b"irot", b"imir") for kind, _ in _boxes(properties))


def _find_box(data: bytes, path: tuple[bytes, ...]) -> bytes:
    for wanted in path:
        data = next((body for kind, body in _boxes(data) if kind == wanted), b"")
        if wanted == b"meta":
            data = data[4:]  # version and flags
    return data


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """(type, body) of the boxes in a row, ISO/IEC 14496-12; at most 1,000, up to a damaged one."""
    found: list[tuple[bytes, bytes]] = []
    at = 0
    while at + 8 <= len(data) and len(found) < 1000:
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            break
        found.append((kind, data[at + head : at + size]))
        at += size
    return found
