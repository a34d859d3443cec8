"""Start the login daemon, and stop it when it is told to."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from mien.errors import UsageError
from mien.files import write_whole
from mien.login.config import CONFIG_PATH, read_config
from mien.login.listener import drop_rights, open_listener, prepare_state
from mien.login.logind import open_sessions
from mien.login.protocol import SOCKET_PATH
from mien.login.server import AskerThreads, LoginServer
from mien.login.state import PROVEN, STATE_DIR
from mien.login.worker_process import WorkerProcess


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """film: read in place of the camera."""

    socket: Path = Path(SOCKET_PATH)
    config: Path = CONFIG_PATH
    state: Path = STATE_DIR
    film: Path | None = None


def run_daemon(options: DaemonOptions, environ: MutableMapping[str, str]) -> None:
    """Serve until SIGTERM or ctrl-c. Raises UsageError for what stops the start."""
    config = read_config(options.config)
    prepare_state(options.state)
    listener = open_listener(options.socket, environ)
    drop_rights()
    if options.film is not None and not os.access(options.film, os.R_OK):
        raise UsageError(f"user id {os.geteuid()} cannot read the film; give it more rights")
    arguments = [str(options.state), str(options.config)]
    worker = WorkerProcess(arguments + ([] if options.film is None else [str(options.film)]))
    server = LoginServer(
        worker,
        config,
        open_sessions,
        on_recognized=lambda: write_whole(options.state / PROVEN, b"a look recognized somebody\n"),
        log=_log,
    )
    signal.signal(signal.SIGTERM, _stop)
    _log(f"listening at {listener.getsockname()}")
    try:
        with listener:
            AskerThreads(server, _log).serve(listener)
    finally:
        worker.kill()


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _log(line: str) -> None:
    print(f"mien login: {line}", file=sys.stderr, flush=True)
