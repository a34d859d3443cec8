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
            assert (pool.active, pool.is_full("a")) == (accepted, False)
            calls.append(asyncio.ensure_future(pool.run(may_end.wait, "a")))
            await asyncio.sleep(0)  # starts the call, which then waits
        assert (pool.active, pool.is_full("a")) == (4 * workers, True)
        with pytest.raises(PoolFull):
            await pool.run(lambda: pytest.fail("a refused call must not run"), "a")
        may_end.set()
        assert await asyncio.gather(*calls) == [True] * 4 * workers
        assert (pool.active, pool.is_full("a")) == (0, False)
        pool.close()

    asyncio.run(fill())


def test_as_many_calls_run_at_once_as_there_are_workers() -> None:
    async def run() -> None:
        pool = WorkerPool(2)
        both = threading.Barrier(2, timeout=60)  # opens only when two calls wait at it
        await asyncio.gather(pool.run(both.wait, "a"), pool.run(both.wait, "a"))
        pool.close()

    asyncio.run(run())


def test_the_place_of_a_client_that_left_stays_taken_until_its_call_ends() -> None:
    is_running, may_end = threading.Event(), threading.Event()

    def work() -> None:
        is_running.set()
        may_end.wait(60)

    async def leave() -> None:
        pool = WorkerPool(1)
        call = asyncio.ensure_future(pool.run(work, "a"))
        queued = asyncio.ensure_future(pool.run(lambda: "done", "a"))
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
            await pool.run(fail, "a")
        assert pool.active == 0
        pool.close()
        with pytest.raises(PoolFull):
            await pool.run(fail, "a")
        assert pool.active == 0

    asyncio.run(run())


def test_a_client_that_takes_all_its_places_leaves_a_thread_for_another_one() -> None:
    may_end = threading.Event()

    async def run() -> None:
        pool = WorkerPool(1)
        greedy = [asyncio.ensure_future(pool.run(may_end.wait, "greedy")) for _ in range(4)]
        await asyncio.sleep(0)
        assert (pool.is_full("greedy"), pool.is_full("other")) == (True, False)
        assert await pool.of("other").run(lambda: "done") == "done"
        may_end.set()
        assert await asyncio.gather(*greedy) == [True] * 4
        pool.close()

    asyncio.run(run())


def test_waiting_clients_take_turns() -> None:
    may_end, order = threading.Event(), []

    async def run() -> None:
        pool = WorkerPool(1)
        busy = [asyncio.ensure_future(pool.run(may_end.wait, name)) for name in ("x", "y")]
        await asyncio.sleep(0)  # both threads are taken
        calls = [
            asyncio.ensure_future(pool.run(lambda name=name: order.append(name), name))
            for name in ("a", "a", "a", "b")
        ]
        await asyncio.sleep(0)
        may_end.set()
        await asyncio.gather(*busy, *calls)
        pool.close()

    asyncio.run(run())
    assert order.index("b") < 3


def test_all_clients_together_have_four_times_the_places_of_one() -> None:
    may_end = threading.Event()

    async def run() -> None:
        pool = WorkerPool(1)
        calls = []
        for number in range(16):
            assert not pool.is_full(f"client {number // 4}")
            calls.append(asyncio.ensure_future(pool.run(may_end.wait, f"client {number // 4}")))
            await asyncio.sleep(0)
        assert pool.is_full("another")
        may_end.set()
        await asyncio.gather(*calls)
        assert not pool.is_full("another")
        pool.close()

    asyncio.run(run())


def test_a_stopped_pool_refuses_what_waits_and_ends_what_runs() -> None:
    may_end = threading.Event()

    async def run() -> None:
        pool = WorkerPool(1)
        calls = [asyncio.ensure_future(pool.run(may_end.wait, "a")) for _ in range(3)]
        await asyncio.sleep(0)
        pool.stop()
        assert pool.is_full("b")
        may_end.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert (answers[0], [type(one) for one in answers[1:]]) == (True, [PoolFull, PoolFull])
        assert pool.active == 0
        pool.close()

    asyncio.run(run())


def test_a_call_whose_client_left_before_its_turn_is_not_made() -> None:
    may_end = threading.Event()

    async def run() -> None:
        pool = WorkerPool(1)
        first = asyncio.ensure_future(pool.run(may_end.wait, "a"))
        left = asyncio.ensure_future(pool.run(lambda: pytest.fail("nobody waits for it"), "a"))
        await asyncio.sleep(0)
        left.cancel()
        may_end.set()
        assert await first
        assert pool.active == 0
        pool.close()

    asyncio.run(run())
