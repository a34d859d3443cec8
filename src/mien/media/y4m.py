"""Read YUV4MPEG2 (Y4M), the raw video format of mjpegtools and FFmpeg: yuv4mpeg(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.errors import UnreadableImage
from mien.media.frame import MAX_FRAME_PIXELS, Frame, SensorDepth
from mien.media.pixels import grey_to_rgb, scale_to_bytes
from mien.media.stream import Stream
from mien.results import ByteArray

START = b"YUV4MPEG2"
MAX_LINE_BYTES = 256
STRIP_PIXELS = 500_000  # a whole frame of 16 megapixels would take 1 GB in floats
SUBSAMPLING = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1), "mono": (0, 0)}
"""How much smaller the chroma planes are, across and down; mono has none."""
CHROMA_FIELD = re.compile(r"(420|422|444|411|mono)(jpeg|mpeg2|paldv)?(?:p?(9|1[0-6]))?")

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of the header. chroma_wh: size of each chroma plane, (0, 0) for none.

    full_range: black is 0 and white the highest value; else 16 and 235 (of 8 bits).
    """

    size_wh: tuple[int, int]
    chroma_wh: tuple[int, int]
    bits: int
    full_range: bool
    step_s: float

    @property
    def dtype(self) -> str:
        return "<u2" if self.bits > 8 else "u1"

    @property
    def frame_bytes(self) -> int:
        (width, height), (across, down) = self.size_wh, self.chroma_wh
        return (width * height + 2 * across * down) * (2 if self.bits > 8 else 1)


def read_y4m(stream: Stream, name: str) -> Iterator[Frame]:
    """Frames of 8 to 16 bits, 4:2:0, 4:2:2, 4:1:1, 4:4:4 or mono.

    name: of the source, for messages. Raises UnreadableImage for any other format.
    """
    header = stream.read_line(MAX_LINE_BYTES).decode("latin-1")
    if not header.endswith("\n") and len(header) < MAX_LINE_BYTES:
        return  # the header is cut off
    try:
        layout = _parse_header(header)
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise UnreadableImage(
            f"{name} is not a Y4M video that mien reads; "
            "convert it: ffmpeg -i VIDEO -pix_fmt yuv420p VIDEO.y4m"
        ) from error
    depth = SensorDepth()
    number = 0
    while stream.read_line(MAX_LINE_BYTES).startswith(b"FRAME"):
        if not stream.fill(layout.frame_bytes):
            return  # the last frame is cut off
        samples = np.frombuffer(stream.take(layout.frame_bytes), layout.dtype)
        yield Frame(number * layout.step_s, _convert_frame(samples, layout, depth))
        number += 1


def _parse_header(header: str) -> Layout:
    """KeyError, ValueError or ZeroDivisionError if the header is not valid or not supported."""
    words = header.split()[1:]
    fields = {word[0]: word[1:] for word in words}
    width, height = int(fields["W"]), int(fields["H"])
    rate, _, per = fields.get("F", "10:1").partition(":")
    step_s = int(per or 1) / int(rate)
    colour = CHROMA_FIELD.fullmatch(fields.get("C", "420"))
    if colour is None or width < 2 or height < 2 or step_s <= 0:
        raise ValueError(header)
    if width * height > MAX_FRAME_PIXELS:
        raise ValueError("size")
    kind, siting, bits = colour.group(1), colour.group(2), int(colour.group(3) or 8)
    across, down = SUBSAMPLING[kind]
    full = siting == "jpeg" or (kind == "mono" and bits > 8)  # as infrared cameras record it
    if "XCOLORRANGE=FULL" in words or "XCOLORRANGE=LIMITED" in words:
        full = "XCOLORRANGE=FULL" in words
    chroma_wh = (-(-width // across), -(-height // down)) if across else (0, 0)
    return Layout((width, height), chroma_wh, bits, full, step_s)


def _convert_frame(samples: Samples, layout: Layout, depth: SensorDepth) -> ByteArray:
    (width, height), (chroma_width, chroma_height) = layout.size_wh, layout.chroma_wh
    luma = samples[: width * height].reshape(height, width)
    if layout.bits > 8 and layout.full_range and not chroma_width:
        return grey_to_rgb(scale_to_bytes(luma, 255 / depth.white_level(float(luma.max()))))
    chroma = samples[width * height :].reshape(2, chroma_height, chroma_width)
    rgb = np.empty((height, width, 3), np.uint8)
    columns = np.arange(width) * chroma_width // width
    n_rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, n_rows):
        strip = luma[top : top + n_rows]
        rows = np.arange(top, top + len(strip)) * chroma_height // height
        colour = chroma[:, rows][:, :, columns] if chroma_width else None
        rgb[top : top + n_rows] = _convert_strip(strip, colour, layout)
    return rgb


def _convert_strip(luma: Samples, chroma: Samples | None, layout: Layout) -> ByteArray:
    """Convert by ITU-R BT.601. luma: (h, w). chroma: (2, h, w), or None for grey."""
    unit = np.float32(1 << (layout.bits - 8))
    y = luma / unit
    if not layout.full_range:
        y = (y - np.float32(16.0)) * np.float32(255.0 / 219.0)
    if chroma is None:
        return grey_to_rgb(np.clip(y, 0, 255).astype(np.uint8))
    u, v = (chroma / unit - np.float32(128.0)) * np.float32(
        1.0 if layout.full_range else 255.0 / 224.0
    )
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=2)
    whole: ByteArray = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return whole
