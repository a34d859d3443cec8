"""Read motion JPEG: JPEG images one after the other, separated by parsing their segments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from mien.errors import UnreadableImage
from mien.media.frame import Frame
from mien.media.image_file import read_image
from mien.media.stream import Stream

START = b"\xff\xd8\xff"
STEP_S = 0.1  # between frames, as the format has no times
START_CODE, END_CODE = 0xD8, 0xD9
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # only markers that a segment follows


def read_mjpeg(stream: Stream, *, max_bytes: int) -> Iterator[Frame]:
    """Yield each JPEG as a frame; one that cannot be read is skipped.

    Raises UnreadableImage for more than `max_bytes` without the end of an image.
    """
    number = 0
    while _skip_to_start(stream, max_bytes):
        end = _find_end(stream, max_bytes)
        if end is None:
            return  # the last image is cut off
        with suppress(UnreadableImage):
            yield Frame(number * STEP_S, read_image(stream.take(end)))
        number += 1


def _skip_to_start(stream: Stream, max_bytes: int) -> bool:
    """Skip what lies between two images, such as a multipart header; False at the end."""
    passed = 0
    while (at := stream.buffer.find(START)) < 0:
        over = max(0, len(stream.buffer) - len(START) + 1)  # a start may continue in the next bytes
        stream.drop(over)
        passed += over
        if passed > max_bytes:
            raise _endless_error()
        if not stream.fill(len(stream.buffer) + 1):
            return False
    stream.drop(at)
    return True


def _find_end(stream: Stream, max_bytes: int) -> int | None:
    """Offset of the end of the image at the start of the buffer; None if it is cut off.

    Goes from marker to marker and skips each segment by its length, because a thumbnail
    in a segment has an end marker of its own.
    """
    at = len(START) - 1
    while True:
        marker = _find_marker(stream.buffer, at)
        if marker is None:
            at = max(at, len(stream.buffer) - 1)  # a marker may continue in the next bytes
            needed = max(at, len(stream.buffer)) + 1
        else:
            code, at = stream.buffer[marker + 1], marker + 2
            if code == END_CODE:
                return at
            if code == START_CODE:
                return marker  # the next image starts: this one is cut off
            if not stream.fill(at + 2):
                return None
            at += int.from_bytes(stream.buffer[at : at + 2], "big")
            needed = at
        if needed > max_bytes:
            raise _endless_error()
        if not stream.fill(needed):
            return None


def _find_marker(buffer: bytearray, at: int) -> int | None:
    # a match object locks the buffer against growing, so it must not leave this function
    found = MARKER.search(buffer, at)
    return None if found is None else found.start()


def _endless_error() -> UnreadableImage:
    return UnreadableImage("a frame of the stream has no end; give another stream")
