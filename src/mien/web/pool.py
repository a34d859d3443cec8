"""Worker threads with fair places: no client can take all of them, or the whole queue."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

QUEUED_PER_WORKER = 3  # besides the running one: a client has four places for each core
CLIENTS_AT_ONCE = 2  # so many may each run a call on every core: a second one finds a thread free
CLIENTS = 4  # so many may each take all of their places

Result = TypeVar("Result")


class PoolFull(Exception):
    """No more calls are accepted now; try again in a second."""


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    work: Callable[[], Any]
    result: asyncio.Future[Any]


class WorkerPool:
    """Runs calls on threads, off the event loop; the clients that wait take turns.

    workers: how many calls of one client run at the same time. on_change: gets the number of active
    calls whenever it changes.
    """

    def __init__(
        self, workers: int, *, on_change: Callable[[int], None] = lambda active: None
    ) -> None:
        self._on_change = on_change
        self._threads = workers * CLIENTS_AT_ONCE
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="mien-call")
        self._workers = workers
        self._places = workers * (1 + QUEUED_PER_WORKER)
        self._waiting: OrderedDict[str, deque[_Call]] = OrderedDict()  # the next client first
        self._active: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._is_stopped = False

    @property
    def active(self) -> int:
        """How many calls were accepted and have not ended: running and queued."""
        return self._active.total()

    def is_full(self, client: str) -> bool:
        """Whether a call of this client would be refused now."""
        all_taken = self.active >= self._places * CLIENTS
        return self._is_stopped or all_taken or self._active[client] >= self._places

    def of(self, client: str) -> ClientPool:
        """This pool for the calls of one client."""
        return ClientPool(self, client)

    async def run(self, work: Callable[[], Result], client: str) -> Result:
        """Run the call on a worker thread. Raises PoolFull at once, and what the call raises.

        A client that disconnects frees the place of a running call when that has ended.
        """
        if self.is_full(client):
            raise PoolFull
        call = _Call(work, asyncio.get_running_loop().create_future())
        self._active[client] += 1
        self._waiting.setdefault(client, deque()).append(call)
        self._on_change(self.active)
        self._start_waiting()
        result: Result = await call.result
        return result

    def stop(self) -> None:
        """Refuse the calls that wait, and new ones; running calls end."""
        self._is_stopped = True
        for client, calls in self._waiting.items():
            self._active[client] -= len(calls)
            for call in calls:
                if not call.result.done():
                    call.result.set_exception(PoolFull())
        self._waiting.clear()
        self._on_change(self.active)

    def close(self) -> None:
        """Stop, and wait until the running calls have ended."""
        self.stop()
        self._executor.shutdown(wait=True)

    def _start_waiting(self) -> None:
        for client in list(self._waiting):
            if self._running.total() >= self._threads:
                return
            if self._running[client] < self._workers:
                self._start_first_of(client)

    def _start_first_of(self, client: str) -> None:
        calls = self._waiting[client]
        call = calls.popleft()
        if calls:
            self._waiting.move_to_end(client)
        else:
            del self._waiting[client]
        if call.result.cancelled():  # the client left before its turn
            self._active[client] -= 1
            self._on_change(self.active)
            return
        self._running[client] += 1
        loop = asyncio.get_running_loop()
        future = self._executor.submit(call.work)
        future.add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._finish, client, call, done)
        )

    def _finish(self, client: str, call: _Call, done: Future[Any]) -> None:
        for count in (self._running, self._active):
            count[client] -= 1
            if not count[client]:
                del count[client]  # clients come and go
        self._on_change(self.active)
        if not call.result.done():
            error = done.exception()
            if error is None:
                call.result.set_result(done.result())
            else:
                call.result.set_exception(error)
        self._start_waiting()


@dataclass(frozen=True, slots=True)
class ClientPool:
    """The pool for the calls of one client."""

    pool: WorkerPool
    client: str

    async def run(self, work: Callable[[], Result]) -> Result:
        """As `WorkerPool.run`."""
        return await self.pool.run(work, self.client)
