"""A budget of processor time for the photos of one request: each is bounded, and so are all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from mien.errors import UsageError

MAX_CPU_S = 20.0  # 60 photos of a phone take a third of it, and one crafted photo 2 s

Item = TypeVar("Item")


class Budget:
    """For one request, from the first photo on. clock: processor seconds of the thread that walks
    the photos."""

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._end, self._count = 0.0, 0

    def within(self, photos: Iterable[Item]) -> Iterator[Item]:
        """Each photo in turn. UsageError before another one once the time is used up, also by the
        photos of earlier calls."""
        for photo in photos:
            if not self._count:
                self._end = self._clock() + MAX_CPU_S
            elif self._clock() > self._end:
                raise UsageError(
                    f"the first {self._count} photos took over {MAX_CPU_S:.0f} s to search; send"
                    " fewer, or photos with one face in front"
                )
            self._count += 1
            yield photo


def within_budget(
    photos: Iterable[Item], clock: Callable[[], float] = time.thread_time
) -> Iterator[Item]:
    """Each photo in turn, within a budget of their own: `Budget.within`."""
    return Budget(clock).within(photos)
