"""Whether the service is ready: one check for all who ask, at most one in two seconds."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mien.errors import VaultDamaged
from mien.web.readiness import Readiness


def test_all_who_ask_at_once_wait_for_one_check() -> None:
    may_end, checks = threading.Event(), []

    def check() -> None:
        checks.append(1)
        may_end.wait(60)

    async def ask() -> None:
        readiness = Readiness(check, lambda: 0.0)
        waiting = [asyncio.ensure_future(readiness.wait()) for _ in range(50)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # a client that leaves
        may_end.set()
        await asyncio.gather(*waiting[1:])
        readiness.close()

    asyncio.run(ask())
    assert checks == [1]


def test_an_answer_is_kept_for_two_seconds() -> None:
    times_s, checks = iter([0.0, 1.9, 2.0, 3.9]), []

    async def ask() -> None:
        readiness = Readiness(lambda: checks.append(1), lambda: next(times_s))
        counts = []
        for _ in range(4):
            await readiness.wait()
            counts.append(len(checks))
        readiness.close()
        assert counts == [1, 1, 2, 2]

    asyncio.run(ask())


def test_what_is_wrong_is_raised_to_everybody_until_the_next_check() -> None:
    times_s, faults = iter([0.0, 1.0, 2.0]), [VaultDamaged("gone")]

    def check() -> None:
        if faults:
            raise faults.pop()

    async def ask() -> None:
        readiness = Readiness(check, lambda: next(times_s))
        for _ in range(2):
            with pytest.raises(VaultDamaged, match="gone"):
                await readiness.wait()
        await readiness.wait()
        readiness.close()

    asyncio.run(ask())
