"""A vault's people in a file: whole and in the log, or not there at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.vault.sealed_parts import Clock, opened, record_of, store_record

from mien.errors import MienError, NotEnrolled, UsageError, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.admin.transfer import export_people
from mien.vault.transaction import Transaction
from mien.vault.vault import Vault

WORDS = "four random plain words"


def test_an_export_is_logged_before_its_file_appears(
    vault: Vault, model: ModelId, tmp_path: Path
) -> None:
    store_record(vault, record_of("ana", model))
    file = tmp_path / "people.mien"

    def write_log(transaction: Transaction) -> None:
        assert not file.exists()  # the transaction can still be rolled back
        vault._log.writing("export")(transaction)

    export_people(vault._transactions, file, WORDS, before_commit=write_log)
    assert file.stat().st_mode & 0o777 == 0o600
    assert vault.read_log()[-1].kind == "export"


def test_an_export_that_cannot_be_logged_leaves_no_file(
    settings: Settings, clock: Clock, model: ModelId, postgres_url: str, tmp_path: Path
) -> None:
    """The server ends the connection between the last change and its COMMIT."""
    with opened(replace(settings, vault_url=postgres_url), clock) as vault:
        store_record(vault, record_of("ana", model))

        def write_log(transaction: Transaction) -> None:
            vault._log.writing("export")(transaction)
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND"
            with psycopg.connect(postgres_url, autocommit=True) as db:
                db.execute(end + " pid <> pg_backend_pid()", (db.info.dbname,))

        folder = tmp_path / "out"
        path = folder / "people.mien"
        with pytest.raises(VaultDamaged, match="does not answer"):
            export_people(vault._transactions, path, WORDS, before_commit=write_log)
        assert not folder.exists() or list(folder.iterdir()) == []
        assert [entry.kind for entry in vault.read_log()] == ["enroll"]


@pytest.mark.parametrize("name", ["a" * 300, "folder/" + "a" * 300, "file/people.mien", "link"])
def test_an_export_file_that_cannot_be_written_is_a_one_line_error_and_not_logged(
    vault: Vault, model: ModelId, tmp_path: Path, name: str
) -> None:
    store_record(vault, record_of("ana", model))
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"cannot write|exists; name a new file"):
        vault.export_people(tmp_path / name, WORDS)
    assert [entry.kind for entry in vault.read_log()] == ["enroll"]


def test_without_a_vault_nothing_is_exported(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(NotEnrolled, match="there is no vault"):
        vault.export_people(tmp_path / "people.mien", WORDS)
    with pytest.raises(MienError, match="12 characters"):
        vault.export_people(tmp_path / "people.mien", "a" * 11)
    assert not (tmp_path / "people.mien").exists()
