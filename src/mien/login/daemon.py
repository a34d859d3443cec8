"""Start the login daemon, and stop it when it is told to."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from mien.errors import UsageError, one_line
from mien.files import write_whole
from mien.login.accounts import Account
from mien.login.authorization import Asker
from mien.login.config import CONFIG_PATH, read_config
from mien.login.fprint import Emit, FprintDevice
from mien.login.fprint_bus import FprintBus
from mien.login.listener import drop_rights, open_listener, prepare_state
from mien.login.logind import open_sessions
from mien.login.outcomes import NOT_ASKED
from mien.login.policy import FPRINTD
from mien.login.protocol import SOCKET_PATH, AuthReply, AuthRequest
from mien.login.server import AskerThreads, LoginServer
from mien.login.state import PROVEN, STATE_DIR
from mien.login.worker_process import AskerGone, WorkerProcess

FPRINTD_S = 10.0  # pam_fprintd waits 30 s by itself


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """film: read in place of the camera. fprintd: also serve the D-Bus interface of fprintd."""

    socket: Path = Path(SOCKET_PATH)
    config: Path = CONFIG_PATH
    state: Path = STATE_DIR
    film: Path | None = None
    fprintd: bool = False


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
    if options.fprintd:
        bus = FprintBus(lambda emit: _fprint_device(server, emit))
        _start_thread(lambda: _serve_bus(bus))
    signal.signal(signal.SIGTERM, _stop)
    _log(f"listening at {listener.getsockname()}")
    try:
        with listener:
            AskerThreads(server, _log).serve(listener)
    finally:
        worker.kill()


def _fprint_device(server: LoginServer, emit: Emit) -> FprintDevice:
    def ask_for(account: Account) -> AuthRequest:
        return AuthRequest(FPRINTD, account.name, "", FPRINTD_S, b"")

    def may_look(account: Account, asker: Asker) -> bool:
        return server.may_ask(ask_for(account), asker)

    def look(account: Account, asker: Asker, gone: int) -> AuthReply:
        try:
            return server.answer(ask_for(account), asker, tell=lambda words: None, gone=gone)
        except AskerGone:
            return NOT_ASKED

    return FprintDevice(look, may_look, server.is_enrolled, emit, _start_thread)


def _serve_bus(bus: FprintBus) -> None:
    try:
        bus.serve()
    except OSError as error:
        _log(f"the fprintd facade ended, because the system bus is gone: {one_line(error)}")


def _start_thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, daemon=True).start()


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _log(line: str) -> None:
    print(f"mien login: {line}", file=sys.stderr, flush=True)
