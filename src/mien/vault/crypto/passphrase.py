"""Get a passphrase from a file, or ask for it at the terminal."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from mien.errors import KeyUnavailable, UsageError
from mien.system.open_flags import READ
from mien.system.ownership import others_may_use

MAX_BYTES = 4096
MIN_CHARACTERS = 12
VAULT_FILE_HINT = "set MIEN_VAULT_PASSPHRASE_FILE"


def passphrase_prompt(
    file: Path | None, what: str, *, file_hint: str = VAULT_FILE_HINT
) -> Callable[[], str]:
    """A function that gives the passphrase when it is needed.

    file: to read; None asks at the terminal. what: text of the prompt. file_hint: how to name
    a file, for the error where nobody can type. The function raises KeyUnavailable where
    there is neither a file nor a terminal.
    """
    return lambda: _ask(what, file_hint) if file is None else read_passphrase(file)


def new_passphrase(file: Path | None, what: str, *, file_hint: str = VAULT_FILE_HINT) -> str:
    """A passphrase that is being chosen; at a terminal it must be typed twice.

    The arguments are those of `passphrase_prompt`. Raises UsageError for one that is too short.
    """
    if file is not None:
        return check_length(read_passphrase(file))
    chosen = check_length(_ask(f"new {what}", file_hint))
    if _ask(f"{what} again", file_hint) != chosen:
        raise KeyUnavailable("the two passphrases differ; try again")
    return chosen


def check_length(passphrase: str) -> str:
    """Return the passphrase. UsageError for one that is short enough to be guessed."""
    if len(passphrase) < MIN_CHARACTERS:
        raise UsageError(
            f"a new passphrase must have {MIN_CHARACTERS} characters or more; five or six random"
            " words are easy to remember"
        )
    return passphrase


def read_passphrase(file: Path) -> str:
    """The first line of a file that only its owner can read. Raises KeyUnavailable."""
    try:
        handle = os.open(file, READ)
        with os.fdopen(handle, "rb") as opened:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or others_may_use(status):
                raise KeyUnavailable(
                    f"the passphrase file {str(file)!r} can be read by other users, or is not a"
                    " regular file; run chmod 600 on it"
                )
            content = opened.read(MAX_BYTES)
        return content.decode().split("\n")[0].rstrip("\r")
    except OSError as error:
        raise KeyUnavailable(
            f"cannot read the passphrase file {str(file)!r}: {error.strerror}"
        ) from error
    except ValueError as error:  # UnicodeDecodeError, or a zero byte in the path
        raise KeyUnavailable(f"the passphrase file {str(file)!r} is not UTF-8 text") from error


def _ask(what: str, file_hint: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise KeyUnavailable(
            f"the {what} is needed and there is no terminal to type it at; put it into a file of"
            f" mode 600 and {file_hint}"
        )
    from getpass import getpass

    try:
        return getpass(f"{what}: ")
    except EOFError as error:
        raise KeyUnavailable("no passphrase was typed; try again") from error
