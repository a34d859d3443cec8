"""Motion JPEG: one JPEG after the other, told apart by their segments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from mien.errors import UnreadableImage
from mien.media.frame import Frame
from mien.media.image_file import read_image
from mien.media.stream import Stream

START = b"\xff\xd8\xff"
STEP_S = 0.1  # between pictures that say no time of their own
BEGINS, ENDS = 0xD8, 0xD9
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # those without a segment are none to us


def read_mjpeg(stream: Stream, *, max_bytes: int) -> Iterator[Frame]:
    """JPEG after JPEG. One that cannot be read is passed over, as a door has to.

    Raises UnreadableImage for more than `max_bytes` without an end.
    """
    number = 0
    while _go_to_start(stream, max_bytes):
        end = _end_of_picture(stream, max_bytes)
        if end is None:
            return  # cut off: what came before was whole
        with suppress(UnreadableImage):
            yield Frame(number * STEP_S, read_image(stream.take(end)))
        number += 1


def _go_to_start(stream: Stream, max_bytes: int) -> bool:
    """Over whatever lies between two pictures, such as the header of a part; False at the end."""
    passed = 0
    while (at := stream.held.find(START)) < 0:
        over = max(0, len(stream.held) - len(START) + 1)  # a start may lie across what comes next
        stream.drop(over)
        passed += over
        if passed > max_bytes:
            raise _endless()
        if not stream.reach(len(stream.held) + 1):
            return False
    stream.drop(at)
    return True


def _end_of_picture(stream: Stream, max_bytes: int) -> int | None:
    """Where the picture ends that the stream stands at; None where the stream ends before.

    From marker to marker, over each segment by its length: a thumbnail in one has an end
    of its own.
    """
    at = len(START) - 1
    while True:
        marker = _marker(stream.held, at)
        if marker is None:
            at = max(at, len(stream.held) - 1)  # a marker may lie across what comes next
            needed = max(at, len(stream.held)) + 1
        else:
            code, at = stream.held[marker + 1], marker + 2
            if code == ENDS:
                return at
            if code == BEGINS:
                return marker  # the next one: this one was cut off
            if not stream.reach(at + 2):
                return None
            at += int.from_bytes(stream.held[at : at + 2], "big")
            needed = at
        if needed > max_bytes:
            raise _endless()
        if not stream.reach(needed):
            return None


def _marker(held: bytearray, at: int) -> int | None:
    # a match keeps the bytes from growing while it lives, so it does not leave this function
    found = MARKER.search(held, at)
    return None if found is None else found.start()


def _endless() -> UnreadableImage:
    return UnreadableImage("a frame of the stream never ends; give another stream")
