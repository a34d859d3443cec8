"""The worker pool: how many calls it accepts, and what it does with those beyond."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mien.web.pool import PoolFull, WorkerPool


@pytest.mark.parametrize("workers", [1, 2])
def test_four_calls_are_accepted_for_each_worker_and_the_next_is_refused(workers: int) -> None:
    may_end = threading.Event()

    async def fill() -> None:
        pool = WorkerPool(workers)
        calls = []
        for accepted in range(4 * workers):
            assert (pool.active, pool.is_full) == (accepted, False)
            calls.append(asyncio.ensure_future(pool.run(may_end.wait)))
            await asyncio.sleep(0)  # starts the call, which then waits
        assert (pool.active, pool.is_full) == (4 * workers, True)
        with pytest.raises(PoolFull):
            await pool.run(lambda: pytest.fail("a refused call must not run"))
        may_end.set()
        assert await asyncio.gather(*calls) == [True] * 4 * workers
        assert (pool.active, pool.is_full) == (0, False)
        pool.close()

    asyncio.run(fill())


def test_as_many_calls_run_at_once_as_there_are_workers() -> None:
    async def run() -> None:
        pool = WorkerPool(2)
        both = threading.Barrier(2, timeout=60)  # opens only when two calls wait at it
        await asyncio.gather(pool.run(both.wait), pool.run(both.wait))
        pool.close()

    asyncio.run(run())


def test_the_place_of_a_client_that_left_stays_taken_until_its_call_ends() -> None:
    is_running, may_end = threading.Event(), threading.Event()

    def work() -> None:
        is_running.set()
        may_end.wait(60)

    async def leave() -> None:
        pool = WorkerPool(1)
        call = asyncio.ensure_future(pool.run(work))
        queued = asyncio.ensure_future(pool.run(lambda: "done"))
        await asyncio.to_thread(is_running.wait, 60)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert pool.active == 2
        may_end.set()
        assert await queued == "done"
        pool.close()

    asyncio.run(leave())


def test_what_a_call_raises_is_raised_and_its_place_is_free_again() -> None:
    def fail() -> None:
        raise ValueError("from the call")

    async def run() -> None:
        pool = WorkerPool(1)
        with pytest.raises(ValueError, match="from the call"):
            await pool.run(fail)
        assert pool.active == 0
        pool.close()
        with pytest.raises(RuntimeError, match="shutdown"):
            await pool.run(fail)
        assert pool.active == 0

    asyncio.run(run())
