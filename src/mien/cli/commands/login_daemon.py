"""`mien login serve` and `mien login test`."""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from mien.cli.output import CommandResult
from mien.cli.progress import print_progress
from mien.errors import ExitCode, UsageError
from mien.login.client import ask
from mien.login.daemon import DaemonOptions, run_daemon
from mien.login.policy import TEST_SERVICE
from mien.login.protocol import SOCKET_PATH, AuthRequest, ReplyCode

TEST_S = 10.0


def serve(args: Namespace) -> CommandResult:
    """Run the daemon until SIGTERM or ctrl-c. args: socket, config, state, frames, fprintd."""
    given = {"socket": args.socket, "config": args.config, "state": args.state, "film": args.frames}
    paths = {key: one for key, one in given.items() if one is not None}
    options = replace(DaemonOptions(fprintd=args.fprintd), **paths)
    run_daemon(options, os.environ)
    return CommandResult(ExitCode.OK, (), {"outcome": "ok"})


def test(args: Namespace) -> CommandResult:
    """Ask the daemon for a look. args: user, socket."""
    if os.geteuid() != 0:
        raise UsageError(f"only root may test the daemon; run: sudo mien login test {args.user}")
    request = AuthRequest(TEST_SERVICE, args.user, "", TEST_S, os.urandom(16))
    reply = ask(request, args.socket or Path(SOCKET_PATH), tell=print_progress)
    if reply.code is ReplyCode.AUTH_ERR:
        code = ExitCode.NOT_THE_OWNER
    elif reply.code is ReplyCode.IGNORE:
        code = ExitCode.OK if reply.words else ExitCode.NOT_ENROLLED
    else:
        code = ExitCode.NO_FACE
    words = reply.words or "this account has no face; run: sudo mien login enroll USER"
    return CommandResult(code, (words,), {"outcome": code.name.lower(), "words": words})
