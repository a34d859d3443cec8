"""The rollback guard: an older copy, another vault, and files that mien did not write."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.vault.sealed_parts import Clock, opened, record_of, rows_of, store_record

from mien.errors import VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.integrity.audit_log import FIRST_LINK
from mien.vault.integrity.rollback_guard import RollbackGuard, VaultState

ONE, TWO = b"1" * 16, b"2" * 16


def remember(guard: RollbackGuard, vault_id: bytes, counter: int, *, accept: bool = False) -> None:
    guard.remember(VaultState(vault_id, counter), accept=accept)


@pytest.fixture
def guard(tmp_path: Path) -> RollbackGuard:
    return RollbackGuard(tmp_path / "state", "/srv/vault.sqlite")


def test_the_guard_remembers_the_highest_change(guard: RollbackGuard) -> None:
    assert guard.read_last() is None
    for counter in (1, 5, 3):
        remember(guard, ONE, counter)
    assert guard.read_last() == VaultState(ONE, 5)


def test_the_same_and_a_later_state_that_continues_are_accepted(guard: RollbackGuard) -> None:
    last = VaultState(ONE, 5, 3, b"h" * 32, b"d" * 32)
    guard.check(None, VaultState(ONE, 1), refuse_to_look)
    guard.check(last, last, refuse_to_look)
    asked = []

    def continues(count: int, head: bytes) -> bool:
        asked.append((count, head))
        return True

    guard.check(last, VaultState(ONE, 6, 4, b"i" * 32, b"e" * 32), continues)
    assert asked == [(3, b"h" * 32)]


def test_an_older_state_another_vault_and_another_branch_are_refused(guard: RollbackGuard) -> None:
    last = VaultState(ONE, 5, 3, b"h" * 32, b"d" * 32)
    with pytest.raises(VaultDamaged, match="old copy: it is at change 4, and change 5 was seen"):
        guard.check(last, replace(last, counter=4), refuse_to_look)
    with pytest.raises(VaultDamaged, match="is not the vault that was last seen there"):
        guard.check(last, replace(last, vault_id=TWO, counter=9), refuse_to_look)
    for counter in (5, 6):
        branch = replace(last, counter=counter, digest=b"e" * 32)
        with pytest.raises(VaultDamaged, match="does not continue what was seen at change 5"):
            guard.check(last, branch, lambda count, head: False)


def test_a_deleted_vault_is_missed_until_that_is_accepted(guard: RollbackGuard) -> None:
    guard.check_never_existed(None)
    guard.accept_deletion()
    assert guard.read_last() is None  # there never was one
    state = VaultState(ONE, 5, 3, b"h" * 32, b"d" * 32)
    guard.remember(state)
    with pytest.raises(VaultDamaged, match="is gone: it was seen there at change 5"):
        guard.check_never_existed(guard.read_last())
    guard.accept_deletion()
    last = guard.read_last()
    assert last == replace(state, deleted=True)
    guard.check_never_existed(last)
    with pytest.raises(VaultDamaged, match="is not the vault that was last seen there"):
        guard.check(last, state, refuse_to_look)
    guard.remember(VaultState(TWO, 1))
    assert guard.read_last() == VaultState(TWO, 1)


def test_a_state_of_mien_0_1_is_read(guard: RollbackGuard) -> None:
    remember(guard, TWO, 1)
    guard._path.write_text(f"mien-seen-1 {ONE.hex()} 5\n")
    last = guard.read_last()
    assert last == VaultState(ONE, 5)
    guard.check(last, VaultState(ONE, 5, 3, b"h" * 32, b"d" * 32), refuse_to_look)
    guard.remember(VaultState(ONE, 5, 3, b"h" * 32, b"d" * 32))  # now with all that was not known
    assert guard.read_last() == VaultState(ONE, 5, 3, b"h" * 32, b"d" * 32)


def refuse_to_look(count: int, head: bytes) -> bool:
    pytest.fail("the log was read")


def test_only_accept_lowers_the_remembered_counter(guard: RollbackGuard) -> None:
    remember(guard, ONE, 5)
    remember(guard, ONE, 2, accept=True)
    assert guard.read_last() == VaultState(ONE, 2)
    remember(guard, TWO, 1, accept=True)
    assert guard.read_last() == VaultState(TWO, 1)


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
     b"mien-seen-3 " + b"31" * 16 + b" 5 3 00 00\n", b"mien-seen-2 31 5 3 00 00 gone\n",
     b"mien-seen-1 " + b"31" * 16 + b" 5 deleted\n",
     b"mien-seen-1 " + b"31" * 16 + b" five\n", b"\xff" * 40, b"9" * 10_000],
)  # fmt: skip
def test_a_guard_file_that_mien_did_not_write_locks_the_vault(
    guard: RollbackGuard, content: bytes
) -> None:
    remember(guard, ONE, 1)
    guard._path.write_bytes(content)
    with pytest.raises(VaultDamaged, match="remembers the vault's last state"):
        guard.read_last()
    with pytest.raises(VaultDamaged), guard.staged(VaultState(ONE, 2)):
        raise AssertionError("the vault would be changed here")
    remember(guard, ONE, 7, accept=True)  # the way out
    assert guard.read_last() == VaultState(ONE, 7)


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
    assert guard.read_last() == VaultState(ONE, 59)


def test_a_state_is_written_before_the_change_and_remembered_after_it(guard: RollbackGuard) -> None:
    remember(guard, ONE, 1)
    with guard.staged(VaultState(ONE, 2)) as commit:
        assert guard.read_last() == VaultState(ONE, 1)
        commit()
        assert guard.read_last() == VaultState(ONE, 2)
    with guard.staged(VaultState(ONE, 3)):
        pass  # the change was undone
    assert guard.read_last() == VaultState(ONE, 2)
    assert {one.name for one in guard._path.parent.iterdir()} == {".lock", guard._path.name}


def test_a_staged_state_does_not_block_others(guard: RollbackGuard) -> None:
    """SQLite waits for other writers after a commit: who kept the lock would stop them."""
    other = RollbackGuard(guard._path.parent, "/srv/other.sqlite")
    with guard.staged(VaultState(ONE, 2)) as commit:
        remember(other, TWO, 7)
        remember(guard, ONE, 3)  # a later change was quicker
        commit()
    assert guard.read_last() == VaultState(ONE, 3)
    assert other.read_last() == VaultState(TWO, 7)


def test_an_error_after_the_change_says_that_it_was_made(guard: RollbackGuard) -> None:
    with guard.staged(VaultState(ONE, 2)) as commit:
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


def test_a_state_is_older_with_fewer_changes_or_less_known_of_it() -> None:
    known = VaultState(ONE, 5, 3, b"h" * 32, b"d" * 32)
    assert VaultState(ONE, 4, 3, b"h" * 32, b"d" * 32).is_older_than(known)
    assert VaultState(ONE, 5).is_older_than(known)
    assert not known.is_older_than(VaultState(ONE, 5))
    assert not known.is_older_than(known)
    assert known.is_older_than(VaultState(TWO, 1))
    assert VaultState(ONE, 9, deleted=True).is_older_than(known)


def test_the_log_has_to_continue_from_its_start_where_only_the_counter_is_known(
    guard: RollbackGuard,
) -> None:
    asked = []
    guard.check(VaultState(ONE, 5), VaultState(ONE, 6), lambda *given: asked.append(given) or True)
    assert asked == [(0, FIRST_LINK)]


def test_temporary_files_of_killed_processes_are_removed(guard: RollbackGuard) -> None:
    remember(guard, ONE, 1)
    for name in ("tmpab12_xyz", f".{guard._path.name}.00ff.tmp"):
        (guard._path.parent / name).write_bytes(b"left")
    remember(guard, ONE, 2)
    assert {one.name for one in guard._path.parent.iterdir()} == {".lock", guard._path.name}


def test_a_guard_file_that_others_can_write_locks_the_vault(guard: RollbackGuard) -> None:
    remember(guard, ONE, 1)
    for mode in (0o666, 0o620, 0o602):
        guard._path.chmod(mode)
        with pytest.raises(VaultDamaged, match=r"other users can write it; .* run chmod 600 on it"):
            guard.read_last()
    guard._path.chmod(0o644)
    assert guard.read_last() == VaultState(ONE, 1)
