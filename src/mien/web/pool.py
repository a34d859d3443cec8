"""As many calls at once as there are cores, a few that wait, and an answer at once for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

WAITING_PER_WORKER = 3  # besides the one that is worked on: four admitted for each core

Made = TypeVar("Made")


class Busy(Exception):
    """Too many calls are inside already; come back in a second."""


class Gate:
    """Runs work on threads, off the event loop. workers: calls at the same time."""

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="mien-call")
        self._limit = workers * (1 + WAITING_PER_WORKER)
        self._inside = 0

    @property
    def inside(self) -> int:
        """Calls that were let in and have not ended."""
        return self._inside

    @property
    def full(self) -> bool:
        """Whether a call would be turned away now."""
        return self._inside >= self._limit

    async def run(self, work: Callable[[], Made]) -> Made:
        """What `work` gives. Raises Busy at once, and what `work` raises.

        A caller who leaves takes no place away from the next one sooner than its work ends.
        """
        if self.full:
            raise Busy
        self._inside += 1
        loop = asyncio.get_running_loop()
        try:
            future: Future[Made] = self._pool.submit(work)
        except BaseException:
            self._inside -= 1
            raise
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait for what was let in."""
        self._pool.shutdown(wait=True)

    def _leave(self) -> None:
        self._inside -= 1
