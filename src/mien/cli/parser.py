"""The parser of all commands; each module of `mien.cli` adds its own group."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from mien import __version__
from mien.cli import bulk, camera, lab, login, models, recognition, service, train, vault
from mien.cli.arguments import EXIT_CODES, CommandParser, add_command, add_json_option
from mien.cli.output import CommandResult

EXAMPLES = """examples:
  mien enroll anna photos/anna/*.jpg     enroll a person
  mien unlock anna probe.jpg             is this anna? exit code 0 means yes
  mien demo                              run every step, with pictures

"""
SHELLS = ("bash", "zsh", "fish")
GROUPS = (recognition, camera, vault, service, login, lab, bulk, train, models)
"""In the order of `mien --help`."""


class _Commands(argparse._SubParsersAction):  # type: ignore[type-arg]
    """The commands, of which only `asked` gets a parser, or all if that is None."""

    asked: str | None = None

    def add_parser(self, name: str, **given: Any) -> Any:
        if self.asked not in (None, name, *given.get("aliases", ())):
            return _NotAsked()
        return super().add_parser(name, **given)


class _NotAsked:
    """In place of the parser of another command: takes every call, and does nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **given: self


def build_parser(asked: str | None = None) -> CommandParser:
    """The commands and their options.

    asked: the only command that will be parsed; None, or a word that is no command: make all.
    To make all takes longer than an unlock takes to decide.
    """
    parser = CommandParser(
        prog="mien",
        description="Face unlock that you can trust. Photos never leave this machine.",
        epilog=EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mien {__version__}")
    add_json_option(parser, default=False)
    commands: Any = parser.add_subparsers(metavar="COMMAND", required=True, action=_Commands)
    commands.asked = asked
    for group in GROUPS:
        group.add_commands(commands)
    completion = add_command(
        commands,
        "completion",
        _run_completion,
        "Print the completion of a shell, or the manual page.",
    )
    completion.add_argument("shell", choices=(*SHELLS, "man"), metavar="bash|zsh|fish|man")
    if asked is not None and asked not in commands.choices:
        return build_parser()
    return parser


def _run_completion(args: argparse.Namespace) -> CommandResult:
    from mien.cli.commands.completion import completion

    return completion(args, build_parser)
