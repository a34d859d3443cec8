"""Changes of a file come one after the other, and nobody waits for ever."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mien.errors import VaultDamaged
from mien.files import exclusive_lock, make_folder, staged_write, temporary_files, write_whole

HOLD = """
import sys
from pathlib import Path
from mien.files import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), ValueError):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_waiting_for_the_lock_of_another_program_is_reported(tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "lock"
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(VaultDamaged, match="another program has locked it; try again"),
            exclusive_lock(lock, VaultDamaged, wait_s=0),
        ):
            pytest.fail("two had the lock")
        holder.communicate(timeout=300)
    with exclusive_lock(lock, VaultDamaged, wait_s=0):
        assert lock.stat().st_mode & 0o777 == 0o600


def test_a_path_that_cannot_be_locked_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "lock", tmp_path / "zero\0byte" / "lock"):
        with (
            pytest.raises(VaultDamaged, match="its folder cannot be written"),
            exclusive_lock(place, VaultDamaged),
        ):
            pytest.fail("there is no such place")


def test_an_error_inside_the_block_is_raised_and_releases_the_lock(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match="of the work"),
        exclusive_lock(tmp_path / "lock", VaultDamaged),
    ):
        raise OSError("of the work")
    with exclusive_lock(tmp_path / "lock", VaultDamaged, wait_s=0):
        assert os.listdir(tmp_path) == ["lock"]


def test_every_folder_that_is_created_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_whole(tmp_path / "a" / "b" / "file", b"")
        with exclusive_lock(tmp_path / "c" / "d" / "lock", OSError):
            pass
    finally:
        os.umask(before)
    folders = [tmp_path / name for name in ("a", "a/b", "c", "c/d")]
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700] * 4


def test_a_file_in_the_place_of_a_folder_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        write_whole(tmp_path / "file" / "inside", b"")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_a_staged_file_has_no_name_until_it_is_put_in_place(tmp_path: Path) -> None:
    with staged_write(tmp_path / "file", b"new", durable=True) as put_in_place:
        assert os.listdir(tmp_path) == []
        put_in_place()
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    with staged_write(tmp_path / "file", b"never put in place"):
        pass
    assert (tmp_path / "file").read_bytes() == b"new"


WRITER = """
import os, signal, sys
from pathlib import Path
from mien import files
def replace(source, target):
    os.kill(os.getpid(), signal.SIGKILL)
files.os.replace = replace
files.write_whole(Path(sys.argv[1]), b"secret")
"""


def test_the_next_write_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", WRITER, tmp_path / "file"], check=False)
    assert killed.returncode == -signal.SIGKILL
    [left] = temporary_files(tmp_path)
    assert left.read_bytes() == b"secret"
    write_whole(tmp_path / "other", b"")
    assert temporary_files(tmp_path) == [left]  # other files are not touched
    write_whole(tmp_path / "file", b"new")
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


def test_temporary_files_are_those_of_mien_that_nobody_is_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tmpab12_xyz", ".key.00ff.tmp", "tmp", "tmpab12_xyz.txt", "key", ".tmpfile"):
        (tmp_path / name).write_bytes(b"")
    found = [tmp_path / ".key.00ff.tmp", tmp_path / "tmpab12_xyz"]
    assert temporary_files(tmp_path) == found
    _without_unnamed_files(monkeypatch)
    with staged_write(tmp_path / "other", b"being written"):
        assert len(os.listdir(tmp_path)) == 7
        assert temporary_files(tmp_path) == found
    assert temporary_files(tmp_path / "absent") == []


def test_a_file_system_without_unnamed_files_is_written_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_unnamed_files(monkeypatch)
    write_whole(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"new"


def _without_unnamed_files(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "as on NFS")
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
