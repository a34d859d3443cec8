"""Where a vault file may lie: what is refused before SQLite sees it, and how it is made.

The checks look at the file before it is opened, and do not open it: closing a
second handle would drop the locks that SQLite holds on the file in this process.
They find carelessness, and not somebody who swaps files in the instant between.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from mien.errors import MienError, UsageError, VaultDamaged, quote

# SQLite trusts these beside the file: a journal left by a crash is copied back into it
COMPANION_SUFFIXES = ("-journal", "-wal", "-shm")


def find_vault_file(path: Path) -> Path | None:
    """The real path of the vault file, links followed; None where nothing is.

    Raises UsageError for a path that cannot be a vault, and VaultDamaged for a
    file that somebody else owns or could have changed.
    """
    try:
        is_link = stat.S_ISLNK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _cannot("reach", path, error) from error
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise UsageError(
            f"the vault {quote(path)} is a link to nothing; remove the link, or mend it"
        ) from error
    except OSError as error:
        raise _cannot("reach", path, error) from error
    _expect_file_of_ours(path, status, root_may_own=not is_link)
    real = Path(os.path.realpath(path))
    for suffix in COMPANION_SUFFIXES:
        _check_companion(Path(f"{real}{suffix}"))
    return real


def create_vault_file(path: Path) -> None:
    """Make an empty file that only we can read, and the folders above it likewise.

    A file that is there already is left alone: another process was faster.
    """
    try:
        _make_private_folders(path.parent)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except (OSError, ValueError) as error:
        raise _cannot("create", path, error) from error


def _cannot(verb: str, path: Path, error: Exception) -> MienError:
    """The error for a path that the operating system refuses."""
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
        return VaultDamaged(
            f"cannot {verb} the vault {quote(path)}: {why};"
            " mend the permissions, or set MIEN_VAULT to another file"
        )
    return UsageError(f"{quote(path)} cannot be a file name; set MIEN_VAULT to another file")


def _expect_file_of_ours(path: Path, status: os.stat_result, *, root_may_own: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise UsageError(f"the vault {quote(path)} is {kind}; set MIEN_VAULT to a file")
    if os.name != "posix":
        return  # owner and mode say nothing there
    us = os.geteuid()
    if status.st_uid != us and not (root_may_own and status.st_uid == 0):
        raise VaultDamaged(
            f"the vault {quote(path)} belongs to user id {status.st_uid} and not to you ({us});"
            " give it the right owner with chown if you trust it"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise VaultDamaged(
            f"the vault {quote(path)} can be changed by other users"
            f" (mode {stat.S_IMODE(status.st_mode):04o});"
            " run chmod 600 on it if you trust what is in it"
        )


def _check_companion(path: Path) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot("reach", path, error) from error
    _expect_file_of_ours(path, status, root_may_own=True)


def _make_private_folders(folder: Path) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(mode=0o700, exist_ok=True)
