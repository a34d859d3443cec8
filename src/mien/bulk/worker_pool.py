"""Tasks done by several worker processes that each load their models once."""

from __future__ import annotations

import itertools
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol, TypeVar

from mien.bulk.worker import Worker, WorkerEnded
from mien.errors import UsageError, WorkerDied

Task = TypeVar("Task")

TASKS_PER_WORKER = 2  # handed out ahead: enough that no worker waits, and memory stays bounded


class TaskRunner(Protocol):
    """Does tasks one after the other, as `Worker` does."""

    def results(self, task: Any) -> Iterable[Any]: ...

    def close(self) -> None: ...


def run_in_workers(
    load: Callable[[], Callable[[Task], Iterable[object]]], tasks: Iterable[Task], *, workers: int
) -> Iterator[Any]:
    """The results of each task as it gets done, in no order.

    load: called once in each worker process, returns the function that gives the results of a
    task; it and the tasks must be picklable, the results plain data (see `frames`). With one worker
    all is done in this process. Raises the MienError of load or a task, and WorkerDied if a
    worker process ended.
    """
    check_workers(workers)
    if workers == 1:
        do = load()
        for task in tasks:
            yield from do(task)
        return
    try:
        yield from run_tasks([Worker(load) for _ in range(workers)], tasks)
    except WorkerEnded as error:
        raise WorkerDied(
            "a worker process ended before it was finished; run again, "
            "with fewer --workers if memory is short"
        ) from error


def check_workers(workers: int) -> None:
    """Raise UsageError for less than one worker."""
    if workers < 1:
        raise UsageError(f"workers must be 1 or more, not {workers}; change --workers")


def run_tasks(runners: list[Any], tasks: Iterable[Any], *, in_order: bool = False) -> Iterator[Any]:
    """The results of the tasks, each done by the runner that is free, on a thread of its own.

    in_order: of the tasks; else as they get done. Takes `TASKS_PER_WORKER` tasks ahead for each
    runner. Raises what a runner raised. Closes the runners at the end, and so ends what is in
    progress when nobody wants the rest.
    """
    idle: queue.SimpleQueue[TaskRunner] = queue.SimpleQueue()
    for runner in runners:
        idle.put(runner)
    executor = ThreadPoolExecutor(len(runners), thread_name_prefix="mien-worker")
    waiting, at_once = iter(tasks), TASKS_PER_WORKER * len(runners)
    pending: deque[Future[list[Any]]] = deque()
    try:
        while True:
            for task in itertools.islice(waiting, at_once - len(pending)):
                pending.append(executor.submit(_run, idle, task))
            if not pending:
                return
            if not in_order:
                done = wait(pending, return_when=FIRST_COMPLETED).done
                pending = deque(sorted(pending, key=lambda future: future not in done))
            yield from pending.popleft().result()
    finally:
        for runner in runners:
            runner.close()
        executor.shutdown(cancel_futures=True)


def _run(idle: queue.SimpleQueue[TaskRunner], task: object) -> list[Any]:
    runner = idle.get()
    try:
        return list(runner.results(task))
    finally:
        idle.put(runner)
