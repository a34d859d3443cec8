"""What every vault promises, run on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mien.errors import AlreadyEnrolled, ExitCode, UsageError
from mien.results import ModelId
from mien.vault import MemoryVault, Record, SqliteVault, Vault

MakeRecord = Callable[..., Record]


@pytest.fixture(params=["memory", "sqlite"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    if request.param == "memory":
        opened: Vault = MemoryVault()
    else:
        opened = SqliteVault(tmp_path / "vault.sqlite", create=True)
    with opened:
        yield opened


def test_a_new_vault_is_empty(vault: Vault, model: ModelId) -> None:
    assert vault.heads() == []
    assert list(vault.records(model)) == []
    assert vault.get("ana") is None


def test_what_was_put_is_what_is_got(vault: Vault, make_record: MakeRecord) -> None:
    record = make_record("ana", bytes(range(256)))
    vault.put(record, replace=False)
    assert vault.get("ana") == record


def test_a_large_and_an_empty_payload_come_back(vault: Vault, make_record: MakeRecord) -> None:
    vault.put(make_record("large", bytes(1_000_000)), replace=False)
    vault.put(make_record("empty", b""), replace=False)
    large, empty = vault.get("large"), vault.get("empty")
    assert large is not None
    assert large.payload == bytes(1_000_000)
    assert empty is not None
    assert empty.payload == b""


def test_a_taken_name_is_refused_and_the_first_record_stays(
    vault: Vault, make_record: MakeRecord
) -> None:
    first = make_record("ana", b"first")
    vault.put(first, replace=False)
    with pytest.raises(AlreadyEnrolled, match="--replace to start over, or --add") as refusal:
        vault.put(make_record("ana", b"second"), replace=False)
    assert refusal.value.exit_code is ExitCode.USAGE
    assert vault.get("ana") == first


def test_after_a_refusal_the_vault_goes_on(vault: Vault, make_record: MakeRecord) -> None:
    vault.put(make_record("ana"), replace=False)
    with pytest.raises(AlreadyEnrolled):
        vault.put(make_record("ana"), replace=False)
    vault.put(make_record("ben"), replace=False)
    assert [head.user for head in vault.heads()] == ["ana", "ben"]


def test_replace_puts_the_new_record_in_the_place_of_the_old(
    vault: Vault, make_record: MakeRecord, other_model: ModelId
) -> None:
    second = make_record(
        "ana", b"second", model=other_model, created_at="2026-02-01T00:00:00+00:00"
    )
    vault.put(make_record("ana", b"first"), replace=False)
    vault.put(second, replace=True)
    assert vault.get("ana") == second
    assert vault.heads() == [second.head]


def test_replace_of_nobody_is_a_first_enrolment(vault: Vault, make_record: MakeRecord) -> None:
    vault.put(make_record("ana"), replace=True)
    assert vault.get("ana") == make_record("ana")


def test_a_removed_user_is_gone_and_nobody_else_is(vault: Vault, make_record: MakeRecord) -> None:
    vault.put(make_record("ana"), replace=False)
    vault.put(make_record("ben"), replace=False)
    assert vault.remove("ana") is True
    assert vault.get("ana") is None
    assert vault.get("ben") == make_record("ben")


def test_removing_nobody_says_so(vault: Vault) -> None:
    assert vault.remove("ana") is False


def test_heads_are_sorted_by_name_and_hold_no_payload(
    vault: Vault, make_record: MakeRecord
) -> None:
    names = ["zoe", "ana", "Éva", "李", "Zed", "😀"]
    for name in names:
        vault.put(make_record(name, b"secret"), replace=False)
    heads = vault.heads()
    assert [head.user for head in heads] == sorted(names)
    assert "secret" not in repr(heads)


def test_records_are_those_of_the_model_sorted_by_name(
    vault: Vault, make_record: MakeRecord, model: ModelId, other_model: ModelId
) -> None:
    for name, made_with in (("zoe", model), ("ben", other_model), ("ana", model)):
        vault.put(make_record(name, model=made_with), replace=False)
    assert [record.user for record in vault.records(model)] == ["ana", "zoe"]
    assert [record.user for record in vault.records(other_model)] == ["ben"]


def test_another_file_of_the_same_model_is_another_model(
    vault: Vault, make_record: MakeRecord, model: ModelId
) -> None:
    vault.put(make_record("ana", model=ModelId(model.name, "ef" * 32)), replace=False)
    assert list(vault.records(model)) == []


def test_hundreds_of_people_all_come_back(
    vault: Vault, make_record: MakeRecord, model: ModelId
) -> None:
    names = [f"user {number:03}" for number in range(250)]
    for name in names:
        vault.put(make_record(name, name.encode()), replace=False)
    assert [record.user for record in vault.records(model)] == names
    assert [head.user for head in vault.heads()] == names


def test_the_vault_may_change_while_its_records_are_read(
    vault: Vault, make_record: MakeRecord, model: ModelId
) -> None:
    for name in ("ana", "ben"):
        vault.put(make_record(name), replace=False)
    for record in vault.records(model):
        vault.remove(record.user)
    assert vault.heads() == []


@pytest.mark.parametrize("name", ["José", "Łukasz", "李小龙", "Нина", "علی", "नीता", "o'Neil; --"])
def test_names_of_any_script_are_kept(vault: Vault, make_record: MakeRecord, name: str) -> None:
    vault.put(make_record(name), replace=False)
    assert vault.get(name) == make_record(name)
    assert vault.remove(name) is True


def test_one_name_in_two_spellings_of_unicode_is_one_person(
    vault: Vault, make_record: MakeRecord
) -> None:
    vault.put(make_record("Jos\u00e9"), replace=False)
    assert vault.get("Jose\u0301") == make_record("Jos\u00e9")
    assert vault.remove("Jose\u0301") is True


def test_capital_and_small_letters_are_two_people(vault: Vault, make_record: MakeRecord) -> None:
    vault.put(make_record("Ana"), replace=False)
    assert vault.get("ana") is None


def test_a_bad_name_is_refused_everywhere(vault: Vault) -> None:
    with pytest.raises(UsageError):
        vault.get("../ana")
    with pytest.raises(UsageError):
        vault.remove("")


def test_a_closed_vault_answers_nothing(
    vault: Vault, make_record: MakeRecord, model: ModelId
) -> None:
    vault.close()
    vault.close()
    uses: list[Callable[[], object]] = [
        lambda: vault.put(make_record("ana"), replace=True),
        lambda: vault.get("ana"),
        lambda: vault.remove("ana"),
        lambda: vault.heads(),
        lambda: list(vault.records(model)),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="closed"):
            use()
