"""Calls run side by side; what they ask of a network at the same time is computed together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mien.models.net_batches import NetBatches
from mien.results import FloatArray

Log = list[tuple[str, list[float]]]


def one(number: float) -> FloatArray:
    return np.array([number], np.float32)


def adder(log: Log, name: str, amount: float) -> Callable[[Sequence[FloatArray]], list[FloatArray]]:
    """A network that adds, and notes what it was given in each batch. It refuses 13."""

    def compute(tensors: Sequence[FloatArray]) -> list[FloatArray]:
        log.append((name, sorted(float(tensor[0]) for tensor in tensors)))
        if any(tensor[0] == 13 for tensor in tensors):
            raise ValueError("13 is refused")
        return [tensor + np.float32(amount) for tensor in tensors]

    return compute


def test_requests_of_all_calls_are_computed_together() -> None:
    log: Log = []
    batches = NetBatches()
    net = batches.net(adder(log, "net", 20))

    def twice(number: float) -> float:
        return float(net(net(one(number)))[0])

    assert batches.run([lambda n=n: twice(n) for n in (1, 2, 3)]) == [41, 42, 43]
    assert log == [("net", [1, 2, 3]), ("net", [21, 22, 23])]


def test_the_net_that_was_made_first_is_computed_first() -> None:
    log: Log = []
    batches = NetBatches()
    first, second = (batches.net(adder(log, name, 100)) for name in ("first", "second"))
    calls = [
        lambda: float(second(one(1))[0]),
        lambda: float(second(first(one(2)))[0]),
        lambda: float(second(first(first(one(3))))[0]),
    ]
    assert batches.run(calls) == [101, 202, 303]
    assert log == [("first", [2, 3]), ("first", [103]), ("second", [1, 102, 203])]


def test_calls_may_ask_different_numbers_of_times_or_never() -> None:
    log: Log = []
    batches = NetBatches()
    net = batches.net(adder(log, "net", 1))

    def ask(times: int) -> float:
        tensor = one(0)
        for _ in range(times):
            tensor = net(tensor)
        return float(tensor[0])

    assert batches.run([lambda n=n: ask(n) for n in (0, 3, 1, 0)]) == [0, 3, 1, 0]
    assert [tensors for _, tensors in log] == [[0, 0], [1], [2]]
    assert batches.run([]) == []


def test_what_a_call_raises_is_its_result_alone() -> None:
    batches = NetBatches()
    net = batches.net(adder([], "net", 1))

    def fail() -> float:
        net(one(5))
        raise LookupError("no face")

    found = batches.run([fail, lambda: float(net(one(1))[0])])
    assert isinstance(found[0], LookupError)
    assert found[1] == 2


def test_a_tensor_that_fails_does_not_spoil_the_batch() -> None:
    log: Log = []
    batches = NetBatches()
    net = batches.net(adder(log, "net", 1))
    found = batches.run([lambda n=n: float(net(one(n))[0]) for n in (12, 13, 14)])
    assert (found[0], found[2]) == (13, 15)
    assert isinstance(found[1], ValueError)
    assert log[0] == ("net", [12, 13, 14])
    assert sorted(log[1:]) == [("net", [12]), ("net", [13]), ("net", [14])]


def test_an_interruption_ends_every_call() -> None:
    batches = NetBatches()

    def interrupt(tensors: Sequence[FloatArray]) -> list[FloatArray]:
        raise KeyboardInterrupt

    first, second = batches.net(interrupt), batches.net(interrupt)
    ended: list[str] = []

    def ask(net: Callable[[FloatArray], FloatArray]) -> None:
        try:
            net(one(1))
        except RuntimeError as error:
            ended.append(str(error))
            raise

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        batches.run([lambda: ask(first), lambda: ask(second), lambda: ask(second)])
    assert ended == ["the batch was given up"] * 3
    assert threading.active_count() == before


def test_a_net_that_is_called_elsewhere_computes_at_once() -> None:
    log: Log = []
    net = NetBatches().net(adder(log, "net", 1))
    assert net(one(4))[0] == 5
    with pytest.raises(ValueError, match="13 is refused"):
        net(one(13))


def test_two_runs_at_the_same_time_do_not_mix() -> None:
    log: Log = []
    batches = NetBatches()
    net = batches.net(adder(log, "net", 1000))
    meet = threading.Barrier(4)
    found: dict[int, list[float | Exception]] = {}

    def ask(number: int) -> float:
        meet.wait(60)
        return float(net(one(number))[0])

    def run(start: int) -> None:
        found[start] = batches.run([lambda n=n: ask(n) for n in (start, start + 1)])

    threads = [threading.Thread(target=run, args=(start,)) for start in (20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {20: [1020, 1021], 40: [1040, 1041]}
    assert sorted(tensors for _, tensors in log) == [[20, 21], [40, 41]]
