"""A person at a terminal: a program with a pseudo-terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.login.namespace import CLEAN_ENVIRONMENT

CTRL_C, CTRL_Z = "\x03", "\x1a"
WAIT_S = 40.0
"""Less than the 60 seconds that a look may take, and long for a loaded machine."""


class Terminal:
    """What the program has printed. program: its process."""

    def __init__(self, master: int, program: subprocess.Popen[bytes]) -> None:
        self.program = program
        self.printed = ""
        self._master = master
        self._seen = 0

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until the program prints this, after what was waited for before."""
        end_s = time.monotonic() + WAIT_S
        while (at := self.printed.find(text, self._seen)) < 0:
            left_s = max(0.0, end_s - time.monotonic())
            ready, _, _ = select.select([self._master], [], [], left_s)
            assert ready, f"not printed: {text!r} in {self.printed!r}"
            try:
                more = os.read(self._master, 4096)
            except OSError:  # the program has closed its end
                more = b""
            assert more, f"ended without {text!r}: {self.printed!r}"
            self.printed += more.decode(errors="replace")
        self._seen = at + len(text)

    def wait_end(self) -> int:
        """The exit code of the program; negative for a signal."""
        return self.program.wait(WAIT_S)


@contextmanager
def terminal(command: Sequence[str]) -> Iterator[Terminal]:
    """Run a command at a terminal, and kill it at the end of the block if it still runs."""
    master, slave = pty.openpty()
    try:
        program = subprocess.Popen(
            # whoever runs the tests may ignore signals, as nohup does
            ["env", "--default-signal", "setsid", "--ctty", *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**CLEAN_ENVIRONMENT, "TERM": "dumb"},
        )
        os.close(slave)
        try:
            yield Terminal(master, program)
        finally:
            program.kill()
            program.wait()
    finally:
        os.close(master)
