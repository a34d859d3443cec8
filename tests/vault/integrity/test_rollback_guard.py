"""The witness outside the vault: an older copy, another vault, and files that are no sighting."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.vault.sealed_parts import Clock, opened, record_of, rows_of

from mien.errors import VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.integrity.rollback_guard import Sighting, Witness

ONE, TWO = b"1" * 16, b"2" * 16


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "state", "/srv/vault.sqlite")


def test_it_has_seen_nothing_at_first_and_then_the_highest_change(witness: Witness) -> None:
    assert witness.last() is None
    for counter in (1, 5, 3):
        witness.note(ONE, counter)
    assert witness.last() == Sighting(ONE, 5)


def test_the_same_and_a_later_state_are_expected(witness: Witness) -> None:
    witness.expect(None, ONE, 1)
    witness.expect(Sighting(ONE, 5), ONE, 5)
    witness.expect(Sighting(ONE, 5), ONE, 6)


def test_an_older_state_and_another_vault_are_not(witness: Witness) -> None:
    with pytest.raises(VaultDamaged, match="old copy: it is at change 4, and change 5 was seen"):
        witness.expect(Sighting(ONE, 5), ONE, 4)
    with pytest.raises(VaultDamaged, match="is not the vault that was last seen there"):
        witness.expect(Sighting(ONE, 5), TWO, 9)


def test_only_who_accepts_takes_the_count_down(witness: Witness) -> None:
    witness.note(ONE, 5)
    witness.note(ONE, 2, accept=True)
    assert witness.last() == Sighting(ONE, 2)
    witness.note(TWO, 1, accept=True)
    assert witness.last() == Sighting(TWO, 1)


def test_two_vaults_have_two_witnesses(tmp_path: Path) -> None:
    a, b = (Witness(tmp_path, place) for place in ("/a", "/b"))
    a.note(ONE, 5)
    assert b.last() is None


def test_the_file_is_its_owners_alone(witness: Witness) -> None:
    witness.note(ONE, 1)
    assert witness.path.stat().st_mode & 0o777 == 0o600
    assert witness.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    [b"", b"mien-seen-1", b"mien-seen-2 " + b"31" * 16 + b" 5\n", b"mien-seen-1 xx 5\n",
     b"mien-seen-1 " + b"31" * 16 + b" five\n", b"\xff" * 40, b"9" * 10_000],
)  # fmt: skip
def test_a_file_that_is_no_sighting_shuts_the_vault(witness: Witness, content: bytes) -> None:
    witness.note(ONE, 1)
    witness.path.write_bytes(content)
    with pytest.raises(VaultDamaged, match="remembers the vault's last state"):
        witness.last()
    witness.note(ONE, 7, accept=True)  # the way out
    assert witness.last() == Sighting(ONE, 7)


def test_a_folder_or_a_pipe_in_its_place_shuts_the_vault_and_holds_nobody(
    witness: Witness,
) -> None:
    witness.path.mkdir(parents=True)
    with pytest.raises(VaultDamaged, match="Is a directory"):
        witness.last()
    witness.path.rmdir()
    os.mkfifo(witness.path)
    with pytest.raises(VaultDamaged, match="not a regular file"):
        witness.last()


def test_notes_taken_at_once_keep_the_highest(witness: Witness) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda counter: witness.note(ONE, counter), range(60)))
    assert witness.last() == Sighting(ONE, 59)


def test_a_sighting_is_written_before_the_change_and_counts_after_it(witness: Witness) -> None:
    witness.note(ONE, 1)
    with witness.noting(ONE, 2) as note:
        assert witness.last() == Sighting(ONE, 1)
        note()
        assert witness.last() == Sighting(ONE, 2)
    with witness.noting(ONE, 3):
        pass  # the change was undone
    assert witness.last() == Sighting(ONE, 2)
    assert {one.name for one in witness.path.parent.iterdir()} == {".lock", witness.path.name}


def test_nobody_else_is_held_up_between_the_two(witness: Witness) -> None:
    """SQLite waits for other writers after a commit: who kept the lock would stop them."""
    other = Witness(witness.path.parent, "/srv/other.sqlite")
    with witness.noting(ONE, 2) as note:
        other.note(TWO, 7)
        witness.note(ONE, 3)  # a later change was quicker
        note()
    assert witness.last() == Sighting(ONE, 3)
    assert other.last() == Sighting(TWO, 7)


def test_what_fails_after_the_change_says_that_it_was_done(witness: Witness) -> None:
    with witness.noting(ONE, 2) as note:
        witness.path.mkdir()
        with pytest.raises(VaultDamaged, match="done, but not remembered"):
            note()


@pytest.mark.parametrize("hindrance", ["the lock", "the file"])
def test_where_nothing_can_be_remembered_nothing_is_changed(
    settings: Settings, clock: Clock, model: ModelId, hindrance: str
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
        before = rows_of(settings.vault_path, "meta")
        folder = settings.state_dir / "vaults"
        if hindrance == "the lock":
            (folder / ".lock").unlink()
            (folder / ".lock").mkdir()
        else:
            vault.safe.witness = Witness(Path("/proc/self"), "nothing can be written there")
        with pytest.raises(VaultDamaged, match="remembers the vault's last state"):
            vault.remove("ana")
    assert rows_of(settings.vault_path, "meta") == before
