"""Decode a path, bytes, a file object, a PIL image or an array to upright RGB uint8.

Nothing in the input is trusted: not its name, its suffix or its header. A file must be
a regular file, and its bytes and pixels are limited before it is decoded. The format is
recognised by the first bytes, and only the decoder of that format is loaded, because
`PIL.Image.open` would import five of them: 8 ms of every unlock. Colour profiles are
ignored.
"""

from __future__ import annotations

import importlib
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from mien.errors import UnreadableImage, install_command, one_line, quote_path
from mien.media.deep_colours import check_depth, check_samples
from mien.media.file_bytes import check_byte_count, read_file_object, read_path
from mien.media.halved_photo import DoorPhoto, HalvedPhoto
from mien.media.image_formats import (
    FORMATS,
    PLAIN_BYTES,
    ImageFormat,
    find_format,
    has_heif_rotation,
)
from mien.media.jpeg_file import (
    MAX_SCANS,
    Scans,
    coefficient_bytes,
    halve,
    halve_above,
    read_scans,
    with_end,
)
from mien.media.pixels import (
    BACKGROUND_GREY,
    WhiteLevel,
    float_scale,
    grey_to_rgb,
    scale_to_bytes,
    stored_view,
    to_rgb_array,
    white_of_sensor,
)
from mien.results import ByteArray

if TYPE_CHECKING:
    from PIL import Image

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | npt.NDArray[Any]"
)
"""What an image may be given as: a path, the bytes of a file, an open binary file, a PIL
image, or an array or tensor as in `to_rgb_array`."""

MAX_PIXELS = 26_000_000
"""For a decoder that needs `PLAIN_BYTES` a pixel; fewer for one that needs more memory."""

HALVED_ABOVE_PIXELS = 4_000_000  # of a photo to decide on: faces are searched in no more

STRIP_PIXELS = 50_000  # fits a processor cache; smaller strips cost more calls
MAX_COUNTED_BYTES = 500_000  # counting the frames of a larger file could take seconds


COLLECTIONS = ("MPO", "HEIF")  # phones store a preview or a depth map beside the still picture

PYTHON_CODECS = ("bmp_rle", "ppm", "ppm_plain")  # slow: Pillow decodes them a byte at a time

ORIENTATION = 0x0112  # of EXIF: 1..8

DECODER_ERRORS = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError),
    *(OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error),
)
"""What Pillow's decoders raise for damaged files, found by fuzzing. For a PIL image that was
closed before it was read, some versions raise AssertionError and others AttributeError."""

# Python's warning filter belongs to the whole process: two threads that change it at the same
# time could leave it changed. One decode at a time also limits memory to that of one picture.
_DECODE_LOCK = threading.Lock()


def _renew_decode_lock() -> None:
    """In a forked child: a thread that it does not have may have held the lock."""
    global _DECODE_LOCK
    _DECODE_LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_decode_lock)


def read_image(
    source: ImageSource,
    *,
    max_pixels: int = MAX_PIXELS,
    white_level: WhiteLevel = white_of_sensor,
    name: str = "the bytes given",
) -> ByteArray:
    """Read an image as (H, W, 3) uint8 RGB, C-contiguous, turned upright by its EXIF tag.

    source: a path; the bytes of an image file; an open binary file, seekable or not, which
    stays open; a PIL image; or an array or tensor as in `to_rgb_array`. Transparent parts
    become mid grey. 16-bit grey is scaled to 8 bits; floats as in `to_rgb_array`.
    white_level: gives the value of white from the highest value of a 16-bit grey file,
    for sensors of fewer bits; the default takes 10, 12 and 14 bits for what they are.
    name: how a message names bytes.
    A JPEG of more than `MAX_PIXELS` and up to four times as many is read at half its size.

    Raises UnreadableImage for a source that is missing, not a regular file, not an image,
    damaged, an animation, or larger than `max_pixels`.
    """
    if isinstance(source, np.ndarray):
        return _limit_array(source, max_pixels)
    file = _read_file(source, name)
    if file is not None:
        return _decode(*file, max_pixels, white_level)[0]
    from PIL import Image

    if not isinstance(source, Image.Image):
        return _limit_array(source, max_pixels)
    name = "the PIL image given"
    with _decoder_errors(name):
        _check_is_still(source, name)
        _check_size(source, name, _peak_bytes(source), max_pixels)
        return _to_upright_rgb(source, name, white_level)


def read_door_photo(source: ImageSource) -> DoorPhoto:
    """Read a photo to decide on, as `read_image` does, in a third of the time if it is large.

    A JPEG of more than `HALVED_ABOVE_PIXELS`, and of no more than `MAX_PIXELS`, is read at half its
    width and height while it is decoded.
    """
    file = None if isinstance(source, np.ndarray) else _read_file(source, "the bytes given")
    if file is None:
        return read_image(source)
    content, name = file
    image_rgb, is_halved = _decode(content, name, MAX_PIXELS, white_of_sensor, may_halve=True)
    if not is_halved:
        return image_rgb
    return HalvedPhoto(image_rgb, lambda: read_image(content, name=name))


def _read_file(source: object, name: str) -> tuple[bytes, str] | None:
    """The bytes of a file, and its name in messages; None for what is no file."""
    if isinstance(source, (str, os.PathLike)):
        return read_path(source), quote_path(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), name
    if hasattr(source, "read"):
        return read_file_object(cast(IO[bytes], source)), "the file object given"
    return None


def _limit_array(array: object, max_pixels: int) -> ByteArray:
    rgb = to_rgb_array(array)
    if rgb.shape[0] * rgb.shape[1] > max_pixels:
        raise UnreadableImage(_too_large("the array given", rgb.shape[1::-1], max_pixels))
    return rgb


def _decode(
    data: bytes, name: str, max_pixels: int, white_level: WhiteLevel, *, may_halve: bool = False
) -> tuple[ByteArray, bool]:
    """The upright picture, and whether it is half as wide and high as without `may_halve`."""
    check_byte_count(len(data), name)
    found = find_format(data, name)
    scans = read_scans(data) if found.name == "JPEG" else Scans(1, True)
    if scans.passes > MAX_SCANS:
        raise UnreadableImage(f"{name} has over {MAX_SCANS} scans; save it as a plain JPEG")
    with _decoder_errors(name):
        image = _open(found, data, name)
        if any(tile[0] in PYTHON_CODECS for tile in getattr(image, "tile", [])):
            raise UnreadableImage(f"{name} has a rare compression; convert it to JPEG or PNG")
        check_samples(image, name)
        buffered = scans.passes > 1
        may_halve = may_halve and found.name == "JPEG"
        if found.name == "JPEG" and image.size[0] * image.size[1] > MAX_PIXELS:
            may_halve = False  # it is halved for everybody
            limit = halve(image, max_pixels, buffered=buffered)
            if image.size[0] * image.size[1] > limit:
                raise UnreadableImage(_too_large(name, image.size, limit))
        _check_size(image, name, _peak_bytes(image, buffered=buffered), max_pixels)
        _check_is_still(image, name, counted=len(data) <= MAX_COUNTED_BYTES)
        whole_wh = image.size
        if may_halve:
            halve_above(image, HALVED_ABOVE_PIXELS)
        if scans == Scans(1, False) and "progressive" not in image.info:
            size_wh = image.size
            image = _open(found, with_end(data, type(image), size_wh), name)
            image.draft(None, size_wh)
        orientation = None
        if found.name == "HEIF" and not has_heif_rotation(data):
            orientation = image.info.get("original_orientation")
        upright = _to_upright_rgb(image, name, white_level, orientation=orientation)
        check_depth(image, data, upright, name)
        return upright, may_halve and image.size != whole_wh


def _open(found: ImageFormat, data: bytes, name: str) -> Image.Image:
    import io

    try:
        module = importlib.import_module(found.module)
    except ImportError as error:
        package = "pillow-heif" if found.name == "HEIF" else "--upgrade pillow"
        raise UnreadableImage(
            f"{name} is {found.name}; run: {install_command(package)}, or convert it to JPEG"
        ) from error
    if not getattr(module, "SUPPORTED", True):
        raise UnreadableImage(f"{name}: this Pillow has no {found.name}; convert it to JPEG")
    try:
        image: Image.Image = getattr(module, found.decoder)(io.BytesIO(data))
    except SyntaxError as error:
        if "unknown pixel mode" in str(error):  # Pillow's words, for floats of three colours
            raise UnreadableImage(
                f"{name} is a {found.name} of a rare kind of numbers (several colours of 32 bits,"
                " or floats); save it with 8 bits a colour"
            ) from error
        raise
    return image


@contextmanager
def _decoder_errors(name: str) -> Iterator[None]:
    """Turn what Pillow raises for a damaged file into UnreadableImage, and hide its warnings."""
    from PIL import Image

    with _DECODE_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Image.DecompressionBombError as error:
            raise UnreadableImage(
                f"{name} is too large ({one_line(error)}); scale it down to 2000 pixels"
            ) from error
        except DECODER_ERRORS as error:
            raise UnreadableImage(
                f"{name} is damaged or cut short ({one_line(error)}); take it from the source again"
            ) from error


def _peak_bytes(image: Image.Image, *, buffered: bool = False) -> float:
    """Peak memory of decoding, in bytes a pixel, at least those of the result."""
    if image.format in ("JPEG", "MPO") and (buffered or "progressive" in image.info):
        return max(PLAIN_BYTES, 4 + coefficient_bytes(image, buffered=buffered))
    return max((k.peak_bytes for k in FORMATS if k.name == image.format), default=PLAIN_BYTES)


def _check_size(image: Image.Image, name: str, peak_bytes: float, max_pixels: int) -> None:
    """Refuse a large picture by its header, before a pixel is decoded."""
    limit = int(max_pixels * PLAIN_BYTES / peak_bytes)
    sizes = [image.size]
    tags = getattr(image, "tag_v2", {})  # a TIFF may store a small picture in a huge tile
    sizes.append((int(tags.get(322, 1)), int(tags.get(323, 1))))
    for size_wh in sizes:
        if size_wh[0] * size_wh[1] > limit:
            raise UnreadableImage(_too_large(name, size_wh, limit))
    if 0 in image.size:
        raise UnreadableImage(f"{name} has no pixels; give a photo")


def _too_large(name: str, size_wh: tuple[int, ...], limit: int) -> str:
    width, height = size_wh
    return (
        f"{name} is {width} x {height}, {width * height / 1e6:.1f} million pixels; the limit for "
        f"its kind is {limit / 1e6:.1f} million: scale it down, 2000 pixels wide is plenty"
    )


def _check_is_still(image: Image.Image, name: str, *, counted: bool = False) -> None:
    """Refuse an animation: which of its frames is meant cannot be known."""
    if image.format in COLLECTIONS or not getattr(image, "is_animated", False):
        return
    # PNG, WebP and AVIF state the number; GIF and TIFF must be read through
    known = counted or "n_frames" in vars(image)
    frames = f"{image.n_frames}" if known else "several"  # type: ignore[attr-defined]
    raise UnreadableImage(
        f"{name} is an animation or a stack of {frames} frames; give one still picture"
    )


def _to_upright_rgb(
    image: Image.Image, name: str, white_level: WhiteLevel, *, orientation: int | None = None
) -> ByteArray:
    """The upright (H, W, 3), filled in strips, because whole copies would double the memory.

    orientation: EXIF, 1..8; None reads it from the picture.
    """
    image.load()
    orientation = orientation or _read_orientation(image)
    width, height = image.size
    upright = np.empty((width, height, 3) if orientation > 4 else (height, width, 3), np.uint8)
    stored = stored_view(upright, orientation)
    n_rows = max(1, STRIP_PIXELS // width)
    boxes = [(0, y, width, min(y + n_rows, height)) for y in range(0, height, n_rows)]
    scale = _deep_grey_scale(image, boxes, name, white_level)
    for box in boxes:
        stored[box[1] : box[3]] = _strip_to_rgb(image.crop(box), scale)
    return upright


def _read_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1..8; 1 where it is missing or damaged, as the pixels are intact."""
    try:
        # after load(): Pillow turns a TIFF itself, and then forgets the tag
        found = image.getexif().get(ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _deep_grey_scale(
    image: Image.Image, boxes: list[tuple[int, int, int, int]], name: str, white_level: WhiteLevel
) -> float:
    """The factor that scales a grey picture of 16 bits or floats to 0..255; 1 for other modes."""
    if not image.mode.startswith(("I", "F")):
        return 1.0
    strips = (np.asarray(image.crop(box)) for box in boxes)
    extremes = np.array([(strip.min(), strip.max()) for strip in strips], np.float64)
    low, high = float(extremes.min()), float(extremes.max())  # NaN stays NaN
    if image.mode == "F":
        return float_scale(low, high, name)
    if low < 0 or high > 65535:
        raise UnreadableImage(f"{name} has grey values {low:.0f}..{high:.0f}; save it with 16 bit")
    return 255 / white_level(high)


def _strip_to_rgb(strip: Image.Image, scale: float) -> ByteArray:
    if strip.mode.startswith(("I", "F")):
        return grey_to_rgb(scale_to_bytes(np.asarray(strip), scale))
    if strip.has_transparency_data:
        from PIL import Image

        rgba = strip.convert("RGBA")
        strip = Image.new("RGB", strip.size, (BACKGROUND_GREY,) * 3)
        strip.paste(rgba, mask=rgba)  # the same bits as `blend_over_grey`, ten times as fast
    return np.asarray(strip.convert("RGB"))
