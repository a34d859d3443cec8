"""Changes of a file come one after the other, and nobody waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mien.errors import VaultDamaged
from mien.files import exclusive_lock, make_folder, write_whole

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
