"""The manual page, made from the commands."""

from __future__ import annotations

from mien.cli.reference.tree import Argument, Command

FILES = (
    ("~/.local/share/mien/vault.sqlite", "The vault: templates, attempts and the log, sealed."),
    ("~/.config/mien/vault.key", "The vault's key, unless it was put elsewhere."),
    ("~/.config/mien/config.toml", "Settings."),
    ("~/.local/share/mien/tokens.json", "Hashes of the tokens of the HTTP API."),
    ("~/.local/state/mien/vaults/", "The newest state of each vault that was seen."),
    ("~/.cache/mien/", "Built models; may be deleted."),
)


def manual_page(root: Command, *, version: str, exit_codes: str) -> str:
    """The page mien(1), as troff. exit_codes: the table that `mien --help` ends with."""
    lines = [f'.TH MIEN 1 "" "mien {version}" "User Commands"', ".SH NAME"]
    lines += [r"mien \- face unlock that you can trust", ".SH SYNOPSIS", ".B mien"]
    lines += [r"[\-\-json] \fICOMMAND\fR ...", ".SH DESCRIPTION", _escape(root.words)]
    lines += [".SH OPTIONS", *_arguments(root), ".SH COMMANDS"]
    for command in list(root.walk())[1:]:
        lines += [f".SS {_escape(command.usage)}", _escape(command.words)]
        lines += _arguments(command)
    lines += [".SH FILES"]
    for path, words in FILES:
        lines += [".TP", f".I {_escape(path)}", _escape(words)]
    lines += [".SH EXIT STATUS", ".nf"]
    lines += [_escape(line.strip()) for line in exit_codes.splitlines()[1:]] + [".fi"]
    lines += [".SH ENVIRONMENT", _escape("MIEN_NAME sets the setting NAME for one run.")]
    return "\n".join(lines) + "\n"


def _arguments(command: Command) -> list[str]:
    lines = []
    for one in command.arguments:
        names = ", ".join(one.flags)
        title = f"{names} {one.value}".strip()
        lines += [".TP", rf"\fB{_escape(title)}\fR", _escape(_words(one))]
    return lines


def _words(one: Argument) -> str:
    words = one.words.replace("%%", "%")
    if one.choices and one.value and one.value[0] != "{":
        words += f" One of {', '.join(one.choices)}."
    return words.strip() or "See the synopsis."


def _escape(text: str) -> str:
    """troff takes a backslash, a dash, and a dot or quote at the start of a line, for its own."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped
