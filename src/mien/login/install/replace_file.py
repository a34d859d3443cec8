"""Replace a file of the system: whole or not at all, with its owner, mode and attributes."""

from __future__ import annotations

import os
from pathlib import Path

from mien.errors import UsageError, one_line
from mien.files import read_regular, remove_temporary_files, staged_write

MAX_BYTES = 1 << 26


def real_path(path: Path) -> Path:
    """The file behind a path. Raises UsageError for a symlink that leaves its folder."""
    if not path.is_symlink():
        return path
    target = path.resolve()
    if target.parent != path.parent.resolve():
        raise UsageError(
            f"{path} is a link to {target}, in another folder; change that file by hand, or"
            " replace the link by a copy"
        )
    return target


def read_system_file(path: Path) -> bytes | None:
    """The content of a file; None where there is none. Raises UsageError."""
    try:
        content = read_regular(real_path(path), MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path} ({one_line(error)}); check the file") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path} is too large; check the file")
    return content


def replace_file(path: Path, content: bytes, *, expected: bytes | None, mode: int = 0o644) -> None:
    """Write a file beside `path`, sync it to the disk and rename it.

    expected: what the file holds now, None for nothing; anything else means that somebody changed
    it meanwhile. mode: of a file that is new; another keeps its owner, mode and extended
    attributes. Raises UsageError.
    """
    target = real_path(path)
    if read_system_file(path) != expected:
        raise UsageError(f"{path} was changed meanwhile; run the command again")

    def prepare(handle: int) -> None:
        if expected is None:
            os.fchmod(handle, mode)
            return
        status = target.stat()
        os.fchown(handle, status.st_uid, status.st_gid)
        os.fchmod(handle, status.st_mode & 0o7777)
        for name in os.listxattr(target):
            os.setxattr(handle, name, os.getxattr(target, name))

    try:
        if not target.parent.is_dir():
            make_folders(target.parent)
        with staged_write(target, content, durable=True, prepare=prepare) as put_in_place:
            put_in_place()
    except OSError as error:
        raise UsageError(
            f"cannot write {path} ({one_line(error)}); nothing of it was changed"
        ) from error


def remove_file(path: Path) -> None:
    """Remove a file if it is there, and what killed writers left beside it. Raises UsageError."""
    try:
        if path.parent.is_dir():
            remove_temporary_files(path)
            path.unlink(missing_ok=True)
            _sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"cannot remove {path} ({one_line(error)}); check its folder") from error


def make_folders(folder: Path) -> None:
    """Make a folder that everybody may read, and those above it."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        one.chmod(0o755)  # whatever the umask is


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
