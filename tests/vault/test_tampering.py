"""Whoever can write the vault, but has no key: what is changed, moved or put back is noticed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import (
    Clock,
    edit,
    fail,
    opened,
    record_of,
    record_of_user,
    rows_of,
    store_record,
)

from mien.errors import KeyUnavailable, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.backends.base import VaultTable


def test_an_old_copy_of_the_file_is_detected_and_can_be_accepted(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
    old = settings.vault_path.read_bytes()
    with opened(settings, clock) as vault:
        vault.remove("ana")
    settings.vault_path.write_bytes(old)
    with opened(settings, clock) as vault:
        with pytest.raises(VaultDamaged, match="is an old copy"):
            record_of_user(vault, "ana")
        vault.verify(accept=True)
        assert record_of_user(vault, "ana") is not None
        assert [entry.kind for entry in vault.read_log()] == ["enroll", "accept_copy"]
        vault.verify(accept=True)  # nothing to accept any more
        assert len(vault.read_log()) == 2


@pytest.mark.parametrize("table", ["meta", "bucket", "record", "attempt", "log"])
def test_a_cell_restored_from_an_earlier_copy_is_detected(
    settings: Settings, clock: Clock, model: ModelId, table: str
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
        fail(vault, "ana")
    old = rows_of(settings.vault_path, table)
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model, seed=2))
        fail(vault, "ana")
    edit(settings.vault_path, f"DELETE FROM cell_{table}")
    for row in old:
        edit(settings.vault_path, f"INSERT INTO cell_{table} VALUES (?, ?)", *row)
    with opened(settings, clock) as vault, pytest.raises(VaultDamaged):
        vault.verify()


@pytest.mark.parametrize("table", ["meta", "bucket", "record", "attempt", "log"])
def test_removed_cells_are_detected(
    settings: Settings, clock: Clock, model: ModelId, table: str
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
        fail(vault, "ana")
    edit(settings.vault_path, f"DELETE FROM cell_{table}")
    with opened(settings, clock) as vault, pytest.raises(VaultDamaged):
        vault.verify()


def test_a_record_moved_to_another_name_does_not_open(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
        store_record(vault, record_of("bob", model, seed=2))
    (one, first), (two, second) = rows_of(settings.vault_path, "record")
    edit(settings.vault_path, "UPDATE cell_record SET value = ? WHERE key = ?", second, one)
    edit(settings.vault_path, "UPDATE cell_record SET value = ? WHERE key = ?", first, two)
    with opened(settings, clock) as vault:
        for user in ("ana", "bob"):
            with pytest.raises(VaultDamaged):
                record_of_user(vault, user)


def test_without_its_key_the_vault_stays_locked(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
    settings.key_path.unlink()
    with opened(settings, clock) as vault, pytest.raises(KeyUnavailable, match="is not in"):
        record_of_user(vault, "ana")


def test_the_file_contains_no_user_name(settings: Settings, clock: Clock, model: ModelId) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("annabelle", model))
        fail(vault, "annabelle")
    assert b"annabelle" not in settings.vault_path.read_bytes()


def test_an_altered_key_id_in_the_header_locks_the_vault(clock: Clock, model: ModelId) -> None:
    """Found by fuzz_vault.py: a key id that is not known was a KeyError."""
    with open_memory_vault(clock=clock) as vault:
        store_record(vault, record_of("ana", model))
        with vault._transactions.writing() as opened:
            other = replace(opened.header, key_id=bytes(16))
            opened.cells.put(VaultTable.META, b"header", other.to_bytes())
        with pytest.raises(KeyUnavailable, match="not in memory"):
            record_of_user(vault, "ana")


# a log that was cut is not laundered by a new key ------------------------------------------

CUTS = {
    "the newest entry": "DELETE FROM cell_log WHERE key = (SELECT max(key) FROM cell_log)",
    "all entries": "DELETE FROM cell_log",
    "one in the middle": "DELETE FROM cell_log WHERE hex(key) = '0000000000000003'",
    "three in the middle": (
        "DELETE FROM cell_log WHERE hex(key) BETWEEN '0000000000000002' AND '0000000000000004'"
    ),
    "an altered one": "UPDATE cell_log SET value = x'00' WHERE hex(key) = '0000000000000003'",
    "one that is no bytes": "UPDATE cell_log SET value = 7 WHERE hex(key) = '0000000000000003'",
    "an added one": "INSERT INTO cell_log VALUES (x'ff', x'00')",
}


@pytest.fixture(params=CUTS)
def with_cut_log(
    request: pytest.FixtureRequest, settings: Settings, clock: Clock, model: ModelId
) -> Settings:
    """Ana was enrolled, five attempts for her failed, and then the log was cut."""
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
        fail(vault, "ana", 5)
    edit(settings.vault_path, CUTS[request.param])
    return settings


def test_a_tampered_log_is_not_put_under_a_new_key(with_cut_log: Settings, clock: Clock) -> None:
    before = (with_cut_log.key_path.read_bytes(), rows_of(with_cut_log.vault_path, "meta"))
    with opened(with_cut_log, clock) as vault:
        with pytest.raises(VaultDamaged, match=r"rotate --accept-log|is damaged"):
            vault.rotate()
        with pytest.raises(VaultDamaged):
            vault.read_log()
        assert record_of_user(vault, "ana") is not None
    after = (with_cut_log.key_path.read_bytes(), rows_of(with_cut_log.vault_path, "meta"))
    assert after == before


def test_accepting_a_tampered_log_is_noted_in_the_log(with_cut_log: Settings, clock: Clock) -> None:
    with opened(with_cut_log, clock) as vault:
        vault.rotate(accept_log=True)
        kinds = [entry.kind for entry in vault.read_log()]
        assert kinds[-2:] == ["accept_log", "rotate"]
        assert set(kinds[:-2]) <= {"enroll", "unlock"}  # what could still be read
        assert len(kinds[:-2]) <= 6
        vault.verify()
        vault.rotate(accept_log=True)
        assert [entry.kind for entry in vault.read_log()] == [*kinds, "rotate"]
        status = vault.status()
    assert status is not None
    assert len(rows_of(with_cut_log.vault_path, "log")) == status.log_entries


def test_readable_entries_of_a_tampered_log_are_kept(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
        fail(vault, "ana", 2)  # two entries each: started, and failed
    edit(settings.vault_path, CUTS["three in the middle"])
    with opened(settings, clock) as vault:
        vault.rotate(accept_log=True)
        kinds = [entry.kind for entry in vault.read_log()]
    assert kinds == ["enroll", "unlock", "accept_log", "rotate"]


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_vault_that_was_deleted_does_not_pass_verification(
    settings: Settings, clock: Clock, model: ModelId, postgres_url: str, store: str
) -> None:
    if store == "postgres":
        settings = replace(settings, vault_url=postgres_url)
    with opened(settings, clock) as vault:
        assert vault.verify() is None  # there was none yet
        store_record(vault, record_of("ana", model))
    if store == "postgres":
        with psycopg.connect(postgres_url) as db:
            db.execute("DROP SCHEMA mien CASCADE")
    else:
        settings.vault_path.unlink()
    with opened(settings, clock) as vault:
        for look in (vault.verify, vault.status):
            with pytest.raises(VaultDamaged, match="is gone: it was seen there at change 1"):
                look()
        vault.verify(accept=True)  # it was taken away on purpose
        assert vault.verify() is None


@pytest.mark.parametrize("change", ["deleted", "emptied", "another vault"])
def test_a_vault_that_was_taken_away_is_missed_by_every_operation(
    settings: Settings, clock: Clock, model: ModelId, tmp_path: Path, change: str
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
    if change == "another vault":
        other = replace(settings, vault_path=tmp_path / "other.sqlite")
        with opened(other, clock) as vault:
            store_record(vault, record_of("eve", model))
        os.replace(other.vault_path, settings.vault_path)
    elif change == "emptied":
        settings.vault_path.write_bytes(b"")
    else:
        settings.vault_path.unlink()
    before = contents_of(tmp_path)
    for operation in (
        lambda vault: vault.holds("ana"),
        lambda vault: vault.look_up("ana"),
        lambda vault: vault.is_empty(),
        lambda vault: vault.list_people(),
        lambda vault: vault.read_log(),
        lambda vault: vault.status(),
        lambda vault: vault.create(),
        lambda vault: vault.remove("ana"),
        lambda vault: vault.rename("ana", "anna"),
        lambda vault: store_record(vault, record_of("ben", model)),
        lambda vault: fail(vault, "ana"),
        lambda vault: vault.rotate(),
    ):
        with (
            opened(settings, clock) as vault,
            pytest.raises(VaultDamaged, match=r"is gone|is not the vault that was last seen"),
        ):
            operation(vault)
    assert contents_of(tmp_path) == before


def contents_of(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def test_a_new_vault_after_an_accepted_deletion_notes_it_in_its_log(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
    old = settings.vault_path.read_bytes()
    settings.vault_path.unlink()
    with opened(settings, clock) as vault:
        vault.verify(accept=True)
        store_record(vault, record_of("ben", model))
        assert [(entry.kind, entry.outcome) for entry in vault.read_log()] == [
            ("accept_copy", "deleted"),
            ("enroll", "done"),
        ]
        assert vault.verify() is not None
    settings.vault_path.write_bytes(old)  # the deleted one comes back
    with opened(settings, clock) as vault, pytest.raises(VaultDamaged, match="not the vault"):
        vault.look_up("ana")
