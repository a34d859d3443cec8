"""Write files atomically, read regular files, and lock out other processes."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mien.system.locks import try_lock
from mien.system.open_flags import BINARY, CLOSE_ON_EXEC, NO_LINK, READ, UNNAMED
from mien.system.ownership import is_of_another, others_may_write

LOCK_WAIT_S = 5.0
LOCK_STEP_S = 0.005
TEMPORARY_SUFFIX = ".tmp"
RENAMES_OPEN_FILES = os.name != "nt"  # Windows neither renames nor removes them
_OLD_TEMPORARY = re.compile(r"tmp[a-z0-9_]{8}")  # the names that Python's tempfile gives


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
    if folder.is_dir():
        return
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)  # FileExistsError if it is a file


@contextmanager
def staged_write(
    path: Path,
    content: bytes,
    *,
    durable: bool = False,
    prepare: Callable[[int], None] = lambda handle: None,
) -> Iterator[Callable[[], None]]:
    """Write a file without a name beside `path`; calling the yielded function names it `path`.

    prepare: gets the handle of the written file, to set its owner and mode before it has a name.
    What can fail has failed before the caller commits something else. Without the call nothing
    is left, also after a kill: where the file system has no files without a name, or between
    naming and renaming, a kill leaves a temporary file, which the next write of `path` removes.
    Raises OSError.
    """
    temporary = _name_temporary(path)
    handle, has_name = _open_temporary(temporary)
    close = _once(lambda: os.close(handle))
    try:
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(content)
        prepare(handle)
        if durable:
            os.fsync(handle)

        def put_in_place() -> None:
            if not RENAMES_OPEN_FILES:
                close()
            if not has_name:  # no link replaces an existing file, so it needs a name to rename
                os.link(f"/proc/self/fd/{handle}", temporary, src_dir_fd=0, follow_symlinks=True)
            _rename(temporary, path, durable=durable)

        yield put_in_place
    finally:  # also after an interrupt
        if not RENAMES_OPEN_FILES:
            close()
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        close()


def _name_temporary(path: Path) -> Path:
    """A new name beside `path`, whose folder is made, and where killed writers left nothing."""
    make_folder(path.parent)
    with suppress(FileNotFoundError):
        os.lstat(path)  # an invalid name, such as one that is too long, fails now
    remove_temporary_files(path)
    return path.with_name(_temporary_prefix(path) + os.urandom(6).hex() + TEMPORARY_SUFFIX)


def _once(action: Callable[[], None]) -> Callable[[], None]:
    left = [action]
    return lambda: left.pop()() if left else None


def temporary_files(folder: Path) -> list[Path]:
    """Temporary files that killed writers left in the folder, also those of mien 0.1."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        folder / name
        for name in names
        if (name.startswith(".") and name.endswith(TEMPORARY_SUFFIX))
        or _OLD_TEMPORARY.fullmatch(name)
        if not _is_being_written(folder / name)
    ]


def remove_temporary_files(path: Path) -> None:
    """Remove the temporary files that killed writers of `path` left beside it. Raises OSError."""
    for one in temporary_files(path.parent):
        if one.name.startswith(_temporary_prefix(path)):
            one.unlink(missing_ok=True)


def _temporary_prefix(path: Path) -> str:
    return f".{path.name[:40]}."


def _open_temporary(named: Path) -> tuple[int, bool]:
    """A new locked file of mode 0600 that can be written, and whether it has its name already."""
    flags, has_name = os.O_RDWR | CLOSE_ON_EXEC | BINARY, False
    try:
        if not UNNAMED or not os.path.isdir("/proc/self/fd"):  # by which it gets its name
            raise OSError(errno.EOPNOTSUPP, "")
        handle = os.open(named.parent, flags | UNNAMED, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        handle, has_name = os.open(named, flags | os.O_CREAT | os.O_EXCL, 0o600), True
    with suppress(OSError):  # a file system without locks
        try_lock(handle)
    return handle, has_name


def _is_being_written(temporary: Path) -> bool:
    """Whether its writer lives: it holds a lock until the file has its last name."""
    try:
        handle = os.open(temporary, READ | NO_LINK)
    except OSError:
        return False
    try:
        try_lock(handle)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def _rename(temporary: Path, path: Path, *, durable: bool) -> None:
    os.replace(temporary, path)
    if durable and os.name == "posix":  # Windows opens no folder, and needs no such call
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # so that the new name is on the disk too
        finally:
            os.close(folder)


def fault_of_owner(status: os.stat_result) -> str | None:
    """Why another user could have written the file, and what to do; None if nobody could."""
    if is_of_another(status):
        return f"it belongs to user id {status.st_uid}; if you trust it, run chown on it"
    if others_may_write(status):
        return "other users can write it; if you trust its content, run chmod 600 on it"
    return None


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
    handle = os.open(path, READ)
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
                try_lock(lock)
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
