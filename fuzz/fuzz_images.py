"""Give arbitrary bytes to the reader of pictures. See README.md."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mien", "PIL"]):
    import numpy as np
    from PIL import Image

    from mien.errors import UnreadableImage
    from mien.media.image_file import read_image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "ICO", "TGA", "JPEG2000")
MODES = ("RGB", "L", "RGBA", "P", "CMYK", "1", "I;16", "LA")


def seeds() -> list[bytes]:
    """Small pictures of every format and mode that this Pillow writes."""
    pixels = np.random.default_rng(7).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    found = []
    for name in FORMATS:
        for mode in MODES:
            file = io.BytesIO()
            try:
                Image.fromarray(pixels).convert(mode).save(file, name)
            except (OSError, ValueError, KeyError):
                continue  # the format has no such mode, or this Pillow no such format
            found.append(file.getvalue())
    return found


def one_input(data: bytes) -> None:
    try:
        rgb = read_image(data)
    except UnreadableImage as refused:
        assert str(refused).isprintable()  # noqa: PT017
    else:
        assert (rgb.dtype.name, rgb.ndim, rgb.shape[2]) == ("uint8", 3, 3)


if __name__ == "__main__":
    corpus = Path(tempfile.mkdtemp(prefix="mien-fuzz-images-"))
    for number, seed in enumerate(seeds()):
        (corpus / f"seed{number}").write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], one_input)
    atheris.Fuzz()
