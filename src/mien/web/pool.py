"""Worker threads: one call for each core at a time, a short queue, and a refusal beyond it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

QUEUED_PER_WORKER = 3  # besides the running one: four calls are accepted for each core

Result = TypeVar("Result")


class PoolFull(Exception):
    """No more calls are accepted now; try again in a second."""


class WorkerPool:
    """Runs calls on threads, off the event loop. workers: how many calls run at the same time."""

    def __init__(self, workers: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="mien-call")
        self._capacity = workers * (1 + QUEUED_PER_WORKER)
        self._active = 0

    @property
    def active(self) -> int:
        """How many calls were accepted and have not ended: running and queued."""
        return self._active

    @property
    def is_full(self) -> bool:
        """Whether a call would be refused now."""
        return self._active >= self._capacity

    async def run(self, call: Callable[[], Result]) -> Result:
        """Run the call on a worker thread. Raises PoolFull at once, and what the call raises.

        A client that disconnects frees no place before its call has ended.
        """
        if self.is_full:
            raise PoolFull
        self._active += 1
        loop = asyncio.get_running_loop()
        try:
            future: Future[Result] = self._executor.submit(call)
        except BaseException:
            self._active -= 1
            raise
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._release))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait until every accepted call has ended."""
        self._executor.shutdown(wait=True)

    def _release(self) -> None:
        self._active -= 1
