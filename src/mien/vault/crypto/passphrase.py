"""A passphrase from a file, or from whoever sits at the terminal; from nobody else."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from mien.errors import KeyUnavailable, UsageError

MAX_BYTES = 4096
MIN_CHARACTERS = 12
OF_VAULT = "set MIEN_VAULT_PASSPHRASE_FILE"


def passphrase_prompt(
    file: Path | None, what: str, *, name_it: str = OF_VAULT
) -> Callable[[], str]:
    """Gives the passphrase once it is needed. what: it is of, for the prompt.

    name_it: how a file is named where nobody can type, for the error. file: is read where
    it is given; otherwise a terminal is asked. Raises KeyUnavailable where there is neither.
    """
    return lambda: _asked(what, name_it) if file is None else passphrase_in(file)


def new_passphrase(file: Path | None, what: str, *, name_it: str = OF_VAULT) -> str:
    """The same for one that is being chosen: at a terminal it is to be typed twice.

    Raises UsageError for one that is too short.
    """
    if file is not None:
        return long_enough(passphrase_in(file))
    chosen = long_enough(_asked(f"new {what}", name_it))
    if _asked(f"{what} again", name_it) != chosen:
        raise KeyUnavailable("the two passphrases differ; try again")
    return chosen


def long_enough(passphrase: str) -> str:
    """The passphrase itself. UsageError for one that could be found by trying."""
    if len(passphrase) < MIN_CHARACTERS:
        raise UsageError(
            f"a new passphrase has {MIN_CHARACTERS} characters or more; five or six random words"
            " are easy to keep"
        )
    return passphrase


def passphrase_in(file: Path) -> str:
    """The first line of a file that only its owner can reach. Raises KeyUnavailable."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as opened:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
                raise KeyUnavailable(
                    f"the passphrase file {str(file)!r} can be reached by other users, or is no"
                    " file; run chmod 600 on it"
                )
            content = opened.read(MAX_BYTES)
        return content.decode().split("\n")[0].rstrip("\r")
    except OSError as error:
        raise KeyUnavailable(
            f"cannot read the passphrase file {str(file)!r}: {error.strerror}"
        ) from error
    except ValueError as error:  # UnicodeDecodeError, or a zero byte in the path
        raise KeyUnavailable(f"the passphrase file {str(file)!r} is not UTF-8 text") from error


def _asked(what: str, name_it: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise KeyUnavailable(
            f"the {what} is needed and nobody is there to type it; put it into a file of mode 600"
            f" and {name_it}"
        )
    from getpass import getpass

    try:
        return getpass(f"{what}: ")
    except EOFError as error:
        raise KeyUnavailable("no passphrase was typed; try again") from error
