"""Tasks in real worker processes, which may fail, die or lose their parent."""

from __future__ import annotations

import functools
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mien.bulk.worker_pool import TASKS_PER_WORKER, run_in_workers
from mien.errors import ModelMissing, UsageError, WorkerDied

DEADLINE_S = 60.0  # only a failing test waits so long


def _adder(amount: int) -> Callable[[int], Iterator[tuple[int, int]]]:
    return functools.partial(_add, amount)


def _add(amount: int, number: int) -> Iterator[tuple[int, int]]:
    if number == 666:
        raise ModelMissing("there is no model; add one")
    if number == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    yield os.getpid(), number + amount


def _broken() -> Callable[[int], Iterator[int]]:
    raise ModelMissing("nothing can be loaded; run: mien doctor")


def _load_with_note(folder: Path) -> Callable[[int], list[int]]:
    """Leaves one file for each time that it is called."""
    (folder / f"{os.getpid()}-{len(list(folder.iterdir()))}").touch()
    return _listed


def _listed(number: int) -> list[int]:
    return [number]


def _interrupter() -> Callable[[int], list[int]]:
    return _interrupt_self


def _interrupt_self(number: int) -> list[int]:
    os.kill(os.getpid(), signal.SIGINT)
    return [number]


def _process_id() -> Callable[[int], list[int]]:
    return _own_process_id


def _own_process_id(number: int) -> list[int]:
    return [os.getpid()]


def test_each_task_is_done_once_in_another_process() -> None:
    done = list(run_in_workers(functools.partial(_adder, 100), range(8), workers=2))
    assert sorted(number for _, number in done) == list(range(100, 108))
    assert os.getpid() not in {process for process, _ in done}


def test_each_process_loads_once(tmp_path: Path) -> None:
    list(run_in_workers(functools.partial(_load_with_note, tmp_path), range(8), workers=2))
    processes = [note.name.split("-")[0] for note in tmp_path.iterdir()]
    assert len(processes) == len(set(processes))


def test_one_worker_is_this_process() -> None:
    done = list(run_in_workers(functools.partial(_adder, 1), [1, 2], workers=1))
    assert done == [(os.getpid(), 2), (os.getpid(), 3)]


def test_more_workers_than_tasks_is_allowed() -> None:
    assert len(list(run_in_workers(functools.partial(_adder, 1), [5], workers=3))) == 1
    assert list(run_in_workers(functools.partial(_adder, 1), [], workers=2)) == []


def test_tasks_are_taken_only_as_they_are_needed() -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = run_in_workers(functools.partial(_adder, 1), tasks(), workers=2)
    next(results)
    assert len(taken) == TASKS_PER_WORKER * 2
    results.close()  # type: ignore[attr-defined]


def test_an_error_in_a_worker_is_raised_in_the_caller() -> None:
    with pytest.raises(ModelMissing, match="there is no model"):
        list(run_in_workers(functools.partial(_adder, 1), [1, 666, 2], workers=2))
    with pytest.raises(ModelMissing, match="mien doctor"):
        list(run_in_workers(_broken, [1], workers=2))


def test_a_worker_that_is_killed_is_a_clear_error() -> None:
    with pytest.raises(WorkerDied, match=r"ended before it was finished; run again, .*--wor"):
        list(run_in_workers(functools.partial(_adder, 1), [1, 9, 2, 3], workers=2))


def test_a_worker_ignores_ctrl_c_and_its_parent_handles_it() -> None:
    assert list(run_in_workers(_interrupter, [7], workers=2)) == [7]


def test_stopping_early_leaves_no_process_behind() -> None:
    results = run_in_workers(functools.partial(_adder, 1), range(100), workers=2)
    process, _ = next(iter(results))
    results.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_worker_ends_when_its_parent_is_killed() -> None:
    program = (
        "from mien.bulk.worker_pool import run_in_workers\n"
        "from tests.bulk.test_worker_pool import _process_id\n"
        "results = run_in_workers(_process_id, range(9), workers=2)\n"
        "print(next(results), flush=True)\n"
        "input()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # Python's own tracker warns of what the kill left open
        cwd=Path(__file__).parents[2],
    )
    with parent:
        assert parent.stdout is not None
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        # a process's handle becomes readable when the process ends
        assert select.select([worker], [], [], DEADLINE_S)[0] == [worker]
        os.close(worker)


def test_zero_workers_are_refused() -> None:
    with pytest.raises(UsageError, match="--workers"):
        list(run_in_workers(functools.partial(_adder, 1), [1], workers=0))
