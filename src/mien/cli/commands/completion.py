"""`mien completion`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from mien import __version__
from mien.cli.arguments import EXIT_CODES
from mien.cli.output import CommandResult
from mien.cli.reference.completion import completion_script
from mien.cli.reference.manual import manual_page
from mien.cli.reference.tree import read_commands
from mien.errors import ExitCode


def completion(args: Namespace, build_parser: Callable[[], ArgumentParser]) -> CommandResult:
    """args.shell: bash, zsh, fish or man. build_parser: makes the parser of all commands."""
    root = read_commands(build_parser())
    if args.shell == "man":
        text = manual_page(root, version=__version__, exit_codes=EXIT_CODES)
    else:
        text = completion_script(args.shell, root)
    data: dict[str, object] = {"outcome": "shown", "exit_code": 0, "script": text}
    return CommandResult(ExitCode.OK, tuple(text.splitlines()), data)
