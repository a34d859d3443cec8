"""Lock a file against other processes: flock where there is one, else Windows's byte locks."""

from __future__ import annotations

import errno
import os
from types import ModuleType

_FAR = 1 << 30  # Windows locks bytes against reading as well: one that no file of mien has


def try_lock(handle: int) -> None:
    """Lock an open file until it is closed.

    Raises BlockingIOError if another process holds the lock, and OSError where there is none.
    """
    fcntl = _module("fcntl")
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    msvcrt = _module("msvcrt")  # only now: a module that is missing is looked for each time
    if msvcrt is None:
        raise OSError(errno.ENOLCK, "this system has no file locks")
    _lock_bytes(handle, msvcrt)


def _lock_bytes(handle: int, msvcrt: ModuleType) -> None:
    here = os.lseek(handle, 0, os.SEEK_CUR)
    os.lseek(handle, _FAR, os.SEEK_SET)
    try:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):
            raise BlockingIOError(error.errno, "another process has locked it") from error
        raise
    finally:
        os.lseek(handle, here, os.SEEK_SET)


def _module(name: str) -> ModuleType | None:
    """A module of the standard library that not every system has."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        return None
