"""Frames from a film, a folder of pictures or a pipe: the way of a camera, without one.

Everything that comes in is hostile: a stream may end in the middle, never end, stop without
an end, or say that its pictures are larger than memory.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mien.errors import UnreadableImage, UsageError, quote_path
from mien.media.camera import read_video_file
from mien.media.frame import Depth, Frame, Limit
from mien.media.image_file import read_image
from mien.media.mjpeg import START as MJPEG_START
from mien.media.mjpeg import STEP_S, read_mjpeg
from mien.media.photo_paths import find_photos
from mien.media.stream import Stream
from mien.media.y4m import START as Y4M_START
from mien.media.y4m import read_y4m

MAX_FRAME_BYTES = 64 * 1024 * 1024

Left = Callable[[], float]
"""Seconds until the time is up."""


def read_video(
    source: str,
    *,
    clock: Callable[[], float],
    timeout_s: float,
    max_frame_bytes: int = MAX_FRAME_BYTES,
) -> Iterator[Frame]:
    """Frames of a file, a folder of pictures, or "-" for standard input, for so many seconds.

    Y4M and motion JPEG are read by mien, also from a pipe; other films by OpenCV, from a
    file. clock: seconds that only rise. Raises UsageError for what is none of these, and
    UnreadableImage where not one frame can be read.
    """
    limit = Limit(clock, timeout_s)
    found = False
    for frame in limit.hold(_frames_of(source, limit.left_s, max_frame_bytes)):
        found = True
        yield frame
    if found:
        return
    if limit.left_s() <= 0:
        raise UnreadableImage(
            f"no whole frame came from {_named(source)} in {timeout_s:g} s; look at what writes"
            " it, or give a longer --timeout"
        )
    raise UnreadableImage(f"there is no frame in {_named(source)} that can be read; give another")


def _named(source: str) -> str:
    return "standard input" if source == "-" else quote_path(source)


def _frames_of(source: str, left_s: Left, max_frame_bytes: int) -> Iterator[Frame]:
    try:
        with _opened(source) as descriptor:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                yield from _folder_frames(source, left_s)
                return
            stream = Stream(descriptor, left_s)
            stream.reach(len(Y4M_START))
            if stream.held.startswith(Y4M_START):
                yield from read_y4m(stream, _named(source))
            elif stream.held.startswith(MJPEG_START):
                yield from read_mjpeg(stream, max_bytes=max_frame_bytes)
            elif left_s() > 0:
                yield from _other_frames(source, descriptor)
    except OSError as error:
        raise _unreadable(source, error.strerror or "it failed") from error


@contextmanager
def _opened(source: str) -> Iterator[int]:
    """The descriptor of a file, a folder or a pipe; a pipe is not waited for."""
    if source == "-":
        yield _standard_input()
        return
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError as error:  # a zero byte or a lone surrogate in the name
        raise _unreadable(source, "no such name") from error
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
    except (OSError, ValueError):  # a program put something else in its place
        pass
    raise UsageError("there is no standard input to read frames from; name a film")


def _unreadable(source: str, why: str) -> UnreadableImage:
    return UnreadableImage(f"cannot read {_named(source)}: {why}; check the path")


def _folder_frames(folder: str, left_s: Left) -> Iterator[Frame]:
    """Pictures in natural order. One that cannot be read is passed over, as a door has to."""
    depth = Depth()
    for number, path in enumerate(find_photos([folder])):
        if left_s() <= 0:
            return
        try:
            image = read_image(path, white_of=depth.white)
        except UnreadableImage:
            continue
        yield Frame(number * STEP_S, image)


def _other_frames(source: str, descriptor: int) -> Iterator[Frame]:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) or source == "-":
        raise UsageError(
            f"{_named(source)} is neither Y4M nor motion JPEG; a pipe takes these two, for example"
            " ffmpeg -i FILM -f mjpeg -"
        )
    yield from read_video_file(os.path.abspath(source))
