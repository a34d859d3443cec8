# ruff: noqa: RUF001 - letters that look alike are what is tested
"""A new name can be seen, and is not easily taken for another one."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import record_of, store_record

from mien.errors import UsageError
from mien.results import ModelId
from mien.vault.records.new_names import _CYRILLIC, _GREEK, _LATIN, check_new_name
from mien.vault.vault import Vault


def nobody(name: str) -> bool:
    return False


@pytest.mark.parametrize(
    "name",
    ["ana", "Ana Díaz", "ana@example.org", "x 2", "李小龙", "山田タロウ", "김민수", "анна",
     "Ελένη", "שרה", "मीरा"],
)  # fmt: skip
def test_names_of_one_script_and_of_scripts_that_differ_are_taken(name: str) -> None:
    check_new_name(unicodedata.normalize("NFC", name), nobody)


@pytest.mark.parametrize(
    ("name", "code"),
    [("an\u3164a", "3164"), ("\u2800", "2800"), ("a\u034fna", "034F"), ("ana\ufe0f", "FE0F"),
     ("ana\U000e0100", "E0100"), ("\u115fana", "115F"), ("a\u180bna", "180B"),
     ("ana\uffa0", "FFA0")],
)  # fmt: skip
def test_a_character_that_cannot_be_seen_is_refused_and_named(name: str, code: str) -> None:
    with pytest.raises(UsageError, match=rf"a character that cannot be seen \(U\+{code}\)"):
        check_new_name(name, nobody)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("\u0430na", "mixes letters of Cyrillic and Latin"),
        ("an\u03b1", "mixes letters of Greek and Latin"),
        ("\uff41\uff4e\uff41", "write it as 'ana'"),
        ("\U0001d44ena", "write it as 'ana'"),
        ("o\ufb03ce", "write it as 'office'"),
    ],
)
def test_a_name_that_is_easily_taken_for_another_one_is_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_new_name(name, nobody)


@pytest.mark.parametrize(
    ("enrolled", "new"),
    [("cope", "соре"), ("соре", "cope"), ("TOM 2", "ΤΟΜ 2"), ("ΤΟΜ 2", "TOM 2")],
)
def test_a_name_that_looks_like_an_enrolled_one_is_refused(enrolled: str, new: str) -> None:
    check_new_name(new, nobody)
    with pytest.raises(UsageError, match=f"looks like '{enrolled}', which is enrolled"):
        check_new_name(new, lambda name: name == enrolled)


def test_the_tables_of_look_alikes_belong_together() -> None:
    for table, script in ((_CYRILLIC, "CYRILLIC"), (_GREEK, "GREEK")):
        assert len(table) == len(_LATIN)
        scripts = {unicodedata.name(one).split()[0] for one in table if one != " "}
        assert scripts == {script}


def test_every_way_to_a_new_name_is_checked_and_enrolled_names_stay_usable(
    model: ModelId, tmp_path: Path
) -> None:
    with open_memory_vault() as vault:
        for name in ("ana", "cope"):
            store_record(vault, record_of(name, model))
        for name in ("an\u3164a", "соре"):
            with pytest.raises(UsageError):
                store_record(vault, record_of(name, model))
            with pytest.raises(UsageError):
                vault.rename("ana", name)
        assert [head.user for head in vault.list_people()] == ["ana", "cope"]
        with pytest.raises(UsageError, match="cannot be seen"):
            vault.import_people(_exported_by_an_earlier_mien(vault, model, tmp_path), "f" * 20)


def _exported_by_an_earlier_mien(vault: Vault, model: ModelId, folder: Path) -> Path:
    from mien.vault.people import put_record

    with open_memory_vault() as earlier:
        with earlier._transactions.writing() as transaction:
            put_record(record_of("an\u3164a", model), transaction)
        assert [head.user for head in earlier.list_people()] == ["an\u3164a"]
        earlier.export_people(folder / "people.mien", "f" * 20)
        assert earlier.rename("an\u3164a", "ana") == "ana"
    return folder / "people.mien"
