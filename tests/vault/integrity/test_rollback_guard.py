"""The rollback guard: an older copy, another vault, and files that mien did not write."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.vault.sealed_parts import Clock, opened, record_of, rows_of, store_record

from mien.errors import VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.integrity.rollback_guard import LastState, RollbackGuard

ONE, TWO = b"1" * 16, b"2" * 16


def remember(guard: RollbackGuard, vault_id: bytes, counter: int, *, accept: bool = False) -> None:
    with guard.staged(vault_id, counter, accept=accept) as commit:
        commit()


@pytest.fixture
def guard(tmp_path: Path) -> RollbackGuard:
    return RollbackGuard(tmp_path / "state", "/srv/vault.sqlite")


def test_the_guard_remembers_the_highest_change(guard: RollbackGuard) -> None:
    assert guard.read_last() is None
    for counter in (1, 5, 3):
        remember(guard, ONE, counter)
    assert guard.read_last() == LastState(ONE, 5)


def test_the_same_and_a_later_state_are_accepted(guard: RollbackGuard) -> None:
    guard.check_not_older(None, ONE, 1)
    guard.check_not_older(LastState(ONE, 5), ONE, 5)
    guard.check_not_older(LastState(ONE, 5), ONE, 6)


def test_an_older_state_and_another_vault_are_refused(guard: RollbackGuard) -> None:
    with pytest.raises(VaultDamaged, match="old copy: it is at change 4, and change 5 was seen"):
        guard.check_not_older(LastState(ONE, 5), ONE, 4)
    with pytest.raises(VaultDamaged, match="is not the vault that was last seen there"):
        guard.check_not_older(LastState(ONE, 5), TWO, 9)


def test_only_accept_lowers_the_remembered_counter(guard: RollbackGuard) -> None:
    remember(guard, ONE, 5)
    remember(guard, ONE, 2, accept=True)
    assert guard.read_last() == LastState(ONE, 2)
    remember(guard, TWO, 1, accept=True)
    assert guard.read_last() == LastState(TWO, 1)


def test_each_vault_has_a_guard_of_its_own(tmp_path: Path) -> None:
    a, b = (RollbackGuard(tmp_path, place) for place in ("/a", "/b"))
    remember(a, ONE, 5)
    assert b.read_last() is None


def test_the_guard_file_is_private(guard: RollbackGuard) -> None:
    remember(guard, ONE, 1)
    assert guard._path.stat().st_mode & 0o777 == 0o600
    assert guard._path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    [b"", b"mien-seen-1", b"mien-seen-2 " + b"31" * 16 + b" 5\n", b"mien-seen-1 xx 5\n",
     b"mien-seen-1 " + b"31" * 16 + b" five\n", b"\xff" * 40, b"9" * 10_000],
)  # fmt: skip
def test_a_guard_file_that_mien_did_not_write_locks_the_vault(
    guard: RollbackGuard, content: bytes
) -> None:
    remember(guard, ONE, 1)
    guard._path.write_bytes(content)
    with pytest.raises(VaultDamaged, match="remembers the vault's last state"):
        guard.read_last()
    with pytest.raises(VaultDamaged), guard.staged(ONE, 2):
        raise AssertionError("the vault would be changed here")
    remember(guard, ONE, 7, accept=True)  # the way out
    assert guard.read_last() == LastState(ONE, 7)


def test_a_directory_or_a_pipe_as_guard_file_locks_the_vault_and_does_not_block(
    guard: RollbackGuard,
) -> None:
    guard._path.mkdir(parents=True)
    with pytest.raises(VaultDamaged, match="Is a directory"):
        guard.read_last()
    guard._path.rmdir()
    os.mkfifo(guard._path)
    with pytest.raises(VaultDamaged, match="not a regular file"):
        guard.read_last()


def test_simultaneous_states_keep_the_highest(guard: RollbackGuard) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda counter: remember(guard, ONE, counter), range(60)))
    assert guard.read_last() == LastState(ONE, 59)


def test_a_state_is_written_before_the_change_and_remembered_after_it(guard: RollbackGuard) -> None:
    remember(guard, ONE, 1)
    with guard.staged(ONE, 2) as commit:
        assert guard.read_last() == LastState(ONE, 1)
        commit()
        assert guard.read_last() == LastState(ONE, 2)
    with guard.staged(ONE, 3):
        pass  # the change was undone
    assert guard.read_last() == LastState(ONE, 2)
    assert {one.name for one in guard._path.parent.iterdir()} == {".lock", guard._path.name}


def test_a_staged_state_does_not_block_others(guard: RollbackGuard) -> None:
    """SQLite waits for other writers after a commit: who kept the lock would stop them."""
    other = RollbackGuard(guard._path.parent, "/srv/other.sqlite")
    with guard.staged(ONE, 2) as commit:
        remember(other, TWO, 7)
        remember(guard, ONE, 3)  # a later change was quicker
        commit()
    assert guard.read_last() == LastState(ONE, 3)
    assert other.read_last() == LastState(TWO, 7)


def test_an_error_after_the_change_says_that_it_was_made(guard: RollbackGuard) -> None:
    with guard.staged(ONE, 2) as commit:
        guard._path.mkdir()
        with pytest.raises(VaultDamaged, match="the change was made, but could not be noted"):
            commit()


@pytest.mark.parametrize("hindrance", ["the lock", "the file"])
def test_a_state_that_cannot_be_written_prevents_the_change(
    settings: Settings, clock: Clock, model: ModelId, hindrance: str
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
        before = rows_of(settings.vault_path, "meta")
        folder = settings.state_dir / "vaults"
        if hindrance == "the lock":
            (folder / ".lock").unlink()
            (folder / ".lock").mkdir()
        else:
            vault._transactions.guard = RollbackGuard(
                Path("/proc/self"), "nothing can be written there"
            )
        with pytest.raises(VaultDamaged, match="remembers the vault's last state"):
            vault.remove("ana")
    assert rows_of(settings.vault_path, "meta") == before
