"""Refuse files of more than 8 bits a colour that Pillow reads wrongly without saying so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.errors import UnreadableImage
from mien.results import ByteArray

if TYPE_CHECKING:
    from PIL import Image

BITS_PER_SAMPLE, PLANAR_CONFIGURATION = 258, 284  # tags of TIFF


def check_samples(image: Image.Image, name: str) -> None:
    """Refuse a TIFF of deep colours that are stored one after the other: Pillow reads noise."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(BITS_PER_SAMPLE, (8,))
    if tags.get(PLANAR_CONFIGURATION, 1) != 1 and any(count > 8 for count in bits):
        raise UnreadableImage(
            f"{name} is a TIFF of {max(bits)} bits that stores each colour apart; save it with 8"
            " bits a colour, or with interleaved colours"
        )


def check_depth(image: Image.Image, data: bytes, upright: ByteArray, name: str) -> None:
    """Refuse colours of 10 or 12 bits in a file of 16, of which Pillow keeps the upper 8 bits."""
    is_deep_png = image.format == "PNG" and data[24:25] == b"\x10"
    is_deep_tiff = 16 in getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, ())
    deep_colour = (is_deep_png or is_deep_tiff) and image.mode.startswith("RGB")
    if deep_colour and upright.max() < 16:
        raise UnreadableImage(
            f"{name} has 16 bits a colour and nothing brighter than {upright.max()} of 255, as"
            " if it held values of 10 or 12 bits; scale them to 16, or save it with 8 bits a colour"
        )
