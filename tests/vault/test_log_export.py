"""The exported log: every entry with its link, in few at a time, and never of a log that lies."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.vault.sealed_parts import Clock, edit, fail, opened, record_of, store_record

from mien.errors import VaultDamaged
from mien.results import ModelId
from mien.settings import Settings, load_settings
from mien.vault import log_export
from mien.vault.integrity.audit_log import FIRST_LINK, Entry
from mien.vault.log_export import exported_entries
from mien.vault.vault import Vault

FIELDS = ["number", "at", "kind", "user", "outcome", "where", "nonce", "link"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)})


def fill(vault: Vault, model: ModelId) -> None:
    store_record(vault, record_of("ana", model))
    fail(vault, "ana", 3)
    vault.remove("ana")


def lines(vault: Vault) -> list[dict[str, object]]:
    return [one.to_dict() for one in exported_entries(vault._transactions)]


@pytest.mark.parametrize("at_once", [1, 3, 500])
def test_the_chain_can_be_followed_from_the_lines_alone(
    settings: Settings, model: ModelId, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_export, "AT_ONCE", at_once)
    with opened(settings, Clock()) as vault:
        fill(vault, model)
        found = lines(vault)
    assert [one["number"] for one in found] == list(range(1, 1 + 1 + 6 + 1))
    assert [one["outcome"] for one in found][1:3] == ["started", "not_the_owner"]
    last = FIRST_LINK
    for one in found:
        assert list(one) == FIELDS
        assert json.loads(json.dumps(one)) == one
        words = {name: one[name] for name in FIELDS[1:-1]}
        packed = Entry(**words).to_bytes()  # type: ignore[arg-type]
        last = hashlib.sha256(last + len(packed).to_bytes(8, "big") + packed).digest()
        assert one["link"] == last.hex()


def test_an_empty_vault_has_no_lines(settings: Settings) -> None:
    with opened(settings, Clock()) as vault:
        assert lines(vault) == []


def test_a_key_rotation_and_new_entries_between_pages_change_nothing(
    settings: Settings, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_export, "AT_ONCE", 2)
    with opened(settings, Clock()) as vault:
        fill(vault, model)
        before = lines(vault)
        export = exported_entries(vault._transactions)
        found = [next(export)]
        vault.rotate()
        fail(vault, "ben")
        found += export
        assert [one.to_dict() for one in found] == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE cell_log SET value = x'00' WHERE key = x'0000000000000003'", "3 was altered"),
        ("DELETE FROM cell_log WHERE key = x'0000000000000003'", "3 was removed"),
        ("DELETE FROM cell_log WHERE key = x'0000000000000008'", "8 was removed"),
        (
            "UPDATE cell_log SET value = (SELECT value FROM cell_log"
            " WHERE key = x'0000000000000004') WHERE key = x'0000000000000006'",
            "6 was altered",
        ),
    ],
)
def test_a_log_that_was_tampered_with_is_not_exported(
    settings: Settings, model: ModelId, change: str, words: str
) -> None:
    with opened(settings, Clock()) as vault:
        fill(vault, model)
    edit(settings.vault_path, change)
    with opened(settings, Clock()) as vault, pytest.raises(VaultDamaged, match=words):
        lines(vault)
