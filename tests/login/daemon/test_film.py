"""A film in place of a camera gives its frames at their own time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mien.login.film import paced, repeated
from mien.media.frame import Frame


def test_frames_come_when_a_camera_would_give_them_and_late_ones_are_left_out() -> None:
    now = [0.0]
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(round(seconds, 3))
        now[0] += seconds

    picture = np.zeros((2, 2, 3), np.uint8)
    film = [Frame(at_s, picture) for at_s in (0.0, 0.1, 0.2, 0.3, 0.9)]
    seen = []
    for frame in paced(film, clock=lambda: now[0], wait=wait):
        seen.append(frame.at_s)
        if frame.at_s == 0.1:
            now[0] += 0.25  # the look at this frame took long: that of 0.2 is long past
    assert seen == [0.0, 0.1, 0.3, 0.9]
    assert waits == [0.1, 0.55]


def test_a_film_begins_again_until_the_time_is_up() -> None:
    now = [0.0]
    picture = np.zeros((2, 2, 3), np.uint8)

    def read(seconds: float) -> Iterator[Frame]:
        yield from (Frame(at_s, picture) for at_s in (0.0, 0.1, 0.2))

    seen = []
    for frame in repeated(read, clock=lambda: now[0], seconds=0.5):
        seen.append(round(frame.at_s, 3))
        now[0] = frame.at_s
    assert seen == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_film_of_one_picture_is_shown_once() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    frames = repeated(lambda seconds: iter([Frame(0.0, picture)]), clock=lambda: 0.0, seconds=9.0)
    assert [frame.at_s for frame in frames] == [0.0]
