"""Check the path of a vault file before SQLite opens it, and create the file.

The checks do not open the file: closing a second handle would release the locks that SQLite
holds on the file in this process. They find mistakes, and not an attacker who replaces the
file between the check and the opening.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from mien.errors import MienError, UsageError, VaultDamaged, quote
from mien.files import make_folder
from mien.system.ownership import HAS_MODES, own_user_id

# SQLite trusts these files beside it: it copies a journal that a crash left back into the vault
COMPANION_SUFFIXES = ("-journal", "-wal", "-shm")


def find_vault_file(path: Path) -> Path | None:
    """The real path of the vault file, with links resolved; None if there is no file.

    Raises UsageError for a path that cannot be a vault, and VaultDamaged for a file that
    another user owns or could have changed.
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
            f"the vault {quote(path)} is a link to a file that does not exist; remove the link"
        ) from error
    except OSError as error:
        raise _cannot("reach", path, error) from error
    _check_own_file(path, status, root_may_own=not is_link)
    real = Path(os.path.realpath(path))
    for suffix in COMPANION_SUFFIXES:
        _check_companion(Path(f"{real}{suffix}"))
    return real


def create_vault_file(path: Path) -> None:
    """Make an empty file, and the folders above it, that only this user can read.

    An existing file stays as it is: another process was faster.
    """
    try:
        make_folder(path.parent)
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
            " correct the permissions, or set MIEN_VAULT to another file"
        )
    return UsageError(f"{quote(path)} cannot be a file name; set MIEN_VAULT to another file")


def _check_own_file(path: Path, status: os.stat_result, *, root_may_own: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise UsageError(f"the vault {quote(path)} is {kind}; set MIEN_VAULT to a file")
    if not HAS_MODES:
        return
    user_id = own_user_id()
    if status.st_uid != user_id and not (root_may_own and status.st_uid == 0):
        raise VaultDamaged(
            f"the vault {quote(path)} belongs to user id {status.st_uid} and not to you"
            f" ({user_id}); if you trust it, make yourself its owner with chown"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise VaultDamaged(
            f"the vault {quote(path)} can be changed by other users"
            f" (mode {stat.S_IMODE(status.st_mode):04o});"
            " if you trust its content, run chmod 600 on it"
        )


def _check_companion(path: Path) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot("reach", path, error) from error
    _check_own_file(path, status, root_may_own=True)
