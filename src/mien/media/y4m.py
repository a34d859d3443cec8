"""YUV4MPEG2, the format of mjpegtools and FFmpeg: yuv4mpeg(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.errors import UnreadableImage
from mien.media.frame import MAX_FRAME_PIXELS, Depth, Frame
from mien.media.pixels import grey_to_rgb, scaled
from mien.media.stream import Stream
from mien.results import ByteArray

START = b"YUV4MPEG2"
MAX_LINE_BYTES = 256
STRIP_PIXELS = 500_000  # in floating point a whole frame of 16 megapixels would take a gigabyte
COLOURS = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1), "mono": (0, 0)}
"""By how much the planes of colour are smaller, across and down; mono has none."""
COLOUR = re.compile(r"(420|422|444|411|mono)(jpeg|mpeg2|paldv)?(?:p?(9|1[0-6]))?")

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the header says. small_wh: of each plane of colour, (0, 0) for none.

    full: 0 is black and the highest value white; else those of a studio, 16 and 235 of 8 bits.
    """

    size_wh: tuple[int, int]
    small_wh: tuple[int, int]
    bits: int
    full: bool
    step_s: float

    @property
    def dtype(self) -> str:
        return "<u2" if self.bits > 8 else "u1"

    @property
    def frame_bytes(self) -> int:
        (width, height), (across, down) = self.size_wh, self.small_wh
        return (width * height + 2 * across * down) * (2 if self.bits > 8 else 1)


def read_y4m(stream: Stream, name: str) -> Iterator[Frame]:
    """8 to 16 bits, 4:2:0, 4:2:2, 4:1:1, 4:4:4 or mono. Raises UnreadableImage for another kind.

    name: as it may stand in a message.
    """
    header = stream.line(MAX_LINE_BYTES).decode("latin-1")
    if not header.endswith("\n") and len(header) < MAX_LINE_BYTES:
        return  # cut off
    try:
        layout = _layout(header)
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise UnreadableImage(
            f"{name} is no Y4M that mien reads; make one: ffmpeg -i FILM -pix_fmt yuv420p FILM.y4m"
        ) from error
    depth = Depth()
    number = 0
    while stream.line(MAX_LINE_BYTES).startswith(b"FRAME"):
        if not stream.reach(layout.frame_bytes):
            return  # cut off: what came before was whole
        samples = np.frombuffer(stream.take(layout.frame_bytes), layout.dtype)
        yield Frame(number * layout.step_s, _rgb(samples, layout, depth))
        number += 1


def _layout(header: str) -> Layout:
    """Raises KeyError, ValueError or ZeroDivisionError for what is none, or is not known."""
    words = header.split()[1:]
    fields = {word[0]: word[1:] for word in words}
    width, height = int(fields["W"]), int(fields["H"])
    rate, _, per = fields.get("F", "10:1").partition(":")
    step_s = int(per or 1) / int(rate)
    colour = COLOUR.fullmatch(fields.get("C", "420"))
    if colour is None or width < 2 or height < 2 or step_s <= 0:
        raise ValueError(header)
    if width * height > MAX_FRAME_PIXELS:
        raise ValueError("size")
    kind, siting, bits = colour.group(1), colour.group(2), int(colour.group(3) or 8)
    across, down = COLOURS[kind]
    full = siting == "jpeg" or (kind == "mono" and bits > 8)  # those are infrared sensors' own
    if "XCOLORRANGE=FULL" in words or "XCOLORRANGE=LIMITED" in words:
        full = "XCOLORRANGE=FULL" in words
    small_wh = (-(-width // across), -(-height // down)) if across else (0, 0)
    return Layout((width, height), small_wh, bits, full, step_s)


def _rgb(samples: Samples, layout: Layout, depth: Depth) -> ByteArray:
    (width, height), (small_width, small_height) = layout.size_wh, layout.small_wh
    luma = samples[: width * height].reshape(height, width)
    if layout.bits > 8 and layout.full and not small_width:
        return grey_to_rgb(scaled(luma, 255 / depth.white(float(luma.max()))))
    chroma = samples[width * height :].reshape(2, small_height, small_width)
    rgb = np.empty((height, width, 3), np.uint8)
    columns = np.arange(width) * small_width // width
    n_rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, n_rows):
        strip = luma[top : top + n_rows]
        rows = np.arange(top, top + len(strip)) * small_height // height
        colour = chroma[:, rows][:, :, columns] if small_width else None
        rgb[top : top + n_rows] = _strip_rgb(strip, colour, layout)
    return rgb


def _strip_rgb(luma: Samples, chroma: Samples | None, layout: Layout) -> ByteArray:
    """ITU-R BT.601. luma: (h, w). chroma: (2, h, w), or None for grey."""
    unit = np.float32(1 << (layout.bits - 8))
    y = luma / unit
    if not layout.full:
        y = (y - np.float32(16.0)) * np.float32(255.0 / 219.0)
    if chroma is None:
        return grey_to_rgb(np.clip(y, 0, 255).astype(np.uint8))
    u, v = (chroma / unit - np.float32(128.0)) * np.float32(1.0 if layout.full else 255.0 / 224.0)
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=2)
    whole: ByteArray = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return whole
