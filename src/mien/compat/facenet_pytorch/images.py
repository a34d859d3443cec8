"""Crops and pixel scaling with torch tensors, as facenet-pytorch 2.6 exports them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mien.compat.crops import cut_face, face_at, is_tensor, read_pixels, save_crop
from mien.faces.align import margin_box
from mien.results import ByteArray, Face


def extract_face(
    img: Any, box: Any, image_size: int = 160, margin: int = 0, save_path: Any = None
) -> Tensor:
    """Cut one box out of an image: (3, image_size, image_size) float32, 0..255.

    img: a PIL image, an array or a tensor (H, W, 3). box: left, top, right, bottom, pixels.
    margin: pixels of the crop, 0 <= margin < image_size. save_path: a picture file for
    the crop. Raises UnreadableImage, or ValueError for a box outside the image.
    """
    if not 0 <= margin < image_size:
        raise ValueError(f"margin must be 0 to {image_size - 1}, below image_size, not {margin}")
    return cut_tensor(img, read_as_stored(img), face_at(box), image_size, margin, save_path)


def cut_tensor(
    img: Any,
    pixels: ByteArray,
    face: Face,
    image_size: int,
    margin: int,
    save_path: Any = None,
    row: int = 0,
) -> Tensor:
    """As `extract_face`, for an image that was read already. row: of the face, for its file."""
    if is_tensor(img) and img.is_floating_point():
        cut = _cut_floats(img, pixels, face, image_size, margin)
    else:
        cut = cut_face(img, pixels, face, side=image_size, margin=margin)
    if save_path is not None:
        save_crop(cut, save_path, row)
    return torch.from_numpy(np.ascontiguousarray(cut.transpose(2, 0, 1), dtype=np.float32))


def read_as_stored(img: Any) -> ByteArray:
    """(H, W, 3) uint8 RGB of an image, not turned by its EXIF if it is a PIL image.

    The reference takes the pixels of a PIL image as they are stored, and its boxes are
    places in them; a program may go on to draw on that image.
    """
    from PIL import Image

    if not isinstance(img, Image.Image):
        return read_pixels(img)
    bare = img.copy()
    kept = ("transparency",) if "transparency" in img.info else ()
    bare.info = {name: img.info[name] for name in kept}
    return read_pixels(bare)


def open_sources(img: Any) -> Any:
    """The images given, with paths, bytes and files replaced by PIL images, read once."""
    from PIL import Image

    if isinstance(img, (list, tuple)):
        return [open_sources(one) for one in img]
    if isinstance(img, (np.ndarray, Image.Image)) or is_tensor(img):
        return img
    return Image.fromarray(read_pixels(img))


def fixed_image_standardization(image_tensor: Tensor) -> Tensor:
    """(x - 127.5) / 128: pixels 0..255 as the published weights expect them."""
    return (image_tensor - 127.5) / 128.0


def prewhiten(x: Tensor) -> Tensor:
    """Shift and scale a tensor to mean 0 and deviation 1, as older facenet weights expect it.

    The deviation counts as at least one over the root of the number of values.
    """
    deviation = x.std().clamp(min=1.0 / x.numel() ** 0.5)
    return (x - x.mean()) / deviation


def _cut_floats(
    img: Tensor, pixels: ByteArray, face: Face, image_size: int, margin: int
) -> ByteArray:
    """Adaptive average pooling of the tensor's own values, which `pixels` has rounded."""
    left, top, right, bottom = margin_box(
        face.box_xyxy, pixels.shape, side=image_size, margin=margin
    )
    values = img.detach().cpu().float()
    if values.max() <= 1:  # as `read_image` takes floats within 0..1
        values = values * 255
    cut = values.reshape(*pixels.shape[:2], -1)[top:bottom, left:right]
    if cut.numel() == 0:
        raise ValueError("the face's box is outside the image")
    if cut.shape[2] != 3:  # grey, or with alpha
        return cut_face(torch.from_numpy(pixels), pixels, face, side=image_size, margin=margin)
    maps = cut.permute(2, 0, 1).unsqueeze(0)
    means = functional.interpolate(maps, (image_size, image_size), mode="area")
    cropped: ByteArray = means.byte().squeeze(0).permute(1, 2, 0).numpy()
    return cropped
