"""Several processes that serve on one socket: started, replaced when one ends, and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from mien.errors import MienError, Outcome, UsageError, WorkerDied
from mien.settings import Settings
from mien.web.auth import TokenStore, tokens_path
from mien.web.log import log_line, now_utc, write_line
from mien.web.metrics import SHARED_FOLDER, forget_process
from mien.web.process_job import ProcessJob
from mien.web.server import HARD_END_S, STOP_SIGNALS, start_listening

MAX_PROCESSES = 64
MAX_ENDS, WITHIN_S = 5, 60.0  # so many processes may end in a minute, and are replaced
STOP_S = HARD_END_S + 5.0  # after that a process is killed


def check_processes(count: int, settings: Settings) -> None:
    """UsageError for a number of processes that cannot be."""
    if not 1 <= count <= MAX_PROCESSES:
        raise UsageError(f"--workers is a number from 1 to {MAX_PROCESSES}, not {count}")
    if count > 1 and settings.liveness_service == "active":
        raise UsageError(
            "the service is set to require a challenge (liveness_service), which needs one process:"
            " leave out --workers"
        )


def run_processes(
    job: ProcessJob, settings: Settings, *, on_listening: Callable[[str], None]
) -> None:
    """Serve in `job.processes` processes until SIGTERM or SIGINT; then let all of them finish.

    on_listening: gets the address when the first process is ready. Raises the error of a process
    that cannot start, and WorkerDied if they end again and again.
    """
    listening, address = start_listening(job.options, TokenStore(tokens_path(settings)))
    with contextlib.ExitStack() as stack:
        stack.enter_context(listening)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mien-metrics-"))
        processes = _Processes(replace(job, listening=listening.fileno()), folder)
        stack.callback(processes.stop)
        stop = stack.enter_context(_stop_signals())
        processes.run(stop, on_ready=lambda: on_listening(address))


class _Process:
    def __init__(self, job: ProcessJob, metrics_folder: str) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mien.web.process_main"],
                stdin=theirs.fileno(),
                pass_fds=[job.listening],
                env={**os.environ, SHARED_FOLDER: metrics_folder},
            )
        self.control.sendall(job.to_line())
        self.is_ready = False

    def told(self) -> dict[str, object] | None:
        """What the process has to say; None if it has ended."""
        line = b""
        while not line.endswith(b"\n"):
            part = self.control.recv(65536)
            if not part:
                return None
            line += part
        told: dict[str, object] = json.loads(line)
        return told


class _Processes:
    def __init__(self, job: ProcessJob, metrics_folder: str) -> None:
        self._job, self._metrics_folder = job, metrics_folder
        self._running: list[_Process] = []
        self._selector = selectors.DefaultSelector()
        self._ends: deque[float] = deque(maxlen=MAX_ENDS)

    def run(self, stop: socket.socket, *, on_ready: Callable[[], None]) -> None:
        """Until there is something to read from `stop`. The first process is waited for, so that
        one alone prepares the models."""
        self._selector.register(stop, selectors.EVENT_READ, None)
        first = self._start()
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                one: _Process = key.data
                told = one.told()
                if told is None:
                    self._replace(one)
                elif "error" in told:
                    raise _error_of(told)
                else:
                    one.is_ready = True
                    if one is first:
                        on_ready()
                        for _ in range(self._job.processes - 1):
                            self._start()

    def stop(self) -> None:
        """End all of them: each finishes its running calls."""
        for one in self._running:
            one.process.terminate()
        end = time.monotonic() + STOP_S
        for one in self._running:
            try:
                one.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
            one.control.close()
        self._selector.close()

    def _start(self) -> _Process:
        one = _Process(self._job, self._metrics_folder)
        self._running.append(one)
        self._selector.register(one.control, selectors.EVENT_READ, one)
        return one

    def _replace(self, ended: _Process) -> None:
        self._selector.unregister(ended.control)
        self._running.remove(ended)
        ended.control.close()
        code = ended.process.wait()
        forget_process(ended.process.pid, self._metrics_folder)
        if not ended.is_ready:
            raise WorkerDied(
                f"a process of the service ended with code {code} before it was ready; the lines"
                " before this one say why, or it had too little memory"
            )
        now = time.monotonic()
        if len(self._ends) == MAX_ENDS and now - self._ends[0] < WITHIN_S:
            raise WorkerDied(
                f"{MAX_ENDS + 1} processes of the service ended in a minute, the last one with code"
                f" {code}; the lines before this one say why, or they had too little memory"
            )
        self._ends.append(now)
        write_line(log_line(now_utc, event="process replaced", ended_with=code))
        self._start()


def _error_of(told: dict[str, object]) -> MienError:
    error = MienError(str(told["error"]))
    error.outcome = Outcome(told["outcome"])  # type: ignore[misc]  # of the process's own class
    return error


@contextlib.contextmanager
def _stop_signals() -> Iterator[socket.socket]:
    """A socket from which there is something to read once the service is to stop."""
    read, write = socket.socketpair()
    write.setblocking(False)
    before = {one: signal.signal(one, lambda number, frame: None) for one in STOP_SIGNALS}
    wakeup = signal.set_wakeup_fd(write.fileno())
    try:
        yield read
    finally:
        signal.set_wakeup_fd(wakeup)
        for one, handler in before.items():
            signal.signal(one, handler)
        read.close()
        write.close()
