"""Read frames from a video file, a folder of pictures or a pipe, in place of a camera.

The input is not trusted: a stream may end in the middle, never end, stop without an end,
or claim that its frames are larger than memory.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mien.errors import UnreadableImage, UsageError, quote_path
from mien.media.frame import Frame, FrameLimit, SensorDepth
from mien.media.image_file import read_image
from mien.media.mjpeg import START as MJPEG_START
from mien.media.mjpeg import STEP_S, read_mjpeg
from mien.media.photo_paths import find_photos
from mien.media.stream import Stream
from mien.media.video_file import read_video_file
from mien.media.y4m import START as Y4M_START
from mien.media.y4m import read_y4m
from mien.system.open_flags import NO_TERMINAL, READ

MAX_FRAME_BYTES = 64 * 1024 * 1024

TimeLeft = Callable[[], float]
"""Gives the seconds until the time is up."""


def read_video(
    source: str,
    *,
    clock: Callable[[], float],
    timeout_s: float,
    max_frame_bytes: int = MAX_FRAME_BYTES,
) -> Iterator[Frame]:
    """Frames of a file, a folder of pictures, or "-" for standard input.

    Y4M and motion JPEG are read by mien, also from a pipe; other videos by OpenCV, from a
    file. clock: monotonic seconds. timeout_s: how long frames are read. max_frame_bytes:
    limit for one frame of motion JPEG. Raises UsageError for another kind of source, and
    UnreadableImage if no frame can be read.
    """
    limit = FrameLimit(clock, timeout_s)
    found = False
    for frame in limit.apply(_read_source(source, limit.left_s, max_frame_bytes)):
        found = True
        yield frame
    if found:
        return
    if limit.left_s() <= 0:
        raise UnreadableImage(
            f"no complete frame was received from {_describe(source)} in {timeout_s:g} s; check "
            "the program that writes it, or give a longer --timeout"
        )
    raise UnreadableImage(f"{_describe(source)} has no frame that can be read; give another video")


def _describe(source: str) -> str:
    return "standard input" if source == "-" else quote_path(source)


def _read_source(source: str, left_s: TimeLeft, max_frame_bytes: int) -> Iterator[Frame]:
    try:
        with _opened(source) as descriptor:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                yield from _read_folder(source, left_s)
                return
            stream = Stream(descriptor, left_s)
            stream.fill(len(Y4M_START))
            if stream.buffer.startswith(Y4M_START):
                yield from read_y4m(stream, _describe(source))
            elif stream.buffer.startswith(MJPEG_START):
                yield from read_mjpeg(stream, max_bytes=max_frame_bytes)
            elif left_s() > 0:
                yield from _read_with_opencv(source, descriptor)
    except OSError as error:
        raise _unreadable(source, error.strerror or "it failed") from error


@contextmanager
def _opened(source: str) -> Iterator[int]:
    """Open a file, a folder or a pipe without waiting for the writer of a pipe."""
    if source == "-":
        yield _standard_input()
        return
    try:
        descriptor = os.open(source, READ | NO_TERMINAL)
    except ValueError as error:  # a zero byte or a lone surrogate in the name
        raise _unreadable(source, "the name is not valid") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISFIFO(mode)):
            raise UsageError(f"{quote_path(source)} is a device; for a camera use --camera")
        yield descriptor
    finally:
        os.close(descriptor)


def _standard_input() -> int:
    try:
        if sys.stdin is not None:  # None where the caller closed it
            return sys.stdin.fileno()
    except (OSError, ValueError):  # a program replaced it
        pass
    raise UsageError("there is no standard input to read frames from; name a video file")


def _unreadable(source: str, why: str) -> UnreadableImage:
    return UnreadableImage(f"cannot read {_describe(source)}: {why}; check the path")


def _read_folder(folder: str, left_s: TimeLeft) -> Iterator[Frame]:
    """Pictures in natural order; one that cannot be read is skipped."""
    depth = SensorDepth()
    for number, path in enumerate(find_photos([folder])):
        if left_s() <= 0:
            return
        try:
            image = read_image(path, white_level=depth.white_level)
        except UnreadableImage:
            continue
        yield Frame(number * STEP_S, image)


def _read_with_opencv(source: str, descriptor: int) -> Iterator[Frame]:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) or source == "-":
        raise UsageError(
            f"{_describe(source)} is neither Y4M nor motion JPEG, the formats read from a pipe;"
            " convert it, for example: ffmpeg -i VIDEO -f mjpeg -"
        )
    yield from read_video_file(os.path.abspath(source))
