"""The parser of all commands; each module of `mien.cli` adds its own group."""

from __future__ import annotations

import argparse

from mien import __version__
from mien.cli import camera, lab, login, models, recognition, service, train, vault
from mien.cli.arguments import EXIT_CODES, CommandParser, add_command, add_json_option
from mien.cli.output import CommandResult

EXAMPLES = """examples:
  mien enroll anna photos/anna/*.jpg     enroll a person
  mien unlock anna probe.jpg             is this anna? exit code 0 means yes
  mien demo                              run every step, with pictures

"""
SHELLS = ("bash", "zsh", "fish")
GROUPS = (recognition, camera, vault, service, login, lab, train, models)
"""In the order of `mien --help`."""


def build_parser() -> CommandParser:
    """All commands and their options."""
    parser = CommandParser(
        prog="mien",
        description="Face unlock that you can trust. Photos never leave this machine.",
        epilog=EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mien {__version__}")
    add_json_option(parser, default=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add_commands(commands)
    completion = add_command(
        commands,
        "completion",
        _run_completion,
        "Print the completion of a shell, or the manual page.",
    )
    completion.add_argument("shell", choices=(*SHELLS, "man"), metavar="bash|zsh|fish|man")
    return parser


def _run_completion(args: argparse.Namespace) -> CommandResult:
    from mien.cli.commands.completion import completion

    return completion(args, build_parser)
