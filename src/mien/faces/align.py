"""Cut a face out of an image as a square crop, by the recipe that its embedder needs.

warp     rotation, scale and shift move the five points onto the ArcFace template.
margin   the box with a margin around it, as in the article.

Crops are (side, side, 3) uint8 RGB and carry the name of their recipe.
"""

from __future__ import annotations

import numpy as np

from mien.faces.geometry import similarity_transform
from mien.results import ByteArray, Crop, Face, FloatArray

WARP_SIDE = 112
WARP_RECIPE = f"warp{WARP_SIDE}"
# where ArcFace's training crops have eyes, nose and mouth corners, pixels of a 112 x 112 crop
# (Deng, Guo, Xue, Zafeiriou, "ArcFace", 2019, and the insightface code)
WARP_TEMPLATE_XY: FloatArray = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)


class UncroppableFace(ValueError):
    """The face's points or its box allow no crop."""


def warp_crop(image_rgb: ByteArray, face: Face) -> Crop:
    """Rotate and scale the face so that its five points are at those of the template.

    image_rgb: (H, W, 3) uint8. Returns (112, 112, 3), sampled bilinearly, as the training
    crops were; pixels outside the image are black. UncroppableFace if the points coincide or
    are not finite.
    """
    try:
        matrix = similarity_transform(WARP_TEMPLATE_XY, face.points_xy)  # crop -> image
    except ValueError as error:
        raise UncroppableFace(str(error)) from error
    grid = np.arange(WARP_SIDE, dtype=np.float32)
    x = matrix[0, 0] * grid[np.newaxis] + matrix[0, 1] * grid[:, np.newaxis] + matrix[0, 2]
    y = matrix[1, 0] * grid[np.newaxis] + matrix[1, 1] * grid[:, np.newaxis] + matrix[1, 2]
    return Crop(sample_bilinear(image_rgb, x, y), WARP_RECIPE)


def margin_crop(
    image_rgb: ByteArray, face: Face, *, side: int, margin: int, by_area: bool = False
) -> Crop:
    """Cut out the box, widened by the margin, and resize it to (side, side, 3).

    image_rgb: (H, W, 3) uint8. margin: pixels of the finished crop, both sides together,
    0 <= margin < side. by_area: resize by area means, as facenet-pytorch does for arrays;
    else by Pillow's bilinear filter, as it does for PIL images. UncroppableFace if the box lies
    outside the image.
    """
    if not np.isfinite(face.box_xyxy).all():
        raise UncroppableFace("the face's box is not finite")
    left, top, right, bottom = margin_box(face.box_xyxy, image_rgb.shape, side=side, margin=margin)
    cut = np.ascontiguousarray(image_rgb[top:bottom, left:right])
    if cut.size == 0:
        raise UncroppableFace("the face's box is outside the image")
    recipe = margin_recipe(side, margin)
    if by_area:
        import cv2

        return Crop(np.asarray(cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)), recipe)
    from PIL import Image

    resized = Image.fromarray(cut).resize((side, side), Image.Resampling.BILINEAR)
    return Crop(np.asarray(resized), recipe)


def margin_box(
    box_xyxy: FloatArray, image_shape: tuple[int, ...], *, side: int, margin: int
) -> tuple[int, int, int, int]:
    """The box with its margin, clipped to the image: left, top, right, bottom in whole pixels.

    box_xyxy: (4,) float32 pixels. image_shape: (H, W, ...).
    """
    extra = margin * (box_xyxy[2:] - box_xyxy[:2]) / np.float32(side - margin)
    low = np.maximum(box_xyxy[:2] - extra / 2, 0)
    high = np.minimum(box_xyxy[2:] + extra / 2, (image_shape[1], image_shape[0]))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def margin_recipe(side: int, margin: int) -> str:
    """The name of the recipe, such as "margin160+18"."""
    return f"margin{side}+{margin}"


def crop_by_recipe(image_rgb: ByteArray, face: Face, recipe: str) -> Crop:
    """Cut the crop of the recipe that an embedder row names. ValueError for another name."""
    if recipe == WARP_RECIPE:
        return warp_crop(image_rgb, face)
    if recipe.startswith("margin"):
        side, margin = recipe.removeprefix("margin").split("+")
        return margin_crop(image_rgb, face, side=int(side), margin=int(margin))
    raise ValueError(f"unknown crop recipe {recipe!r}")


def sample_bilinear(image_rgb: ByteArray, x: FloatArray, y: FloatArray) -> ByteArray:
    """Sample (H, W, 3) at fractional pixels x, y of equal shape; pixels outside are black."""
    shape = np.shape(x)
    height, width = image_rgb.shape[:2]
    # one pixel outside is black already, and the clip keeps the whole numbers small
    x, y = np.clip(x, -1, width).ravel(), np.clip(y, -1, height).ravel()
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    across, down = x - left, y - top
    values = np.ascontiguousarray(image_rgb).reshape(-1)
    channels = np.arange(3)[:, np.newaxis]
    total = np.zeros((3, len(x)), np.float32)  # a plane each: numpy is slow along an axis of 3
    is_inside = len(x) == 0 or (
        left.min() >= 0 and left.max() < width - 1 and top.min() >= 0 and top.max() < height - 1
    )
    for row, weight_down in ((top, 1 - down), (top + 1, down)):
        for column, weight_across in ((left, 1 - across), (left + 1, across)):
            weight = weight_down * weight_across
            places = row * width + column
            if not is_inside:
                outside = (row < 0) | (row >= height) | (column < 0) | (column >= width)
                weight[outside], places[outside] = 0, 0
            total += values.take(places * 3 + channels) * weight
    return np.ascontiguousarray(np.rint(total).astype(np.uint8).T).reshape(*shape, 3)
