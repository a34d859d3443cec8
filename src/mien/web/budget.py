"""A budget of processor time for the photos of one request: each is bounded, and so are all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from mien.errors import UsageError

MAX_CPU_S = 20.0  # 60 photos of a phone take a third of it, and one crafted photo 2 s

Item = TypeVar("Item")


def within_budget(
    photos: Iterable[Item], clock: Callable[[], float] = time.thread_time
) -> Iterator[Item]:
    """Each photo in turn. UsageError before another one once the time is used up.

    clock: processor seconds of the thread that walks the photos.
    """
    end = clock() + MAX_CPU_S
    for number, photo in enumerate(photos):
        if number and clock() > end:
            raise UsageError(
                f"the first {number} photos took over {MAX_CPU_S:.0f} s to search; send fewer, or"
                " photos with one face in front"
            )
        yield photo
