"""Work over processes: real ones, which may fail or die."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable

import pytest

from mien.errors import ModelMissing, UsageError
from mien.lab.evaluate.workers import WorkerDied, over_workers


def _adder(amount: int) -> Callable[[int], tuple[int, int]]:
    return functools.partial(_add, amount)


def _add(amount: int, number: int) -> tuple[int, int]:
    if number == 666:
        raise ModelMissing("there is no model; add one")
    if number == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid(), number + amount


def _broken() -> Callable[[int], int]:
    raise ModelMissing("nothing can be loaded; run: mien doctor")


def test_each_task_is_done_once_by_a_process_that_loaded_once() -> None:
    done = list(over_workers(functools.partial(_adder, 100), range(8), workers=2))
    assert sorted(number for _, number in done) == list(range(100, 108))
    assert os.getpid() not in {process for process, _ in done}


def test_one_worker_is_this_process() -> None:
    done = list(over_workers(functools.partial(_adder, 1), [1, 2], workers=1))
    assert done == [(os.getpid(), 2), (os.getpid(), 3)]


def test_more_workers_than_tasks_is_no_fault() -> None:
    assert len(list(over_workers(functools.partial(_adder, 1), [5], workers=3))) == 1
    assert list(over_workers(functools.partial(_adder, 1), [], workers=2)) == []


def test_what_a_worker_raises_is_raised_here() -> None:
    with pytest.raises(ModelMissing, match="there is no model"):
        list(over_workers(functools.partial(_adder, 1), [1, 666, 2], workers=2))
    with pytest.raises(ModelMissing, match="mien doctor"):
        list(over_workers(_broken, [1], workers=2))


def test_a_worker_that_is_killed_is_a_clear_error() -> None:
    with pytest.raises(WorkerDied, match=r"ended by signal 9 .*; run it again, .*--workers"):
        list(over_workers(functools.partial(_adder, 1), [1, 9, 2, 3], workers=2))


def test_walking_off_early_leaves_no_process_behind() -> None:
    results = over_workers(functools.partial(_adder, 1), range(100), workers=2)
    process, _ = next(iter(results))
    results.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_no_worker_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="--workers"):
        list(over_workers(functools.partial(_adder, 1), [1], workers=0))
