"""The reference of the commands as Markdown, made from the commands."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from mien.cli.reference.json_fields import COMMON, FIELDS
from mien.cli.reference.tree import Argument, Command

HEAD = """# Commands

Every command of `mien`, its options, and the fields that `--json` prints. This page is made from
the program. `--json` may stand before the command or after it. Exit codes:
[outcomes](../outcomes.md).
"""


def command_reference(root: Command) -> str:
    """One section for each command that runs."""
    parts = [HEAD]
    for command in list(root.walk())[1:]:
        name = " ".join(command.path)
        if command.children and name != "models":  # which lists, and has `add` below it
            continue
        parts += [
            f"## mien {name}\n",
            f"{command.words}\n",
            f"```\n{_wrapped(command.usage)}\n```\n",
        ]
        given = [one for one in command.arguments if one.flags[:1] != ("-h",)]
        rows = [f"| `{_title(one)}` | {_cell(one)} |" for one in given]
        parts.append("\n".join(["| argument | |", "|---|---|", *rows]) + "\n")
        parts.append(_fields(FIELDS.get(name, {})))
    return "\n".join(parts)


def _fields(fields: Mapping[str, str]) -> str:
    rows = [f"| `{name}` | {words} |" for name, words in {**COMMON, **fields}.items()]
    return "\n".join(["With `--json`:\n", "| field | |", "|---|---|", *rows]) + "\n"


def _wrapped(usage: str) -> str:
    return "\n".join(textwrap.wrap(usage, 88, subsequent_indent="    ", break_on_hyphens=False))


def _title(one: Argument) -> str:
    names = ", ".join(one.flags)
    return f"{names} {one.value}".strip().replace("|", "\\|")


def _cell(one: Argument) -> str:
    words = one.words.replace("%%", "%").replace("|", "\\|")
    if one.choices and not one.value.startswith("{"):
        words += f" One of {', '.join(one.choices)}."
    return words.strip()
