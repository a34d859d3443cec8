"""Locks of files between processes, by flock and by Windows's byte locks."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mien.files import staged_write
from mien.system import locks
from mien.system.locks import try_lock


class ByteLocks(ModuleType):
    """Windows's module, in this process: a byte of a file is locked once."""

    LK_NBLCK = 2

    def __init__(self, errno_if_held: int = errno.EACCES) -> None:
        super().__init__("msvcrt")
        self.held: set[tuple[int, int]] = set()
        self.errno = errno_if_held

    def locking(self, handle: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        byte = (os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR))
        if byte in self.held:
            raise OSError(self.errno, "held")
        self.held.add(byte)


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """The same file, opened twice."""
    path = tmp_path / "lock"
    path.write_bytes(b"content")
    both = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    yield both
    for one in both:
        os.close(one)


def test_a_second_opener_finds_the_file_locked(handles: tuple[int, int]) -> None:
    try_lock(handles[0])
    with pytest.raises(BlockingIOError):
        try_lock(handles[1])


@pytest.mark.parametrize("code", [errno.EACCES, errno.EDEADLK])
def test_windows_locks_a_byte_past_the_content_and_leaves_the_position(
    handles: tuple[int, int], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    windows = ByteLocks(code)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    os.lseek(handles[0], 3, os.SEEK_SET)
    try_lock(handles[0])
    assert os.read(handles[0], 9) == b"tent"
    assert {byte for _, byte in windows.held} == {1 << 30}
    with pytest.raises(BlockingIOError):
        try_lock(handles[1])


def test_another_error_of_windows_is_raised_as_it_is(
    handles: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", ByteLocks(errno.EBADF))
    try_lock(handles[0])
    with pytest.raises(OSError, match="held") as caught:
        try_lock(handles[1])
    assert not isinstance(caught.value, BlockingIOError)


def test_a_system_without_locks_says_so(
    handles: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_module", lambda name: None)
    with pytest.raises(OSError, match="no file locks"):
        try_lock(handles[0])


def test_where_open_files_cannot_be_renamed_they_are_closed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.files.RENAMES_OPEN_FILES", False)
    monkeypatch.setattr("mien.files.UNNAMED", 0)
    closed: list[str] = []
    real_close, real_replace, real_unlink = os.close, os.replace, os.unlink

    def replace(source: Path, target: Path) -> None:
        closed.append("renamed")
        real_replace(source, target)

    def close(handle: int) -> None:
        closed.append("closed")
        real_close(handle)

    def unlink(path: Path) -> None:
        closed.append("unlinked")
        real_unlink(path)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "close", close)
    monkeypatch.setattr(os, "unlink", unlink)
    with staged_write(tmp_path / "file", b"whole") as put_in_place:
        put_in_place()
    with staged_write(tmp_path / "other", b"not named"):
        pass
    assert closed == ["closed", "renamed", "unlinked", "closed", "unlinked"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
