"""Convert arrays of many dtypes and shapes to RGB uint8, without any I/O."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mien.errors import UnreadableImage, one_line
from mien.results import ByteArray

if TYPE_CHECKING:
    from collections.abc import Callable

BACKGROUND_GREY = 128
"""The colour behind transparent pixels. The networks get (x - 127.5) / 128, so it is about 0
for them. The colours stored under transparent pixels are not used."""

WhiteLevel: TypeAlias = "Callable[[float], int]"
"""Gives the value of white from the highest value of a grey picture of more than 8 bits."""


def white_of_sensor(highest: float) -> int:
    """White of the fewest bits that hold the highest value: 10, 12, 14 or 16 bits.

    A picture of 16 bits that is so dark throughout would show nothing otherwise.
    """
    return next((white for white in (1023, 4095, 16383) if 255 < highest <= white), 65535)


def to_rgb_array(array: object) -> ByteArray:
    """Convert an array or tensor to (H, W, 3) uint8 RGB, C-contiguous, without a copy if possible.

    array: (H, W), (H, W, 1), (H, W, 3), or (H, W, 4) with alpha last. uint8; bool;
    uint16 0..65535; or float: 0..1, or 0..255 if any is above 1. A tensor may have a
    gradient and lie on any device. Raises UnreadableImage for anything else.
    """
    values = _to_array(array)
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
        raise UnreadableImage(f"the array has shape {shape}, which has no pixels; give a picture")
    pixels = _eight_bit(values)
    if len(shape) == 2 or shape[2] == 1:
        return grey_to_rgb(pixels.reshape(shape[:2]))
    return np.ascontiguousarray(blend_over_grey(pixels) if shape[2] == 4 else pixels)


def grey_to_rgb(grey: ByteArray) -> ByteArray:
    """(H, W) -> (H, W, 3), the same value three times."""
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def blend_over_grey(rgba: ByteArray) -> ByteArray:
    """(H, W, 4) with alpha last -> (H, W, 3), blended over `BACKGROUND_GREY`."""
    alpha = rgba[:, :, 3:].astype(np.uint16)
    # at most 255 * 255 + 127, which a uint16 holds
    mixed = rgba[:, :, :3] * alpha + np.uint16(BACKGROUND_GREY) * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)


def downscale(image_rgb: ByteArray, factor: int) -> ByteArray:
    """Shrink (H, W, 3) uint8 RGB by a whole factor: means of factor x factor pixels.

    Smaller blocks at the right and lower edges are averaged too.
    """
    from PIL import Image

    return np.asarray(Image.fromarray(image_rgb).reduce(factor))


def factor_to_fit(image_rgb: ByteArray, most_pixels: int) -> int:
    """The least whole factor by which the picture has at most so many pixels; 1 or more."""
    pixels = image_rgb.shape[0] * image_rgb.shape[1]
    return max(1, math.ceil(math.sqrt(pixels / most_pixels)))


def shrink_to(image_rgb: ByteArray, most_pixels: int) -> ByteArray:
    """`downscale` by `factor_to_fit`; the picture itself where it is small enough."""
    factor = factor_to_fit(image_rgb, most_pixels)
    return image_rgb if factor == 1 else downscale(image_rgb, factor)


def scale_to_bytes(values: npt.NDArray[Any], scale: float) -> ByteArray:
    """values * scale, rounded, as uint8. The caller makes sure that it lies within 0..255."""
    return np.rint(values * np.float32(scale)).astype(np.uint8)


def float_scale(low: float, high: float, name: str) -> float:
    """The factor that brings floats of this range to 0..255: 255 for 0..1, else 1 for 0..255.

    Raises UnreadableImage for any other range, NaN included.
    """
    if low >= 0 and high <= 1:
        return 255.0
    if low >= 0 and high <= 255:
        return 1.0
    # NaN too: no comparison with it is true
    raise UnreadableImage(
        f"{name} has values {low:g}..{high:g}; expected finite ones within 0..1 or 0..255"
    )


def stored_view(upright: ByteArray, orientation: int) -> ByteArray:
    """A view of the upright (H, W, 3) in the order in which a file stores its rows.

    orientation: EXIF, 1..8. Writing the stored rows into the view turns the picture
    upright, without a copy.
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


def _to_array(source: Any) -> npt.NDArray[Any]:
    if not hasattr(source, "__array__"):
        raise UnreadableImage(
            f"a {type(source).__name__} is not a picture; "
            "give a path, bytes, an open file, a PIL image or an array"
        )
    try:
        # torch's tensors, without importing torch: those with a gradient or on a GPU give no array
        if hasattr(source, "detach") and hasattr(source, "cpu"):
            source = source.detach().cpu()
            if str(source.dtype) == "torch.bfloat16":  # numpy has no such type
                source = source.float()
        return np.asarray(source)
    except (TypeError, ValueError, RuntimeError) as error:  # a sparse tensor, for example
        raise UnreadableImage(
            f"this {type(source).__name__} cannot be converted to an array: {one_line(error)}; "
            "convert it to float32 or uint8"
        ) from error


def _eight_bit(values: npt.NDArray[Any]) -> ByteArray:
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return scale_to_bytes(values, 255)
    if values.dtype == np.uint16:
        return scale_to_bytes(values, 1 / 257)
    if np.issubdtype(values.dtype, np.floating):
        return scale_to_bytes(
            values, float_scale(float(values.min()), float(values.max()), "the array")
        )
    raise UnreadableImage(
        f"the array has dtype {values.dtype}; expected uint8, uint16, bool or float"
    )
