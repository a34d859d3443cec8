"""What OpenCV gives made into RGB, and OpenCV kept from writing to standard error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mien.media.frame import SensorDepth
from mien.media.pixels import grey_to_rgb, scale_to_bytes
from mien.results import ByteArray


def opencv_to_rgb(picture: np.ndarray, depth: SensorDepth) -> ByteArray:
    """Convert a frame of OpenCV to (H, W, 3) uint8 RGB.

    picture: (H, W), (H, W, 1) or (H, W, 3) BGR, uint8 or uint16.
    """
    if picture.dtype != np.uint8:
        picture = scale_to_bytes(picture, 255 / depth.white_level(float(picture.max())))
    if picture.ndim == 2 or picture.shape[2] == 1:
        return grey_to_rgb(picture.reshape(picture.shape[:2]))
    return np.ascontiguousarray(picture[..., 2::-1])


def png_bytes(image_rgb: ByteArray) -> bytes:
    """(H, W, 3) uint8 RGB as a PNG file. Raises ValueError for a picture that PNG cannot hold."""
    import cv2

    there, png = cv2.imencode(".png", image_rgb[..., ::-1])
    if not there:
        raise ValueError("PNG cannot hold the picture")
    return bytes(png)


@contextmanager
def silence_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from writing to standard error; mien raises errors instead."""
    import cv2

    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    log = cv2.utils.logging
    before = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)
