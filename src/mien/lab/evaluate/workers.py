"""Tasks done by worker processes that each load their models once.

Processes are spawned: a fork would copy the locks of running threads.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from mien.errors import UsageError, WorkerDied

Task = TypeVar("Task")
Result = TypeVar("Result")

TASKS_PER_WORKER = 2  # handed out ahead: enough that no worker waits, and memory stays bounded

_load: Callable[[], Callable[[Any], Any]]  # in a worker process only, set once at its start


def run_in_workers(
    load: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task], *, workers: int
) -> Iterator[Result]:
    """The result of each task as it gets done, in no order.

    load: called once in each worker process, returns the function that does a task; it, the
    tasks and the results must be picklable. With one worker all is done in this process.
    Raises what load or a task raised, and WorkerDied if a worker process ended.
    """
    if workers < 1:
        raise UsageError(f"workers must be 1 or more, not {workers}; change --workers")
    if workers == 1:
        yield from map(load(), tasks)
        return
    others = multiprocessing.active_children()
    executor = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _start_worker, (load,)
    )
    try:
        yield from _results(executor, iter(tasks), at_once=TASKS_PER_WORKER * workers)
    except BrokenProcessPool as error:
        raise WorkerDied(
            "a worker process ended before it was finished; run again, "
            "with fewer --workers if memory is short"
        ) from error
    finally:
        # after Ctrl-C or an error nobody wants the results of the tasks in progress
        for process in set(multiprocessing.active_children()).difference(others):
            process.terminate()
        executor.shutdown(cancel_futures=True)


def _results(
    executor: ProcessPoolExecutor, tasks: Iterator[Task], *, at_once: int
) -> Iterator[Any]:
    pending: set[Future[Any]] = set()
    while True:
        for task in itertools.islice(tasks, at_once - len(pending)):
            pending.add(executor.submit(_do, task))
        if not pending:
            return
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def _start_worker(load: Callable[[], Callable[[Any], Any]]) -> None:
    """Prepare a worker process. Loading waits for the first task, which can report its error."""
    global _load
    _load = load
    # Ctrl-C reaches the whole process group; the parent alone answers it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """End this process when its parent is killed: it would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(task: Task) -> object:
    return _loaded()(task)


@functools.cache
def _loaded() -> Callable[[Any], Any]:
    return _load()
