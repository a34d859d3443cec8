"""Arrays of many kinds -> RGB uint8, without any I/O; what a pixel means is decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mien.errors import UnreadableImage
from mien.results import ByteArray

if TYPE_CHECKING:
    from collections.abc import Callable

GREY = 128
"""Seen through transparent pixels. The nets see (x - 127.5) / 128: about 0, as where a crop
reaches past the picture. What was hidden under them stays hidden."""


WhiteOf: TypeAlias = "Callable[[float], int]"
"""The highest value of a picture of deep grey -> the value that is white in it."""


def sixteen_bits(highest: float) -> int:
    """White of deep grey that uses all of its 16 bits, whatever its highest value."""
    return 65535


def to_rgb_array(array: object) -> ByteArray:
    """Make (H, W, 3) uint8 RGB, C-contiguous, of an array or tensor; the same memory if it can be.

    array: (H, W), (H, W, 1), (H, W, 3), or (H, W, 4) with alpha last. uint8; bool;
    uint16 0..65535; or float: 0..1, or 0..255 if any is above 1. Raises
    UnreadableImage for anything else.
    """
    values = _as_array(array)
    shape = values.shape
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
        if len(shape) == 3 and shape[0] in (1, 3, 4):
            raise UnreadableImage(
                f"the array has shape {shape}, channels first; expected (H, W, 3): transpose it, "
                "for example with array.transpose(1, 2, 0)"
            )
        raise UnreadableImage(
            f"the array has shape {shape}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        )
    if values.size == 0:
        raise UnreadableImage(f"the array has shape {shape}, which holds no pixel; give a picture")
    pixels = _eight_bit(values)
    if len(shape) == 2 or shape[2] == 1:
        return grey_to_rgb(pixels.reshape(shape[:2]))
    return np.ascontiguousarray(over_grey(pixels) if shape[2] == 4 else pixels)


def grey_to_rgb(grey: ByteArray) -> ByteArray:
    """(H, W) -> (H, W, 3), the same value three times."""
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def over_grey(rgba: ByteArray) -> ByteArray:
    """(H, W, 4) with alpha last -> (H, W, 3), laid over `GREY`."""
    alpha = rgba[:, :, 3:].astype(np.uint16)
    # at most 255 * 255 + 127, which a uint16 holds
    mixed = rgba[:, :, :3] * alpha + np.uint16(GREY) * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)


def downscale(image_rgb: ByteArray, factor: int) -> ByteArray:
    """Means of factor x factor pixels; what is left over at the far edges is averaged too."""
    from PIL import Image

    return np.asarray(Image.fromarray(image_rgb).reduce(factor))


def scaled(values: npt.NDArray[Any], scale: float) -> ByteArray:
    """values * scale, which must come to 0..255, rounded."""
    return np.rint(values * np.float32(scale)).astype(np.uint8)


def float_scale(low: float, high: float, name: str) -> float:
    """255 for values within 0..1, else 1 for values within 0..255; any other range is refused."""
    if low >= 0 and high <= 1:
        return 255.0
    if low >= 0 and high <= 255:
        return 1.0
    # NaN gets here too: no comparison with it is true
    raise UnreadableImage(
        f"{name} has values {low:g}..{high:g}; expected finite ones within 0..1 or 0..255"
    )


def as_stored(upright: ByteArray, orientation: int) -> ByteArray:
    """A view on the upright (H, W, 3), its rows as a file of this EXIF orientation stores them.

    Writing the stored rows into the view turns the picture upright, without a copy.
    """
    views = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }
    return views[orientation]


def _as_array(array: object) -> npt.NDArray[Any]:
    if not hasattr(array, "__array__"):
        raise UnreadableImage(
            f"a {type(array).__name__} is no picture; give a path, bytes, a PIL image or an array"
        )
    try:
        return np.asarray(array)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor on a GPU or with a gradient
        raise UnreadableImage(
            f"this {type(array).__name__} gives no array; detach it and move it to the CPU"
        ) from error


def _eight_bit(values: npt.NDArray[Any]) -> ByteArray:
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return scaled(values, 255)
    if values.dtype == np.uint16:
        return scaled(values, 1 / 257)
    if np.issubdtype(values.dtype, np.floating):
        return scaled(values, float_scale(float(values.min()), float(values.max()), "the array"))
    raise UnreadableImage(
        f"the array has dtype {values.dtype}; expected uint8, uint16, bool or float"
    )
