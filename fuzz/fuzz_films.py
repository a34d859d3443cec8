"""Give arbitrary bytes to the readers of films, Y4M and motion JPEG. See README.md."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mien"]):
    import numpy as np
    from PIL import Image

    from mien.errors import MienError
    from mien.media.video import read_video
    from mien.media.y4m import START as Y4M

SIDE = 16
FILM = Path(tempfile.mkdtemp(prefix="mien-fuzz-films-")) / "film"
COLOURS = (b"C420jpeg", b"C422", b"C444", b"Cmono", b"C420p10", b"Cmono16", b"C444alpha")
BYTES_A_PIXEL = (1.5, 2, 3, 1, 3, 2, 4)
MAX_FRAMES_READ = 50


def seeds() -> list[bytes]:
    """Two frames of every kind."""
    found = []
    for colour, size in zip(COLOURS, BYTES_A_PIXEL, strict=True):
        length = int(SIDE * SIDE * size)
        frame = b"FRAME\n" + bytes(range(256))[:length].ljust(length, b"\x50")
        found.append(b"YUV4MPEG2 W16 H16 F30:1 Ip A1:1 " + colour + b"\n" + 2 * frame)
    pixels = np.random.default_rng(7).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 1}):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", **options)
        found += [stream.getvalue() * 2, b"--x\r\n" + stream.getvalue() + b"\r\n--x\r\n"]
    return found


def one_input(data: bytes) -> None:
    if not data.startswith((Y4M, b"\xff\xd8\xff")):
        data = b"\xff\xd8\xff" + data  # anything else goes to OpenCV, which is not ours
    FILM.write_bytes(data)
    seconds = iter(range(1_000_000))
    try:
        for number, frame in enumerate(
            read_video(str(FILM), clock=lambda: next(seconds) * 1e-4, timeout_s=10.0)
        ):
            shape = frame.image_rgb.shape
            assert (frame.image_rgb.dtype.name, len(shape), shape[2]) == ("uint8", 3, 3)
            if number == MAX_FRAMES_READ:
                break
    except MienError as refused:
        assert str(refused).isprintable()  # noqa: PT017


if __name__ == "__main__":
    corpus = FILM.parent / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds()):
        (corpus / f"seed{number}").write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], one_input)
    atheris.Fuzz()
