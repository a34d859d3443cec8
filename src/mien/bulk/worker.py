"""A worker process as its parent sees it: started at need, told to work, ended when it hangs.

A subprocess, not `multiprocessing`: it does not import the caller's main module (which would cost
memory, and scripts would need a guard), and may be started by a daemonic process. Photos are
decoded in it, so it gets none of the environment but what `KEPT` names: no key, no password.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import IO, Any, Generic, TypeVar

from mien import errors
from mien.bulk.frames import BadFrame, read_frame, unpack, write_frame
from mien.bulk.worker_main import DONE, ERROR, FAULT, LOADED, RESULT, TASK
from mien.errors import MienError, WorkerDied

Task = TypeVar("Task")

KEPT = (
    "CUDA_VISIBLE_DEVICES",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMPDIR",
    "TZ",
)
GRACE_S = 5.0  # the worker's own alarm rings so much later than its parent's
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from mien.bulk.worker_main import main; main()"
)


class WorkerEnded(Exception):
    """The worker process ended before it had answered. hung: it took too long, and was ended.

    code: as subprocess gives it, negative for a signal. loaded: whether it had got to the task.
    """

    def __init__(self, code: int | None, *, hung: bool, loaded: bool) -> None:
        super().__init__(f"a worker process ended with {code}")
        self.code, self.hung, self.loaded = code, hung, loaded


class WorkerFailed(WorkerDied):
    """A task raised what mien does not raise on purpose."""


class Worker(Generic[Task]):
    """One process, for one task at a time.

    load: picklable; called once in the process, returns the function that gives the results of a
    task. limit_s: the longest that a result may take; None for no limit.
    """

    def __init__(
        self,
        load: Callable[[], Callable[[Task], Iterable[object]]],
        *,
        limit_s: float | None = None,
    ) -> None:
        self._load, self._limit_s = load, limit_s
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()  # `close` may come from another thread

    def results(self, task: Task) -> Iterator[Any]:
        """The results of the task as they get done, as plain data (see `frames`).

        Starts the process if there is none. Raises the MienError of load or of the task,
        WorkerFailed for any other of the task, WorkerDied for any other of load, and WorkerEnded.
        """
        process = self._started()
        loaded = False
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            write_frame(process.stdin, TASK, pickle.dumps(task))
            while True:
                hung, frame = self._next_frame(process, process.stdout, limited=loaded)
                kind, content = frame or (b"", b"")
                if kind == RESULT:
                    yield unpack(content)
                elif kind == LOADED:
                    loaded = True
                elif kind == DONE:
                    return
                elif kind in (ERROR, FAULT):
                    raise _error_of(kind, unpack(content), loaded=loaded)
                else:
                    raise WorkerEnded(self._end(), hung=hung, loaded=loaded)
        except (OSError, BadFrame, ValueError) as error:  # ValueError: `close` came in between
            raise WorkerEnded(self._end(), hung=False, loaded=loaded) from error
        except GeneratorExit:
            self._end()  # it would go on with the task
            raise

    def close(self) -> None:
        """End the process. A task in progress raises WorkerEnded, and no later one starts."""
        with self._lock:
            self._closed = True
        self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise WorkerEnded(None, hung=False, loaded=False)
            if self._process is None:
                self._process = _start()
                assert self._process.stdin is not None
                alarm_s = None if self._limit_s is None else self._limit_s + GRACE_S
                with suppress(OSError):  # it is dead: the first task finds out
                    write_frame(self._process.stdin, TASK, pickle.dumps((self._load, alarm_s)))
            return self._process

    def _next_frame(
        self, process: subprocess.Popen[bytes], answers: IO[bytes], *, limited: bool
    ) -> tuple[bool, tuple[bytes, bytes] | None]:
        """Whether the wait was ended by the limit, and the frame."""
        if self._limit_s is None or not limited:
            return False, read_frame(answers)
        hung = threading.Event()

        def end() -> None:
            hung.set()
            process.kill()

        timer = threading.Timer(self._limit_s, end)
        timer.daemon = True
        timer.start()
        try:
            frame = read_frame(answers)
        except BadFrame:  # what was written before the kill
            if not hung.is_set():
                raise
            frame = None
        finally:
            timer.cancel()
        return hung.is_set(), None if hung.is_set() else frame

    def _end(self) -> int | None:
        """Kill the process if it lives. Returns how it ended."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what was not written yet cannot be
                if pipe is not None:
                    pipe.close()
        return code


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-c", PROGRAM, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={name: os.environ[name] for name in KEPT if name in os.environ},
    )


def _error_of(kind: bytes, what: Any, *, loaded: bool) -> MienError:
    """The error that the worker told of. Its name is looked up, never run."""
    if kind == ERROR and isinstance(what, list) and len(what) == 2:
        found = getattr(errors, str(what[0]), None)
        if isinstance(found, type) and issubclass(found, MienError):
            return found(str(what[1]))
    message = f"a worker process failed: {str(what)[:300]}; please report it"
    return WorkerFailed(message) if loaded else WorkerDied(message)
