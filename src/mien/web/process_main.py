"""One of several processes that serve on one socket: `python -m mien.web.process_main`.

Standard input is a socket to the process that started it. The job comes from there, "ready" or an
error goes there, and its end ends this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading

from mien.errors import MienError
from mien.settings import load_settings
from mien.vault.open import no_prompt, open_vault
from mien.web.auth import TokenStore, tokens_path
from mien.web.process_job import ProcessJob
from mien.web.server import serve_on


def main() -> int:
    """Serve until SIGTERM. Returns the exit code."""
    control = socket.socket(fileno=os.dup(0))
    job = ProcessJob.from_line(control.makefile("rb").readline())
    threading.Thread(target=_end_with_parent, args=[control], daemon=True).start()
    try:
        _serve(job, control)
    except MienError as error:
        told = {"error": str(error), "outcome": error.outcome.value}
        control.sendall(json.dumps(told).encode() + b"\n")
        return int(error.outcome.exit_code)
    return 0


def _serve(job: ProcessJob, control: socket.socket) -> None:
    settings = load_settings(engine=job.engine, calibration=job.calibration)
    passphrase = job.passphrase
    ask = no_prompt if passphrase is None else lambda: passphrase
    vault = open_vault(settings, create=True, surface="web", ask_passphrase=ask)
    vault.is_empty()
    with socket.socket(fileno=job.listening) as listening:
        serve_on(
            listening,
            settings,
            vault,
            job.options,
            tokens=TokenStore(tokens_path(settings)),
            on_ready=lambda: control.sendall(b'{"ready": true}\n'),
            with_page=job.with_page,
            processes=job.processes,
        )


def _end_with_parent(control: socket.socket) -> None:
    """The parent says nothing more: what ends this is its end."""
    with contextlib.suppress(OSError):
        control.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
