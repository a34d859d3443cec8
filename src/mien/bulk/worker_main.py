"""A worker process: loads once what it needs, then answers the tasks of its parent.

Standard input carries the tasks, pickled: the parent is trusted. Standard output carries the
answers, as frames of plain data: this process is not. See `worker` for the parent's side.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import IO, Any

from mien.bulk.frames import pack, read_frame, write_frame
from mien.errors import MienError

MAX_TASK_BYTES = 1 << 32  # of a task, from the parent
TASK, LOADED, RESULT, DONE, ERROR, FAULT = b"t", b"l", b"r", b"d", b"e", b"f"


def main() -> None:
    """Answer tasks until the parent closes standard input or ends."""
    # Ctrl-C reaches the whole process group; the parent alone answers it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _take_standard_output()
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_tasks, args=(sys.stdin.buffer, tasks), daemon=True).start()
    how_to_load = tasks.get()
    do: Callable[[Any], Iterable[object]] | None = None
    limit_s: float | None = None
    while True:
        task = tasks.get()
        try:
            if do is None:  # at the first task, which can report the error
                load, limit_s = pickle.loads(how_to_load)
                do = load()
            write_frame(answers, LOADED, b"")
            _answer(do(pickle.loads(task)), answers, limit_s)
        except MienError as error:
            write_frame(answers, ERROR, pack([type(error).__name__, str(error)]))
        except Exception as error:  # noqa: BLE001 - raised again in the parent, as WorkerFailed
            write_frame(answers, FAULT, pack(f"{type(error).__name__}: {error}"))


def _take_standard_output() -> IO[bytes]:
    """The file of the answers. What a library prints goes to standard error: it is no answer."""
    answers = os.fdopen(os.dup(1), "wb")
    try:
        os.dup2(2, 1)
    except OSError:  # the parent has no standard error
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return answers


def _answer(results: Iterable[object], answers: IO[bytes], limit_s: float | None) -> None:
    """Write each result as it gets done.

    limit_s: a result that takes longer ends the process, also where the code that hangs never
    lets Python run, and where the parent that would end it was killed.
    """
    try:
        _set_alarm(limit_s)
        for result in results:
            write_frame(answers, RESULT, pack(result))
            _set_alarm(limit_s)
        write_frame(answers, DONE, b"")
    finally:
        _set_alarm(None)


def _set_alarm(limit_s: float | None) -> None:
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.setitimer(signal.ITIMER_REAL, limit_s or 0)  # the signal ends a process


def _read_tasks(file: IO[bytes], tasks: queue.SimpleQueue[bytes]) -> None:
    """Hand on each task. The end means that the parent closed its side, or was killed."""
    while (frame := read_frame(file, at_most=MAX_TASK_BYTES)) is not None:
        tasks.put(frame[1])
    os._exit(0)
