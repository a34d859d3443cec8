"""A small picture of an enrolled face, by which a person is found in a list."""

from __future__ import annotations

import io

from mien.results import Crop

SIDE_PX = 96
QUALITIES = (82, 60, 40)  # of JPEG, tried in this order; noise alone needs the last one
MAX_BYTES = 16 * 1024  # of a record's thumbnail


def make_thumbnail(crop: Crop) -> bytes:
    """The face as a JPEG of `SIDE_PX` by `SIDE_PX`, without any metadata."""
    from PIL import Image

    picture = Image.fromarray(crop.pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    packed = b""
    for quality in QUALITIES:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality)
        packed = stream.getvalue()
        if len(packed) <= MAX_BYTES:
            break
    return packed
