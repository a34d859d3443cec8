"""Files of the system are replaced whole, and keep their owner, mode and attributes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.login.namespace import need_root_and

from mien.errors import UsageError
from mien.login.install.replace_file import read_system_file, remove_file, replace_file


def test_a_new_file_has_the_mode_that_was_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        replace_file(tmp_path / "made/a", b"new", expected=None)
    finally:
        os.umask(before)
    assert (tmp_path / "made/a").read_bytes() == b"new"
    assert (tmp_path / "made/a").stat().st_mode & 0o7777 == 0o644
    assert (tmp_path / "made").stat().st_mode & 0o7777 == 0o755


def test_an_old_file_keeps_mode_and_attributes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")
    file.chmod(0o640)
    try:
        os.setxattr(file, "user.mien", b"label")
    except OSError:
        pytest.skip("needs a file system with extended attributes for TMPDIR")
    replace_file(file, b"new", expected=b"old")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o7777 == 0o640
    assert os.getxattr(file, "user.mien") == b"label"
    assert os.listdir(tmp_path) == ["a"]


def test_an_old_file_keeps_its_owner(tmp_path: Path) -> None:
    need_root_and(package="")
    file = tmp_path / "a"
    file.write_bytes(b"old")
    os.chown(file, 12345, 54321)
    replace_file(file, b"new", expected=b"old")
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321)


@pytest.mark.parametrize("expected", [b"other", None])
def test_a_file_that_changed_meanwhile_is_left_alone(
    expected: bytes | None, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"now")
    with pytest.raises(UsageError, match="changed meanwhile"):
        replace_file(tmp_path / "a", b"new", expected=expected)
    assert (tmp_path / "a").read_bytes() == b"now"


def test_a_link_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"old")
    (tmp_path / "etc/a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="in another folder"):
        replace_file(tmp_path / "etc/a", b"new", expected=b"old")
    with pytest.raises(UsageError, match="in another folder"):
        read_system_file(tmp_path / "etc/a")
    assert (tmp_path / "elsewhere").read_bytes() == b"old"


def test_a_link_within_its_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "a").symlink_to("real")
    replace_file(tmp_path / "a", b"new", expected=b"old")
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(UsageError, match="not a regular file"):
        read_system_file(tmp_path / "a")


def test_removing_takes_leftovers_of_killed_writers_with_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / ".a.0123456789ab.tmp").write_bytes(b"half")
    remove_file(tmp_path / "a")
    remove_file(tmp_path / "a")  # done is done
    assert os.listdir(tmp_path) == []
