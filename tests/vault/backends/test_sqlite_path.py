"""Which files may be a vault, and how a new one is made."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.vault.raw_vault import RawVault

from mien.errors import UsageError, VaultDamaged

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes are those of POSIX")

NOBODY = 65534


@pytest.fixture
def filled(path: Path) -> Path:
    """A vault of one person."""
    with RawVault(path, create=True) as vault:
        vault.put("ana")
    return path


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def expect_refused(path: Path, error: type[Exception], why: str) -> None:
    for create in (False, True):
        with pytest.raises(error, match=why) as refusal:
            RawVault(path, create=create)
        assert str(refusal.value).isprintable()


@pytest.mark.usefixtures("umask")
def test_a_new_vault_and_the_folders_made_for_it_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "vault.sqlite"
    with RawVault(path, create=True) as vault:
        vault.put("ana")
    assert mode_of(path) == 0o600
    assert mode_of(tmp_path / "new") == 0o700
    assert mode_of(tmp_path / "new" / "deep") == 0o700


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    folder.chmod(0o755)
    RawVault(folder / "vault.sqlite", create=True).close()
    assert mode_of(folder) == 0o755


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_a_vault_that_others_can_change_is_refused_and_not_tightened(
    filled: Path, mode: int
) -> None:
    filled.chmod(mode)
    expect_refused(
        filled,
        VaultDamaged,
        rf"other users \(mode 0{mode:o}\); if .* run chmod 600",
    )
    assert mode_of(filled) == mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_a_vault_that_only_we_can_change_is_opened(filled: Path, mode: int) -> None:
    filled.chmod(mode)
    with RawVault(filled, create=False) as vault:
        assert vault.get("ana") == b"payload"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    expect_refused(tmp_path, UsageError, "is a directory; set MIEN_VAULT to a file")


def test_a_pipe_and_a_socket_are_refused_without_blocking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the address of a socket must be short
    os.mkfifo("pipe")
    expect_refused(Path("pipe"), UsageError, "not a regular file")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        expect_refused(Path("socket"), UsageError, "not a regular file")


def test_a_device_is_refused() -> None:
    expect_refused(Path("/dev/null"), UsageError, "not a regular file")


def test_a_path_through_a_file_is_refused(filled: Path) -> None:
    expect_refused(filled / "vault.sqlite", VaultDamaged, "cannot reach .*Not a directory")


def test_names_that_no_file_can_have_are_refused() -> None:
    expect_refused(Path("a\x00b"), UsageError, "cannot be a file name")
    expect_refused(Path("x" * 300), VaultDamaged, "cannot reach .*File name too long")


def test_a_link_to_our_vault_is_followed(filled: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(filled)
    with RawVault(link, create=True) as vault:
        vault.put("ben")
    with RawVault(filled, create=False) as vault:
        assert vault.names() == ["ana", "ben"]
    assert link.is_symlink()


def test_a_broken_link_is_refused_and_no_file_is_made(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    expect_refused(path, UsageError, "is a link to a file that does not exist")
    assert os.listdir(tmp_path) == [path.name]


def test_a_circular_link_is_refused(path: Path) -> None:
    path.symlink_to(path)
    expect_refused(path, VaultDamaged, "cannot reach")


def test_a_link_to_a_folder_or_to_a_vault_that_others_can_change_is_refused(
    filled: Path, tmp_path: Path
) -> None:
    link, to_folder = tmp_path / "link", tmp_path / "to folder"
    to_folder.symlink_to(tmp_path)
    expect_refused(to_folder, UsageError, "is a directory")
    filled.chmod(0o666)
    link.symlink_to(filled)
    expect_refused(link, VaultDamaged, "can be changed by other users")


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
def test_a_planted_journal_is_refused(filled: Path, tmp_path: Path, suffix: str) -> None:
    """SQLite would copy what is in it into the vault."""
    companion = filled.with_name(filled.name + suffix)
    companion.symlink_to(tmp_path / "elsewhere")
    expect_refused(filled, UsageError, "not a regular file")
    companion.unlink()
    companion.touch()
    companion.chmod(0o666)
    expect_refused(filled, VaultDamaged, "can be changed by other users")


@pytest.mark.parametrize(
    "name", ["a b", "100%?x#y&mode=memory", "file:x", "line\nbreak", "é\udcff"]
)
def test_the_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with RawVault(path, create=True) as vault:
        vault.put("ana")
    assert os.listdir(tmp_path) == [name]
    path.chmod(0o666)
    expect_refused(path, VaultDamaged, "can be changed")


def test_a_relative_path_is_resolved_when_the_store_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    vault = RawVault("vault.sqlite", create=False)
    monkeypatch.chdir(tmp_path / "other")
    with RawVault(tmp_path / "vault.sqlite", create=True) as writer, vault:
        writer.put("ana")
        assert vault.get("ana") == b"payload"


@pytest.fixture
def world_folder() -> Iterator[Path]:
    """A folder that every user can reach, which tmp_path is not."""
    with tempfile.TemporaryDirectory(prefix="mien-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


AS_A_PLAIN_USER = """
import os, sys
import sqlite3, urllib.parse  # while this user can still read them
from mien.errors import MienError
from tests.vault.raw_vault import RawVault
path, create = sys.argv[1], sys.argv[2] == "create"
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    with RawVault(path, create=create) as vault:
        print(vault.names())
        vault.put("ben", b"b")
        print("put")
except MienError as error:
    print(type(error).__name__, error)
"""


def as_a_plain_user(path: Path, how: str) -> list[str]:
    """What a process without root's powers says; it is us unless we are root."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", AS_A_PLAIN_USER, str(path), how],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if "Operation not permitted" in run.stderr or "Invalid argument" in run.stderr:
        pytest.skip("root cannot become nobody in this container; run the tests as a plain user")
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def hand_over(*paths: Path) -> None:
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, NOBODY, NOBODY)


def test_in_a_read_only_folder_no_vault_can_be_made(world_folder: Path) -> None:
    hand_over(world_folder)
    world_folder.chmod(0o555)
    for path in (world_folder / "vault.sqlite", world_folder / "new" / "vault.sqlite"):
        (message,) = as_a_plain_user(path, "create")
        assert message.startswith("VaultDamaged cannot create the vault")
        assert "Permission denied; correct the permissions, or set MIEN_VAULT" in message
    assert os.listdir(world_folder) == []


def test_a_vault_in_a_read_only_folder_says_so_and_stays_as_it_is(world_folder: Path) -> None:
    """SQLite keeps its log beside the file, so it cannot even be read there."""
    path = world_folder / "vault.sqlite"
    with RawVault(path, create=True) as vault:
        vault.put("ana")
    before = path.read_bytes()
    hand_over(path, world_folder)
    world_folder.chmod(0o555)
    (message,) = as_a_plain_user(path, "open")
    assert message.startswith("VaultDamaged the vault")
    assert "make both writable" in message
    assert path.read_bytes() == before
    assert os.listdir(world_folder) == [path.name]


def test_a_read_only_file_is_read_and_not_changed(world_folder: Path) -> None:
    path = world_folder / "vault.sqlite"
    with RawVault(path, create=True) as vault:
        vault.put("ana")
    path.chmod(0o400)
    hand_over(path, world_folder)
    names, message = as_a_plain_user(path, "open")
    assert names == "['ana']"
    assert "is read-only" in message


def test_a_folder_without_access_is_refused(world_folder: Path) -> None:
    closed = world_folder / "closed"
    closed.mkdir()
    closed.chmod(0o000)
    (message,) = as_a_plain_user(closed / "vault.sqlite", "open")
    assert message.startswith("VaultDamaged cannot reach the vault")


@pytest.mark.skipif(
    os.name == "posix" and os.geteuid() != 0, reason="only root can give files away; run as root"
)
def test_a_vault_of_another_user_is_refused_even_to_root(filled: Path) -> None:
    os.chown(filled, NOBODY, NOBODY)
    expect_refused(filled, VaultDamaged, f"belongs to user id {NOBODY} and not to you")


@pytest.mark.skipif(
    os.name == "posix" and os.geteuid() != 0, reason="only root can make root's files; run as root"
)
def test_a_vault_of_root_is_trusted_but_not_through_a_link(world_folder: Path) -> None:
    path, link = world_folder / "vault.sqlite", world_folder / "link"
    with RawVault(path, create=True) as vault:
        vault.put("ana")
    path.chmod(0o644)
    link.symlink_to(path)
    hand_over(world_folder)
    assert as_a_plain_user(path, "open")[0] == "['ana']"
    (message,) = as_a_plain_user(link, "open")
    assert "belongs to user id 0" in message
