"""The file in which the processes of a service count together what clients use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.small_disk import small_disk

from mien.errors import MienError
from mien.web.usage import Usage, remove_damaged


def count(path: Path, name: str = "door") -> int:
    usage = Usage(path)
    try:
        return usage.count(name, 60, 1.0)
    finally:
        usage.close()


@pytest.mark.parametrize("at", [0, 5000], ids=["no database", "a damaged page"])
def test_a_file_that_a_power_cut_damaged_is_begun_anew(tmp_path: Path, at: int) -> None:
    path = tmp_path / "usage.sqlite"
    count(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + b"\xff" * 4000 + whole[at + 4000 :])
    remove_damaged(path)
    assert count(path) == 1


def test_a_whole_file_keeps_its_counts(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    assert count(path) == 1
    remove_damaged(path)
    assert count(path) == 2


def test_requests_at_the_turn_of_a_minute_count_in_the_newer_one() -> None:
    usage = Usage()
    times = [59.9, 60.1, 59.9, 60.1, 59.8]  # of two processes, in the order in which they count
    assert [usage.count("door", 60, at) for at in times] == [1, 1, 2, 3, 4]
    usage.close()


def test_a_clock_that_was_years_ahead_locks_nobody_out() -> None:
    usage = Usage()
    for _ in range(9):
        usage.count("door", 60, 1e10)
    assert [usage.count("door", 60, 1e9) for _ in range(2)] == [1, 2]
    usage.close()


def test_what_is_no_file_stays_and_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    for make in (os.mkdir, os.mkfifo):
        make(path)
        remove_damaged(path)
        with pytest.raises(MienError, match="cannot count"):
            Usage(path)
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_file_that_other_users_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    count(path)
    path.chmod(0o666)
    with pytest.raises(MienError, match="cannot count"):
        Usage(path)


@pytest.mark.parametrize("size", [4 << 10, 16 << 10])
def test_on_a_full_disk_it_says_what_to_do_and_leaves_no_file_open(
    tmp_path: Path, size: int
) -> None:
    with (
        small_disk(tmp_path / "small", size) as disk,
        pytest.raises(MienError, match="free some space"),
    ):
        Usage(disk / "usage.sqlite")
