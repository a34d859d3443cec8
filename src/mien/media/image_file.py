"""A path, bytes, a PIL image or an array -> upright RGB uint8.

Nothing outside is trusted: not a name, not a suffix, not a header. A file is
opened without waiting, must be a regular file, and is bounded in bytes and in
pixels before it is decoded. The kind is told from the first bytes, and one
decoder alone is loaded for it: `PIL.Image.open` would import five, 8 ms of
every unlock. Colour profiles are ignored.
"""

from __future__ import annotations

import importlib
import os
import re
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mien.errors import UnreadableImage, one_line, quote_path
from mien.media.pixels import (
    GREY,
    WhiteOf,
    as_stored,
    float_scale,
    grey_to_rgb,
    scaled,
    sixteen_bits,
    to_rgb_array,
)
from mien.results import ByteArray

if TYPE_CHECKING:
    from PIL import Image

ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[Any]"

MAX_FILE_BYTES = 48_000_000
MAX_PIXELS = 26_000_000
"""For a decoder of `PLAIN_BYTES` a pixel; a hungrier one gets fewer, so that memory is the same."""

PLAIN_BYTES = 7.0  # Pillow keeps 4 bytes a pixel, the array that is handed back takes 3
MAX_SCANS = 24  # a progressive JPEG has about ten; each is one more pass over all pixels
STRIP_PIXELS = 50_000  # fits a cache; no smaller, for each strip has a cost of its own
COUNTED_BYTES = 500_000  # counting the frames of a larger file could take seconds


class Kind(NamedTuple):
    """A file format: how it starts, who decodes it, and the decoder's peak in bytes a pixel."""

    name: str
    start: bytes  # a regular expression
    module: str
    decoder: str
    peak_bytes: float = PLAIN_BYTES


KINDS = (
    Kind("JPEG", rb"\xff\xd8\xff", "PIL.JpegImagePlugin", "JpegImageFile"),
    Kind("PNG", rb"\x89PNG\r\n\x1a\n", "PIL.PngImagePlugin", "PngImageFile"),
    Kind("WEBP", rb"RIFF....WEBP", "PIL.WebPImagePlugin", "WebPImageFile", 14.5),
    Kind("GIF", rb"GIF8[79]a", "PIL.GifImagePlugin", "GifImageFile"),
    Kind("TIFF", rb"II[*+]\0|MM\0[*+]", "PIL.TiffImagePlugin", "TiffImageFile", 12),
    Kind("PPM", rb"P[456f]\s", "PIL.PpmImagePlugin", "PpmImageFile"),
    Kind("AVIF", rb"....ftyp.{0,40}avi[fs]", "PIL.AvifImagePlugin", "AvifImageFile", 14.5),
    Kind("HEIF", rb"....ftyp(he[iv][cmsx]|m[is]f1)", "pillow_heif", "HeifImageFile", 7),
    Kind("BMP", rb"BM", "PIL.BmpImagePlugin", "BmpImageFile"),
)
COLLECTIONS = ("MPO", "HEIF")  # phones keep a preview or a depth map beside the one still picture

PYTHON_CODECS = ("bmp_rle", "ppm", "ppm_plain")  # Pillow runs these a byte at a time: minutes

MARKER = rb"\xff[^\x00\x01\xd0-\xd7\xff]"  # JPEG markers that a segment follows
ORIENTATION = 0x0112  # of EXIF: 1..8

DAMAGE = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError),
    *(OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error),
)
"""What Pillow's decoders raise on damaged files, as fuzzing found; and, in some versions an
AssertionError, in others an AttributeError, on a PIL image that was closed before it was read."""

# The filter of Python's warnings belongs to the whole process: two threads that changed it at
# once could leave it changed. One decode at a time also keeps memory to one picture.
_ONE_DECODE = threading.Lock()


def read_image(
    source: ImageSource, *, max_pixels: int = MAX_PIXELS, white_of: WhiteOf = sixteen_bits
) -> ByteArray:
    """Read a picture as (H, W, 3) uint8 RGB, C-contiguous, turned upright by its EXIF.

    source: a path, the bytes of a picture file, a PIL image, or an array as in
    `to_rgb_array`. Transparent parts become mid grey. 16-bit grey is scaled to
    8 bit; floats as in `to_rgb_array`. white_of: the highest value of a file of
    deep grey -> its white, where it comes from a sensor of fewer bits.

    Raises UnreadableImage: missing, not a regular file, not a picture, damaged,
    an animation, or more than `max_pixels`.
    """
    if isinstance(source, (str, os.PathLike)):
        return _decode(_read_file(source), quote_path(source), max_pixels, white_of)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(bytes(source), "the bytes given", max_pixels, white_of)
    if not isinstance(source, np.ndarray):
        from PIL import Image

        if isinstance(source, Image.Image):
            name = "the PIL image given"
            with _pillow(name):
                _expect_still(source, name)
                _expect_size(source, name, _peak_bytes(source), max_pixels)
                return _pixels(source, name, white_of)
    rgb = to_rgb_array(source)
    if rgb.shape[0] * rgb.shape[1] > max_pixels:
        raise UnreadableImage(_too_large("the array given", rgb.shape[1::-1], max_pixels))
    return rgb


def _read_file(path: str | os.PathLike[str]) -> bytes:
    name = quote_path(path)
    flags = os.O_RDONLY
    for extra in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):  # not all on every system
        flags |= getattr(os, extra, 0)
    try:
        _expect_regular(os.stat(path), name)  # first: opening a device may already do something
        descriptor = os.open(path, flags)
        try:
            found = os.fstat(descriptor)
            _expect_regular(found, name)  # again: the name may point elsewhere by now
            _expect_bytes(found.st_size, name)
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(found.st_size)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise UnreadableImage(f"there is no file {name}; check the path") from error
    except PermissionError as error:
        raise UnreadableImage(f"no permission to read {name}; change its mode or owner") from error
    except (OSError, ValueError) as error:  # ValueError: NUL or a lone surrogate in the name
        raise UnreadableImage(f"cannot open {name}: {one_line(error)}; check the path") from error


def _expect_regular(found: os.stat_result, name: str) -> None:
    kinds = {
        stat.S_IFDIR: "a folder; name a photo in it",
        stat.S_IFIFO: "a pipe, not a file; save the picture as a file first",
        stat.S_IFSOCK: "a socket, not a file; save the picture as a file first",
        stat.S_IFCHR: "a device, not a file; save the picture as a file first",
        stat.S_IFBLK: "a disk device, not a file; name a photo on it",
    }
    if not stat.S_ISREG(found.st_mode):
        what = kinds.get(stat.S_IFMT(found.st_mode), "not a regular file; name a photo")
        raise UnreadableImage(f"{name} is {what}")


def _expect_bytes(count: int, name: str) -> None:
    if count == 0:
        raise UnreadableImage(f"{name} is empty; give a photo")
    if count > MAX_FILE_BYTES:
        raise UnreadableImage(
            f"{name} has {count / 1e6:.1f} MB, the cap is {MAX_FILE_BYTES / 1e6:.0f}; shrink it"
        )


def _decode(data: bytes, name: str, max_pixels: int, white_of: WhiteOf) -> ByteArray:
    _expect_bytes(len(data), name)
    kind = _kind_of(data, name)
    scans = _jpeg_scans(data) if kind.name == "JPEG" else 1
    if scans > MAX_SCANS:
        raise UnreadableImage(f"{name} has over {MAX_SCANS} scans; save it as a plain JPEG")
    with _pillow(name):
        image = _open(kind, data, name)
        if any(tile[0] in PYTHON_CODECS for tile in getattr(image, "tile", [])):
            raise UnreadableImage(f"{name} has a rare compression; convert it to JPEG or PNG")
        _expect_size(image, name, _peak_bytes(image, buffered=scans > 1), max_pixels)
        _expect_still(image, name, counted=len(data) <= COUNTED_BYTES)
        return _pixels(image, name, white_of)


def _kind_of(data: bytes, name: str) -> Kind:
    for kind in KINDS:
        if re.match(kind.start, data, re.DOTALL):
            return kind
    raise UnreadableImage(f"{name} is not a picture that mien reads; convert it to JPEG or PNG")


def _open(kind: Kind, data: bytes, name: str) -> Image.Image:
    import io

    try:
        module = importlib.import_module(kind.module)
    except ImportError as error:
        package = "pillow-heif" if kind.name == "HEIF" else "--upgrade pillow"
        raise UnreadableImage(
            f"{name} is {kind.name}; run: pip install {package}, or convert it to JPEG"
        ) from error
    if not getattr(module, "SUPPORTED", True):
        raise UnreadableImage(f"{name}: this Pillow has no {kind.name}; convert it to JPEG")
    image: Image.Image = getattr(module, kind.decoder)(io.BytesIO(data))
    return image


@contextmanager
def _pillow(name: str) -> Iterator[None]:
    """Whatever Pillow says about a damaged file becomes one line, and no warning gets out."""
    from PIL import Image

    with _ONE_DECODE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Image.DecompressionBombError as error:
            raise UnreadableImage(
                f"{name} is too large ({one_line(error)}); scale it down to 2000 pixels"
            ) from error
        except DAMAGE as error:
            raise UnreadableImage(
                f"{name} is damaged or cut short ({one_line(error)}); take it from the source again"
            ) from error


def _jpeg_scans(data: bytes) -> int:
    """How many passes over the picture a JPEG holds, counted up to one above `MAX_SCANS`."""
    marker_from = re.compile(MARKER).search
    scans, at = 0, 2
    while scans <= MAX_SCANS and (marker := marker_from(data, at)):
        code, at = data[marker.end() - 1], marker.end()
        if code == 0xD9:  # end of the picture; a phone may have put a film or a preview behind it
            break
        scans += code == 0xDA
        at += int.from_bytes(data[at : at + 2], "big")  # over the segment, not into its bytes
    return scans


def _peak_bytes(image: Image.Image, *, buffered: bool = False) -> float:
    """Bytes a pixel that decoding needs at its peak, at least those of the result."""
    if image.format in ("JPEG", "MPO") and (buffered or "progressive" in image.info):
        # libjpeg then keeps every coefficient of the picture, 2 bytes each, until the last pass
        samples = [int(h) * int(v) for _, h, v, *_ in getattr(image, "layer", [])] or [1]
        return max(PLAIN_BYTES, 4 + 2 * sum(samples) / max(samples))
    return max((k.peak_bytes for k in KINDS if k.name == image.format), default=PLAIN_BYTES)


def _expect_size(image: Image.Image, name: str, peak_bytes: float, max_pixels: int) -> None:
    """Refuse by the header, before a pixel is decoded."""
    cap = int(max_pixels * PLAIN_BYTES / peak_bytes)
    sizes = [image.size]
    tags = getattr(image, "tag_v2", {})  # a TIFF may wrap a small picture in a huge tile
    sizes.append((int(tags.get(322, 1)), int(tags.get(323, 1))))
    for size_wh in sizes:
        if size_wh[0] * size_wh[1] > cap:
            raise UnreadableImage(_too_large(name, size_wh, cap))
    if 0 in image.size:
        raise UnreadableImage(f"{name} holds no pixel; give a photo")


def _too_large(name: str, size_wh: tuple[int, ...], cap: int) -> str:
    width, height = size_wh
    return (
        f"{name} is {width} x {height}, {width * height / 1e6:.1f} million pixels; the cap for its "
        f"kind is {cap / 1e6:.1f} million: scale it down, 2000 pixels wide is plenty"
    )


def _expect_still(image: Image.Image, name: str, *, counted: bool = False) -> None:
    """One picture, one answer: which frame of an animation is meant is not ours to guess."""
    if image.format in COLLECTIONS or not getattr(image, "is_animated", False):
        return
    # PNG, WebP and AVIF state the number; GIF and TIFF have to be walked through
    known = counted or "n_frames" in vars(image)
    frames = f"{image.n_frames}" if known else "several"  # type: ignore[attr-defined]
    raise UnreadableImage(
        f"{name} is an animation or a stack of {frames} frames; give one still picture"
    )


def _pixels(image: Image.Image, name: str, white_of: WhiteOf) -> ByteArray:
    """The upright (H, W, 3), filled in strips: whole-picture copies would double the memory."""
    image.load()
    orientation = _orientation(image)
    width, height = image.size
    upright = np.empty((width, height, 3) if orientation > 4 else (height, width, 3), np.uint8)
    stored = as_stored(upright, orientation)
    n_rows = max(1, STRIP_PIXELS // width)
    boxes = [(0, y, width, min(y + n_rows, height)) for y in range(0, height, n_rows)]
    scale = _depth_scale(image, boxes, name, white_of)
    for box in boxes:
        stored[box[1] : box[3]] = _rgb(image.crop(box), scale)
    return upright


def _orientation(image: Image.Image) -> int:
    """Of EXIF, 1 where it is missing or damaged: that spoils no pixel."""
    try:
        # after load(): Pillow turns a TIFF itself, and then forgets the tag
        found = image.getexif().get(ORIENTATION, 1)
    except DAMAGE:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _depth_scale(
    image: Image.Image, boxes: list[tuple[int, int, int, int]], name: str, white_of: WhiteOf
) -> float:
    """What brings the values of a deep grey picture to 0..255; 1 for the other modes."""
    if not image.mode.startswith(("I", "F")):
        return 1.0
    strips = (np.asarray(image.crop(box)) for box in boxes)
    extremes = np.array([(strip.min(), strip.max()) for strip in strips], np.float64)
    low, high = float(extremes.min()), float(extremes.max())  # NaN stays NaN
    if image.mode == "F":
        return float_scale(low, high, name)
    if low < 0 or high > 65535:
        raise UnreadableImage(f"{name} has grey values {low:.0f}..{high:.0f}; save it with 16 bit")
    return 255 / white_of(high)


def _rgb(strip: Image.Image, scale: float) -> ByteArray:
    if strip.mode.startswith(("I", "F")):
        return grey_to_rgb(scaled(np.asarray(strip), scale))
    if strip.has_transparency_data:
        from PIL import Image

        rgba = strip.convert("RGBA")
        strip = Image.new("RGB", strip.size, (GREY, GREY, GREY))
        strip.paste(rgba, mask=rgba)  # as `over_grey`, to the last bit, and ten times as fast
    return np.asarray(strip.convert("RGB"))
