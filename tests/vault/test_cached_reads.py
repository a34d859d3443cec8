"""Pages of names, and what is read again after a change: counted by the records that are opened."""

from __future__ import annotations

from typing import Any

import pytest
from tests.vault.sealed_parts import fail, record_of, store_record

from mien.results import ModelId
from mien.vault import people
from mien.vault.records import centroids
from mien.vault.vault import Vault

NAMES = ("Zo\u00eb", "ana", "ben", "cleo", "dora")  # in code point order


@pytest.fixture
def full(vault: Vault, model: ModelId) -> Vault:
    for seed, name in enumerate(reversed(NAMES)):
        store_record(vault, record_of(name, model, seed=seed))
    return vault


@pytest.fixture
def opened_records(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The user of each record that is opened."""
    users: list[str] = []

    def opening(open_record: Any) -> Any:
        def opened(*arguments: Any) -> Any:
            record = open_record(*arguments)
            users.append(record.user)
            return record

        return opened

    for module in (people, centroids):
        monkeypatch.setattr(module, "open_record", opening(module.open_record))
    return users


def page(vault: Vault, after: str, limit: int) -> tuple[list[str], bool]:
    records, more = vault.people_page(after=after, limit=limit)
    return [record.user for record in records.values()], more


def test_pages_follow_each_other_in_code_point_order(full: Vault) -> None:
    assert page(full, "", 2) == ([NAMES[0], "ana"], True)
    assert page(full, "ana", 2) == (["ben", "cleo"], True)
    assert page(full, "cleo", 2) == (["dora"], False)
    assert page(full, "", 5) == (list(NAMES), False)
    assert page(full, "bea", 1) == (["ben"], True)  # after a name that is not enrolled
    assert page(full, "zzz", 5) == ([], False)


def test_a_vault_that_is_not_there_has_no_page(vault: Vault) -> None:
    assert page(vault, "", 5) == ([], False)


def test_a_later_page_opens_its_own_records_and_what_has_changed(
    full: Vault, model: ModelId, opened_records: list[str]
) -> None:
    page(full, "", 2)
    assert sorted(opened_records) == sorted([*NAMES, NAMES[0], "ana"])
    opened_records.clear()
    assert page(full, "ana", 2) == (["ben", "cleo"], True)
    assert opened_records == ["ben", "cleo"]
    opened_records.clear()
    store_record(full, record_of("bea", model, seed=9))
    full.remove("cleo")
    opened_records.clear()
    assert page(full, "ana", 9) == (["bea", "ben", "dora"], False)
    assert opened_records.count("dora") == 1  # once, for the page


def test_centroids_are_read_again_only_where_the_vault_has_changed(
    full: Vault, model: ModelId, opened_records: list[str]
) -> None:
    first, _ = full.centroids_of(model)
    assert sorted(opened_records) == list(NAMES)
    opened_records.clear()
    again, _ = full.centroids_of(model)
    assert again is first  # the very matrix
    fail(full, "nobody who is enrolled")  # a count in one of 256 buckets
    opened_records.clear()
    full.centroids_of(model)
    assert len(opened_records) < len(NAMES)


def test_records_are_opened_after_the_transaction(
    full: Vault, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise every door would wait while somebody lists everybody."""
    within: list[bool] = []
    is_open = [False]
    reading = full._transactions.reading

    class Watched:
        def __enter__(self) -> Any:
            self.block = reading()
            found = self.block.__enter__()
            is_open[0] = True
            return found

        def __exit__(self, *error: Any) -> None:
            is_open[0] = False
            self.block.__exit__(*error)

    monkeypatch.setattr(full._transactions, "reading", Watched)
    for module in (people, centroids):
        open_record = module.open_record

        def opened(*arguments: Any, open_record: Any = open_record) -> Any:
            within.append(is_open[0])
            return open_record(*arguments)

        monkeypatch.setattr(module, "open_record", opened)
    full.people_page(after="", limit=0)
    full.centroids_of(model)
    assert within == [False] * 10
