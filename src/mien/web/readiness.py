"""Whether the service is ready, asked at most once in some seconds, however many clients ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mien.errors import MienError

FRESH_S = 2.0


class Readiness:
    """check: raises what is wrong; runs on a thread of its own. clock: seconds, monotonic."""

    def __init__(self, check: Callable[[], object], clock: Callable[[], float]) -> None:
        self._check, self._clock = check, clock
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="mien-ready")
        self._answer: asyncio.Future[object] | None = None
        self._asked_at = 0.0

    async def wait(self) -> None:
        """Return if the service is ready; raise what the check raised."""
        answer, now = self._answer, self._clock()
        if answer is None or (answer.done() and now - self._asked_at >= FRESH_S):
            answer = asyncio.wrap_future(self._executor.submit(self._check))
            self._answer, self._asked_at = answer, now
        await asyncio.shield(answer)  # a client that leaves stops it for nobody else

    async def is_ready(self, *, within_s: float) -> bool:
        """Whether the service is ready, and is found so in that time."""
        try:
            await asyncio.wait_for(self.wait(), within_s)
        except (MienError, asyncio.TimeoutError):
            return False
        return True

    def close(self) -> None:
        """Wait until a check that runs has ended."""
        self._executor.shutdown(wait=True)
