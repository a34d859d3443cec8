"""A film in place of the camera of the login daemon: for tests, and to try the daemon out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mien.media.frame import Frame

LATE_S = 0.1

ReadFilm = Callable[[float], Iterator[Frame]]
"""Reads a film from its start, for so many seconds."""


def repeated(read_film: ReadFilm, *, clock: Callable[[], float], seconds: float) -> Iterator[Frame]:
    """The film again and again, as a camera does not end by itself. clock: monotonic seconds."""
    end_s, offset_s = clock() + seconds, 0.0
    while (left_s := end_s - clock()) > 0:
        times = []
        for frame in read_film(left_s):
            times.append(frame.at_s)
            yield Frame(offset_s + frame.at_s, frame.image_rgb)
        if len(times) < 2:
            return
        offset_s += times[-1] + (times[-1] - times[0]) / (len(times) - 1)


def paced(
    frames: Iterable[Frame], *, clock: Callable[[], float], wait: Callable[[float], None]
) -> Iterator[Frame]:
    """Give each frame when a camera would: at its own time, and not at all when that is long past.

    clock: monotonic seconds. wait: waits for so many seconds.
    """
    start_s = clock()
    for frame in frames:
        left_s = start_s + frame.at_s - clock()
        if left_s > 0:
            wait(left_s)
        elif left_s < -LATE_S:
            continue
        yield frame
