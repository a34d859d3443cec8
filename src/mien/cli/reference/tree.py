"""The commands and their options as plain records, read from the parser.

The completion scripts, the man page and the reference in the documents are made from these, so
none of them can name an option that does not exist.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Argument:
    """An option, or a positional argument, which has no flags.

    value: the name of what it takes; "" for nothing. choices: what may be taken, or any.
    """

    flags: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Command:
    """path: the words that call it, without `mien`; () for mien itself. words: what it does."""

    path: tuple[str, ...]
    aliases: tuple[str, ...]
    words: str
    usage: str
    arguments: tuple[Argument, ...]
    children: tuple[Command, ...]

    @property
    def options(self) -> tuple[Argument, ...]:
        """The arguments with flags."""
        return tuple(one for one in self.arguments if one.flags)

    def walk(self) -> Iterator[Command]:
        """This command and all below it, in the order of the help."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_commands(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = (), aliases: tuple[str, ...] = ()
) -> Command:
    """The command of this parser, and those below it."""
    arguments, children = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            children += _children(action, path)
        elif action.help != argparse.SUPPRESS:
            arguments.append(_argument(action))
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    words = parser.description or ""
    return Command(path, aliases, words, usage, tuple(arguments), tuple(children))


def _children(
    action: argparse._SubParsersAction[argparse.ArgumentParser], path: tuple[str, ...]
) -> list[Command]:
    names: dict[int, list[str]] = {}
    for name, parser in action.choices.items():
        names.setdefault(id(parser), []).append(name)  # the name first, then its aliases
    parsers = {id(parser): parser for parser in action.choices.values()}
    return [
        read_commands(parsers[key], (*path, name), tuple(aliases))
        for key, (name, *aliases) in names.items()
    ]


def _argument(action: argparse.Action) -> Argument:
    takes = action.nargs != 0
    choices = tuple(str(one) for one in action.choices or ())
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    value = metavar or (f"{{{','.join(choices)}}}" if choices else action.dest.upper())
    return Argument(
        tuple(action.option_strings), value if takes else "", choices, action.help or ""
    )
