"""Whoever can write the vault, but has no key: what is changed, moved or put back is noticed."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from tests.vault.sealed_parts import Clock, fail, opened, record_of, rows_of

from mien.errors import KeyUnavailable, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.facts import verify_all
from mien.vault.opening import open_memory_vault
from mien.vault.store import Space


def test_an_old_copy_of_the_file_put_back_is_noticed_and_can_be_accepted(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
    old = settings.vault_path.read_bytes()
    with opened(settings, clock) as vault:
        vault.remove("ana")
    settings.vault_path.write_bytes(old)
    with opened(settings, clock) as vault:
        with pytest.raises(VaultDamaged, match="is an old copy"):
            vault.get("ana")
        verify_all(vault.safe, accept=True)
        assert vault.get("ana") is not None


@pytest.mark.parametrize("table", ["meta", "bucket", "record", "attempt", "log"])
def test_a_cell_put_back_from_earlier_is_noticed(
    settings: Settings, clock: Clock, model: ModelId, table: str
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
        fail(vault, "ana")
    old = rows_of(settings.vault_path, table)
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model, seed=2), replace=True)
        fail(vault, "ana")
    with sqlite3.connect(settings.vault_path) as db:
        db.execute(f"DELETE FROM cell_{table}")
        db.executemany(f"INSERT INTO cell_{table} VALUES (?, ?)", old)
    db.close()
    with opened(settings, clock) as vault, pytest.raises(VaultDamaged):
        verify_all(vault.safe)


@pytest.mark.parametrize("table", ["meta", "bucket", "record", "attempt", "log"])
def test_removed_cells_are_noticed(
    settings: Settings, clock: Clock, model: ModelId, table: str
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
        fail(vault, "ana")
    with sqlite3.connect(settings.vault_path) as db:
        db.execute(f"DELETE FROM cell_{table}")
    db.close()
    with opened(settings, clock) as vault, pytest.raises(VaultDamaged):
        verify_all(vault.safe)


def test_a_record_moved_to_another_name_does_not_open(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
        vault.put(record_of("bob", model, seed=2), replace=False)
    (one, first), (two, second) = rows_of(settings.vault_path, "record")
    with sqlite3.connect(settings.vault_path) as db:
        db.execute("UPDATE cell_record SET value = ? WHERE key = ?", (second, one))
        db.execute("UPDATE cell_record SET value = ? WHERE key = ?", (first, two))
    db.close()
    with opened(settings, clock) as vault:
        for user in ("ana", "bob"):
            with pytest.raises(VaultDamaged):
                vault.get(user)


def test_without_its_key_the_vault_stays_shut(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
    settings.key_path.unlink()
    with opened(settings, clock) as vault, pytest.raises(KeyUnavailable, match="is not in"):
        vault.get("ana")


def test_no_name_lies_in_the_file(settings: Settings, clock: Clock, model: ModelId) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("annabelle", model), replace=False)
        fail(vault, "annabelle")
    assert b"annabelle" not in settings.vault_path.read_bytes()


def test_a_vault_in_memory_whose_header_was_altered_stays_shut(
    clock: Clock, model: ModelId
) -> None:
    """Found by fuzz_vault.py: a key id that is not known was a KeyError."""
    with open_memory_vault(clock=clock) as vault:
        vault.put(record_of("ana", model), replace=False)
        with vault.safe.writing() as opened:
            other = replace(opened.header, key_id=bytes(16))
            opened.cells.put(Space.META, b"header", other.to_bytes())
        with pytest.raises(KeyUnavailable, match="not in memory"):
            vault.get("ana")
