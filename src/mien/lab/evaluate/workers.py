"""Work dealt out over processes that each load their tools once.

Processes are started afresh (spawn): a fork would copy the locks of running threads.
Each has a pipe of its own to this process, so a worker that dies is seen at once, and
a worker whose parent dies reads the end of its pipe and leaves.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from mien.errors import MienError, UsageError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Task = TypeVar("Task")
Result = TypeVar("Result")

STOP_S = 5.0  # for a worker to leave after its pipe was closed, before it is stopped


class WorkerDied(MienError):
    """A worker process ended before it gave its answer."""


def over_workers(
    load: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task], *, workers: int
) -> Iterator[Result]:
    """The result of each task, as they get done, in no order.

    load: called once in each worker, gives what does a task; it, the tasks and the
    results must be picklable. With one worker all is done in this process.
    Raises what a task raised if that is a MienError, WorkerDied if a worker ended.
    """
    if workers < 1:
        raise UsageError(f"workers must be 1 or more, not {workers}; change --workers")
    if workers == 1:
        work = load()
        for task in tasks:
            yield work(task)
        return
    crew: list[_Worker[Task, Result]] = []
    try:
        crew.extend(_Worker.start(load) for _ in range(workers))
        yield from _dealt(crew, iter(tasks))
    finally:
        for worker in crew:
            worker.stop()


@dataclass(eq=False)
class _Worker(Generic[Task, Result]):
    process: SpawnProcess
    wire: Connection

    @classmethod
    def start(cls, load: Callable[[], Callable[[Task], Result]]) -> _Worker[Task, Result]:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(load, theirs), daemon=True)
        process.start()
        theirs.close()  # else the end of this pipe could not be read when the worker dies
        return cls(process, ours)

    def give(self, task: Task) -> None:
        try:
            self.wire.send(task)
        except OSError as error:
            raise self._death() from error

    def answer(self) -> Result:
        try:
            done, result = self.wire.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error
        if not done:
            raise cast(MienError, result)
        return cast(Result, result)

    def stop(self) -> None:
        self.wire.close()
        # it may be in the middle of a task whose result nobody wants
        self.process.terminate()
        self.process.join(STOP_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()

    def _death(self) -> WorkerDied:
        self.process.join(STOP_S)
        code = self.process.exitcode
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended ({code})"
        return WorkerDied(
            f"a worker process {how} before its work was done; run it again, "
            "with fewer --workers if memory is short"
        )


def _dealt(crew: list[_Worker[Task, Result]], tasks: Iterator[Task]) -> Iterator[Result]:
    """A task to each, then the next one to whoever has answered."""
    from multiprocessing.connection import wait

    busy: dict[object, _Worker[Task, Result]] = {}
    for worker, task in zip(crew, tasks, strict=False):
        worker.give(task)
        busy[worker.wire] = worker
    while busy:
        for wire in wait([worker.wire for worker in busy.values()]):
            worker = busy.pop(wire)
            result = worker.answer()
            for task in tasks:
                worker.give(task)
                busy[wire] = worker
                break
            yield result


def _serve(load: Callable[[], Callable[[Task], Result]], wire: Connection) -> None:
    """A worker's life. Ctrl-C reaches the whole group: the parent alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent has left
        try:
            work = load()
            while True:
                wire.send((True, work(wire.recv())))
        except MienError as error:
            wire.send((False, error))
