"""Read frames of a video file with OpenCV's FFmpeg."""

from __future__ import annotations

from collections.abc import Iterator

from mien.errors import UnreadableImage, quote_path
from mien.media.frame import MAX_FRAME_PIXELS, Frame, SensorDepth
from mien.media.opencv_frame import opencv_to_rgb, silence_opencv


def read_video_file(path: str) -> Iterator[Frame]:
    """Frames of a video file, by OpenCV's FFmpeg. Raises UnreadableImage if it is not a video."""
    with silence_opencv():
        yield from _read_capture(path)


def _read_capture(path: str) -> Iterator[Frame]:
    import cv2

    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    depth = SensorDepth()
    try:
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not capture.isOpened() or not 0 < size <= MAX_FRAME_PIXELS:
            raise UnreadableImage(
                f"{quote_path(path)} is not a video that can be read; give another"
            )
        while True:
            there, picture = capture.read()
            if not there:
                return
            yield Frame(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0, opencv_to_rgb(picture, depth))
    finally:
        capture.release()
