"""A file appears whole or not at all, and changes of it come one after the other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write beside, then rename: a reader sees the whole file or none. OSError if it cannot be.

    The file is its owner's alone (0600). durable: on the disk when this returns.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:  # an interrupt too must leave no half file behind
            os.unlink(file.name)
            raise
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name too
        finally:
            os.close(folder)


@contextmanager
def alone(lock_path: Path) -> Iterator[None]:
    """No other process is in such a block with this lock file, which is made and stays.

    OSError or ValueError where it cannot be made.
    """
    import fcntl

    lock_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
