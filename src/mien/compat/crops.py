"""Pictures as facenet-pytorch 2.6 takes them, and the crops that it cuts from them.

It resizes by what it was given: PIL images bilinear, arrays by OpenCV's area means (rounded),
tensors by adaptive average pooling (cut down to whole numbers). So does this module.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import UnreadableImage
from mien.faces.align import margin_box, margin_crop
from mien.faces.pyramid import AreaTable
from mien.faces.select import SELECTION_METHODS, unknown_method
from mien.media.image_file import read_image
from mien.results import ByteArray, Face, FloatArray


def check_crop_settings(image_size: int, margin: int, selection_method: str | None) -> None:
    """Raises ValueError unless 0 <= margin < image_size and the method is known or None."""
    if not 0 <= margin < image_size:
        raise ValueError(f"margin must be 0 to {image_size - 1}, below image_size, not {margin}")
    if selection_method not in (None, *SELECTION_METHODS):
        raise ValueError(unknown_method(selection_method))


def is_tensor(source: object) -> bool:
    """Whether this is a torch tensor, told without importing torch."""
    return all(hasattr(source, name) for name in ("detach", "cpu", "numpy"))


def is_batch(source: object) -> bool:
    """Whether this is many images: a list, a tuple, or an array or tensor (b, H, W, c)."""
    return isinstance(source, (list, tuple)) or getattr(source, "ndim", 0) == 4


def read_pixels(source: Any) -> ByteArray:
    """(H, W, 3) uint8 RGB of whatever `read_image` takes, or of a tensor (H, W, 3).

    Tensors may be on any device, of any dtype, and with a gradient, which is left behind.
    Whole numbers within 0..255 are pixel values in every dtype, as in the reference.
    Raises UnreadableImage.
    """
    values = tensor_to_array(source) if is_tensor(source) else source
    if isinstance(values, np.ndarray) and _are_pixel_values(values):
        values = values.astype(np.uint8)
    return read_image(values)


def tensor_to_array(tensor: Any) -> npt.NDArray[Any]:
    """The values of a tensor, as float32 where numpy lacks its dtype (bfloat16).

    Raises UnreadableImage for a tensor without values, such as one on the meta device.
    """
    try:
        on_cpu = tensor.detach().cpu()
        try:
            return np.asarray(on_cpu.numpy())
        except TypeError:
            return np.asarray(on_cpu.float().numpy())
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise UnreadableImage(
            f"this tensor of {tensor.dtype} on {tensor.device} gives no array; "
            "pass a dense tensor of pixel values"
        ) from error


def cut_face(source: Any, pixels: ByteArray, face: Face, *, side: int, margin: int) -> ByteArray:
    """The box of `face` with its margin, resized to (side, side, 3) uint8.

    source: the picture as the caller gave it, which decides the filter. pixels: the same as
    `read_pixels` gave it. margin: pixels of the crop, 0 <= margin < side. ValueError if the
    box lies outside the picture.
    """
    if is_tensor(source):
        return _cut_by_mean(pixels, face, side=side, margin=margin)
    by_area = isinstance(source, np.ndarray)
    return margin_crop(pixels, face, side=side, margin=margin, by_area=by_area).pixels


def face_at(box_xyxy: Any) -> Face:
    """A face of which only the box (4,), pixels, is known."""
    box = np.asarray(box_xyxy, np.float32).reshape(4)
    return Face(box, np.zeros((5, 2), np.float32), 1.0)


def save_crop(pixels: ByteArray, path: str | os.PathLike[str], row: int = 0) -> None:
    """Write (s, s, 3) uint8 as a picture; face `row` > 0 of a picture gets `_2`, `_3`, ..."""
    from PIL import Image

    first = Path(path)
    first.parent.mkdir(parents=True, exist_ok=True)
    name = first if row == 0 else first.with_name(f"{first.stem}_{row + 1}{first.suffix}")
    Image.fromarray(pixels).save(name)


def standardise(crops: FloatArray) -> FloatArray:
    """(x - 127.5) / 128 of float32 pixels 0..255."""
    return (crops - np.float32(127.5)) / np.float32(128)


def list_save_paths(save_path: Any, count: int) -> list[Any]:
    """One path, or None, for each of `count` images; ValueError for another number of paths."""
    if save_path is None:
        return [None] * count
    # a text is a sequence too, of letters
    paths = [save_path] if isinstance(save_path, (str, os.PathLike)) else list(save_path)
    if len(paths) != count:
        raise ValueError(f"{count} images and {len(paths)} save paths; give one for each")
    return paths


def _are_pixel_values(values: npt.NDArray[Any]) -> bool:
    if values.dtype == np.uint8 or not np.issubdtype(values.dtype, np.integer):
        return False
    return bool(values.size and values.min() >= 0 and values.max() <= 255)


def _cut_by_mean(pixels: ByteArray, face: Face, *, side: int, margin: int) -> ByteArray:
    box = margin_box(face.box_xyxy, pixels.shape, side=side, margin=margin)
    left, top, right, bottom = box
    cut = np.ascontiguousarray(pixels[top:bottom, left:right])
    if cut.size == 0:
        raise ValueError("the face's box is outside the image")
    whole = np.array([[0, 0, cut.shape[1], cut.shape[0]]], np.intp)
    means = AreaTable(cut).crops(whole, side)[0]  # (3, side, side), 0..255
    return np.ascontiguousarray(means.transpose(1, 2, 0).astype(np.uint8))
