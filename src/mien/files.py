"""Write files atomically, read regular files, and lock out other processes."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK_WAIT_S = 5.0
LOCK_STEP_S = 0.005


def write_whole(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a temporary file and rename it, so that readers see the whole file or none.

    Mode 0600. durable: the content is on the disk when this returns. Raises OSError.
    """
    with staged_write(path, content, durable=durable) as put_in_place:
        put_in_place()


def make_folder(folder: Path) -> None:
    """Create a folder and those above it that are missing, with mode 0700. Raises OSError.

    `Path.mkdir` gives the folders above it the mode of the umask: with umask 000 anybody could put
    another folder in the place of that with the key.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)  # FileExistsError if it is a file


@contextmanager
def staged_write(
    path: Path, content: bytes, *, durable: bool = False
) -> Iterator[Callable[[], None]]:
    """Write a temporary file beside `path`; calling the yielded function renames it to `path`.

    What can fail has failed before the caller commits something else. Without the call
    the temporary file is deleted. Raises OSError.
    """
    make_folder(path.parent)
    with suppress(FileNotFoundError):
        os.lstat(path)  # an invalid name, such as one that is too long, fails now
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            yield lambda: _put_in_place(Path(file.name), path, durable=durable)
        finally:  # also after an interrupt
            with suppress(FileNotFoundError):
                os.unlink(file.name)


def _put_in_place(beside: Path, path: Path, *, durable: bool) -> None:
    os.replace(beside, path)
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # so that the new name is on the disk too
        finally:
            os.close(folder)


def read_regular(
    path: Path,
    at_most: int,
    *,
    expect: Callable[[os.stat_result], None] = lambda status: None,
) -> bytes:
    """The first `at_most` bytes of a regular file.

    expect: called with the status of the opened file before it is read; may raise. Raises
    OSError for anything but a regular file, because a pipe would block the reader.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, "Is a directory, not a regular file")
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        expect(status)
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(at_most)
    finally:
        os.close(handle)


@contextmanager
def exclusive_lock(
    lock_path: Path, refused: Callable[[str], Exception], *, wait_s: float = LOCK_WAIT_S
) -> Iterator[None]:
    """Hold a lock file, so that only one process at a time runs such a block.

    The file is created and not deleted. refused: makes the error to raise from a reason,
    if the lock cannot be taken or another process holds it for longer than wait_s.
    """
    import fcntl

    try:
        make_folder(lock_path.parent)
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    except ValueError as error:  # a zero byte in the path
        raise refused(f"its folder cannot be written ({error})") from error
    except OSError as error:
        raise refused(f"its folder cannot be written ({error.strerror})") from error
    try:
        for _ in range(1 + round(wait_s / LOCK_STEP_S)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(LOCK_STEP_S)
            except OSError as error:  # a file system without locks
                raise refused(f"it cannot be locked ({error.strerror})") from error
        else:
            raise refused("another program has locked it; try again in a moment")
        yield
    finally:
        os.close(lock)
