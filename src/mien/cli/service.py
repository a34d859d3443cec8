"""The arguments of `mien serve` and `mien token`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mien.cli.arguments import (
    CommandParser,
    Commands,
    add_calibration_option,
    add_command,
    add_engine_option,
    add_group,
)
from mien.cli.output import CommandResult

SEE_TOKENS = "; mien token list shows what was done"
SCOPES = ("camera", "unlock", "enroll", "admin", "metrics")


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    serve = add_command(commands, "serve", _run, "Serve the page and the HTTP API.")
    _add_serve_options(serve)
    group = add_group(commands, "token", "Manage the tokens of the HTTP API.")
    create = _add_token_command(group, "create", "Create a token and show it once.")
    create.add_argument("token", metavar="NAME")
    create.add_argument(
        "--scope",
        choices=SCOPES,
        default="unlock",
        help="What the token may be used for; default: unlock.",
    )
    for name, window in (("--per-minute", "minute"), ("--per-day", "day")):
        create.add_argument(
            name,
            type=int,
            default=0,
            metavar="N",
            help=f"Let it make so many requests a {window}; default: any number.",
        )
    _add_token_command(group, "list", "List the names and scopes of the tokens.")
    revoke = _add_token_command(group, "revoke", "Revoke a token.")
    revoke.add_argument("token", metavar="NAME")


def _add_serve_options(serve: CommandParser) -> None:
    add_engine_option(serve)
    add_calibration_option(serve)
    serve.add_argument(
        "--host", default="127.0.0.1", help="Listen on this address; default: 127.0.0.1."
    )
    serve.add_argument(
        "--port",
        type=int,
        default=8437,
        help="Listen on this port; default: 8437; 0: any free one.",
    )
    serve.add_argument("--tls-cert", type=Path, metavar="PEM", help="Certificate for HTTPS.")
    serve.add_argument("--tls-key", type=Path, metavar="PEM", help="Key of the certificate.")
    serve.add_argument(
        "--name",
        action="append",
        metavar="HOST",
        help="Also accept requests to this HOST or HOST:PORT; may be repeated.",
    )
    serve.add_argument(
        "--insecure",
        action="store_true",
        help="Accept connections from other machines without TLS.",
    )
    serve.add_argument(
        "--no-page", action="store_true", help="Serve the HTTP API only; print no token."
    )
    serve.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="Serve in N processes; default: 1. With more there is no ticket, and no challenge.",
    )


def _add_token_command(group: Commands, name: str, summary: str) -> CommandParser:
    return add_command(group, name, _run, summary, interrupted=SEE_TOKENS)


def _run(args: Namespace) -> CommandResult:
    from mien.cli.commands import serve

    functions = {
        "serve": serve.serve,
        "create": serve.token_create,
        "list": serve.token_list,
        "revoke": serve.token_revoke,
    }
    return functions[args.command](args)
