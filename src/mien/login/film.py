"""A film in place of the camera of the login daemon: for tests, and to try the daemon out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mien.media.frame import Frame

LATE_S = 0.1


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
