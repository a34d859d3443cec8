"""Read the bytes of an image file, from a path or a file object, with a bounded size."""

from __future__ import annotations

import os
import stat
from typing import IO

from mien.errors import UnreadableImage, one_line, quote_path
from mien.system.open_flags import NO_TERMINAL, READ

MAX_FILE_BYTES = 48_000_000


def read_path(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file, at most `MAX_FILE_BYTES`.

    Never waits: a pipe, a socket or a device is refused unopened. Raises
    UnreadableImage for a file that is missing, not regular, empty or too large.
    """
    name = quote_path(path)
    try:
        _check_is_regular(os.stat(path), name)  # first: opening a device may have an effect
        descriptor = os.open(path, READ | NO_TERMINAL)
        try:
            status = os.fstat(descriptor)
            _check_is_regular(status, name)  # again: the name may refer to another file by now
            check_byte_count(status.st_size, name)
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(status.st_size)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise UnreadableImage(f"there is no file {name}; check the path") from error
    except PermissionError as error:
        raise UnreadableImage(f"no permission to read {name}; change its mode or owner") from error
    except (OSError, ValueError) as error:  # ValueError: NUL or a lone surrogate in the name
        raise UnreadableImage(f"cannot open {name}: {one_line(error)}; check the path") from error


def read_file_object(file: IO[bytes]) -> bytes:
    """The bytes of a binary file object, at most `MAX_FILE_BYTES`; the file stays open.

    A seekable file is read from its start, as `PIL.Image.open` does; another one from
    where it stands. Raises UnreadableImage for a text file, one that is closed, fails,
    has no bytes ready, is empty or too large. Waits as long as the file object does.
    """
    name = "the file object given"
    parts: list[bytes] = []
    count = 0
    try:
        if _is_seekable(file):
            file.seek(0)
        while count <= MAX_FILE_BYTES:
            part = file.read(MAX_FILE_BYTES + 1 - count)
            if not isinstance(part, (bytes, bytearray, memoryview)):
                raise UnreadableImage(_describe_non_bytes(part, name))
            if not part:
                break
            parts.append(bytes(part))
            count += len(parts[-1])
    except (OSError, ValueError, AttributeError) as error:  # ValueError: it is closed
        raise UnreadableImage(
            f"cannot read {name}: {one_line(error)}; give an open binary file"
        ) from error
    check_byte_count(count, name)
    return b"".join(parts)


def check_byte_count(count: int, name: str) -> None:
    """Raise UnreadableImage for no byte, or more than `MAX_FILE_BYTES`.

    name: as it is to appear in the message.
    """
    if count == 0:
        raise UnreadableImage(f"{name} is empty; give a photo")
    if count > MAX_FILE_BYTES:
        raise UnreadableImage(
            f"{name} has {count / 1e6:.1f} MB, the limit is {MAX_FILE_BYTES / 1e6:.0f}; shrink it"
        )


def _is_seekable(file: IO[bytes]) -> bool:
    # SpooledTemporaryFile has no seekable() before Python 3.11
    return file.seekable() if hasattr(file, "seekable") else hasattr(file, "seek")


def _describe_non_bytes(part: object, name: str) -> str:
    if part is None:  # what a non-blocking file gives when it would have to wait
        return f"{name} has no bytes ready; read it to its end and give the bytes"
    return f"{name} gives {type(part).__name__}, not bytes; open it in binary mode, 'rb'"


def _check_is_regular(status: os.stat_result, name: str) -> None:
    kinds = {
        stat.S_IFDIR: "a folder; name a photo in it",
        stat.S_IFIFO: "a pipe, not a file; save the picture as a file first",
        stat.S_IFSOCK: "a socket, not a file; save the picture as a file first",
        stat.S_IFCHR: "a device, not a file; save the picture as a file first",
        stat.S_IFBLK: "a disk device, not a file; name a photo on it",
    }
    if not stat.S_ISREG(status.st_mode):
        kind = kinds.get(stat.S_IFMT(status.st_mode), "not a regular file; name a photo")
        raise UnreadableImage(f"{name} is {kind}")
