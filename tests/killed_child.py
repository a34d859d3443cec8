"""Run work in a child that a preloaded `kill_at_call.so` kills before a chosen system call."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable


def run_killed(
    prepare: Callable[[], Callable[[], object]], shim: ctypes.CDLL, kill_at: int
) -> tuple[bool, int]:
    """Whether the child was killed, and else how many calls the work made.

    prepare: called in the child; returns the work, whose calls count.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        work = prepare()
        shim.arm(kill_at)
        work()
        os.write(writing, str(shim.calls_so_far()).encode())
        os._exit(0)
    os.close(writing)
    status = os.waitpid(child, 0)[1]
    with os.fdopen(reading, "rb") as pipe:
        calls = int(pipe.read() or b"0")
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, (kill_at, status)
    return killed, calls
