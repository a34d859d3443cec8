"""The daemon's hold on its worker: starts it when it is needed, and kills it when it hangs."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TypeVar

from mien.errors import Outcome, WorkerDied
from mien.login.look_job import LookJob

CANCEL_S = 0.5  # a worker that does not end a cancelled look in this time is killed
MARGIN_S = 0.5  # the worker stops reading frames so long before the asker stops waiting
HOLDS_S = 5.0  # to start, and to open the vault
MAX_MESSAGE_BYTES = 4096

Tell = Callable[[str], None]
T = TypeVar("T")


class LookTimedOut(WorkerDied):
    """The worker gave no answer in time, and was killed."""


class AskerGone(Exception):
    """The program that asked has ended or has given up."""


class WorkerProcess:
    """One worker at most; for one caller at a time."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """arguments: of `mien.login.worker`, after the descriptor."""
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def look(self, job: LookJob, *, tell: Tell, gone: int, end_s: float) -> tuple[Outcome, str]:
        """The outcome of a look, and words for the person.

        tell: gets instructions. gone: a descriptor that becomes readable when nobody waits any
        more. end_s: monotonic seconds. Raises WorkerDied, LookTimedOut and AskerGone.
        """
        seconds = max(0.1, end_s - MARGIN_S - time.monotonic())
        message: dict[str, object] = {"look": asdict(job), "seconds": seconds}
        return self._exchange(message, lambda worker: self._wait(worker, tell, gone, end_s))

    def holds(self, record_name: str) -> bool:
        """Whether the vault has a template of that name. Raises WorkerDied, LookTimedOut."""
        return self._exchange({"holds": record_name}, self._wait_for_holds)

    def kill(self) -> None:
        """End the worker at once; the next look starts another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _exchange(self, message: dict[str, object], wait: Callable[[socket.socket], T]) -> T:
        """Send, and wait for the answer; once more with a new worker if the old one had ended."""
        while True:
            worker = self._socket
            is_new = worker is None
            try:
                worker = worker or self._start()
                worker.send(json.dumps(message).encode())
                return wait(worker)
            except OSError as error:
                self.kill()
                if is_new:
                    raise WorkerDied("the worker of the login daemon ended") from error

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-I", "-m", "mien.login.worker", str(theirs.fileno())]
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        # so that a worker that ended by itself is not left as a zombie
        threading.Thread(target=self._process.wait, name="reaper", daemon=True).start()
        self._socket = ours
        return ours

    def _wait(
        self, worker: socket.socket, tell: Tell, gone: int, end_s: float
    ) -> tuple[Outcome, str]:
        while True:
            readable = _readable([worker.fileno(), gone], end_s - time.monotonic())
            if worker.fileno() in readable:
                message = _receive(worker)
                if "outcome" in message:
                    return Outcome(message["outcome"]), message.get("words", "")
                try:
                    tell(message["tell"])
                except OSError as error:
                    self._cancel(worker)
                    raise AskerGone from error
            elif gone in readable:
                self._cancel(worker)
                raise AskerGone
            else:
                self.kill()
                raise LookTimedOut("the worker of the login daemon gave no answer in time")

    def _wait_for_holds(self, worker: socket.socket) -> bool:
        if _readable([worker.fileno()], HOLDS_S):
            return _receive(worker)["outcome"] == Outcome.OK.value
        self.kill()
        raise LookTimedOut("the worker of the login daemon gave no answer in time")

    def _cancel(self, worker: socket.socket) -> None:
        """Let the worker settle the attempt and close the camera; kill it if it does not."""
        end_s = time.monotonic() + CANCEL_S
        with suppress(OSError):  # it has ended by itself; nobody waits for another one
            worker.send(json.dumps({"cancel": True}).encode())
            while _readable([worker.fileno()], end_s - time.monotonic()):
                if "outcome" in _receive(worker):
                    return
        self.kill()


def _readable(descriptors: Sequence[int], timeout_s: float) -> list[int]:
    return select.select(descriptors, [], [], max(0.0, timeout_s))[0]


def _receive(worker: socket.socket) -> dict[str, str]:
    message = worker.recv(MAX_MESSAGE_BYTES)
    if not message:
        raise ConnectionResetError
    found: dict[str, str] = json.loads(message)
    return found
