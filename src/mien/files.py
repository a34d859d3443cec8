"""A file appears whole or not at all, and changes of it come one after the other."""

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
    """Write beside, then rename: a reader sees the whole file or none. OSError if it cannot be.

    The file is its owner's exclusive_lock (0600). durable: on the disk when this returns.
    """
    with staged_write(path, content, durable=durable) as put_in_place:
        put_in_place()


@contextmanager
def staged_write(
    path: Path, content: bytes, *, durable: bool = False
) -> Iterator[Callable[[], None]]:
    """The content lies in a file beside `path`; calling what is yielded gives it that name.

    So that what can fail, fails before something else is done for good. Without the call
    nothing is left. OSError as `write_whole`.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileNotFoundError):
        os.lstat(path)  # a name that cannot be, such as one too long, fails now
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            yield lambda: _put_in_place(Path(file.name), path, durable=durable)
        finally:  # an interrupt too must leave no half file behind
            with suppress(FileNotFoundError):
                os.unlink(file.name)


def _put_in_place(beside: Path, path: Path, *, durable: bool) -> None:
    os.replace(beside, path)
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name too
        finally:
            os.close(folder)


def read_regular(
    path: Path,
    at_most: int,
    *,
    expect: Callable[[os.stat_result], None] = lambda status: None,
) -> bytes:
    """So many bytes of a regular file. OSError for anything else: a pipe would hold the reader.

    expect: gets what the opened file is, before it is read, and raises what it will.
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
    """No other process is in such a block with this lock file, which is made and stays.

    refused: makes the error to raise, from the reason, where the lock cannot be had or
    another process (a stopped one, say) keeps it for longer than wait_s.
    """
    import fcntl

    try:
        lock_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
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
            raise refused("another program keeps it locked; try again in a moment")
        yield
    finally:
        os.close(lock)
