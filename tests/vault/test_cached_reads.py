"""Pages of names, and what is read again after a change: counted by the records that are opened."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.vault.sealed_parts import fail, record_of, store_record

from mien.results import ModelId
from mien.vault import bucket_cache, cached_reads, people
from mien.vault.centroids import sealed_centroids
from mien.vault.centroids.centroid_arrays import CentroidArrays
from mien.vault.people import Heads
from mien.vault.records.record import RecordHead
from mien.vault.records.sealed_record import user_tag
from mien.vault.vault import Vault

NAMES = ("Zo\u00eb", "ana", "ben", "cleo", "dora")  # in code point order
OPENING = ((people, "open_record"), (people, "open_head"), (sealed_centroids, "open_record"))


@pytest.fixture
def full(vault: Vault, model: ModelId) -> Vault:
    """Each name in a bucket of its own: which bucket hangs on the key of the vault."""
    vault._transactions.random = random.Random(1).randbytes
    for seed, name in enumerate(reversed(NAMES)):
        store_record(vault, record_of(name, model, seed=seed))
    return vault


@pytest.fixture
def opened_records(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The user of each record, or head of one, that is opened."""
    users: list[str] = []

    def opening(open_record: Any) -> Any:
        def opened(*arguments: Any) -> Any:
            record = open_record(*arguments)
            users.append(record.user)
            return record

        return opened

    for module, name in OPENING:
        monkeypatch.setattr(module, name, opening(getattr(module, name)))
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
    assert isinstance(first, CentroidArrays)
    assert sorted(opened_records) == list(NAMES)
    opened_records.clear()
    again, _ = full.centroids_of(model)
    assert isinstance(again, CentroidArrays)
    assert [rows is other for (_, rows), (_, other) in zip(again, first, strict=True)] == [True] * 5
    for name in NAMES:  # counts of attempts in the buckets of all kinds of cells
        fail(full, name)
    fail(full, "nobody who is enrolled")
    opened_records.clear()
    full.centroids_of(model)
    assert opened_records == []
    store_record(full, record_of("ben", model, seed=9))
    opened_records.clear()
    full.centroids_of(model)
    assert opened_records == ["ben"]


def test_a_list_of_everybody_is_read_again_only_where_records_have_changed(
    full: Vault, model: ModelId, opened_records: list[str]
) -> None:
    assert [head.user for head in full.list_people()] == list(NAMES)
    opened_records.clear()
    fail(full, "ana")
    assert [head.user for head in full.list_people()] == list(NAMES)
    assert opened_records == []


def test_everybody_is_listed_in_order_however_many_there_are() -> None:
    chance = random.Random(4)
    names = sorted({f"{chance.randrange(400)}" for _ in range(300)})
    shares: list[list[RecordHead]] = [[] for _ in range(7)]
    for name in names:
        chance.choice(shares).append(RecordHead(name, ModelId("sface", "ab"), "now"))
    parts = [Heads.of(share) for share in [*shares, []]]
    assert [head.user for head in cached_reads._in_order(parts)] == names
    assert list(cached_reads._in_order([])) == []


def test_a_list_of_everybody_is_a_sequence_of_heads(full: Vault) -> None:
    people = full.list_people()
    assert len(people) == len(NAMES)
    assert [people[place].user for place in range(len(NAMES))] == list(NAMES)
    assert (
        people[-1] == list(people)[-1] == RecordHead("dora", people[0].model, people[0].created_at)
    )
    assert [head.user for head in people[1:3]] == ["ana", "ben"]
    with pytest.raises(IndexError):
        people[len(NAMES)]


def test_little_is_read_in_one_transaction(
    full: Vault, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions: list[None] = []
    reading = full._transactions.reading

    def counted() -> Any:
        transactions.append(None)
        return reading()

    monkeypatch.setattr(full._transactions, "reading", counted)
    monkeypatch.setattr(bucket_cache, "AT_ONCE", 1)
    assert [head.user for head in full.list_people()] == list(NAMES)
    with reading() as transaction:
        assert transaction is not None
        buckets = {user_tag(name, transaction.cipher)[0] for name in NAMES}
    # one for each bucket, and one that finds nothing more unless the last bucket was read
    assert len(buckets) <= len(transactions) <= len(buckets) + 1
    transactions.clear()
    monkeypatch.setattr(cached_reads, "AT_ONCE", 2)
    assert page(full, "", 5) == (list(NAMES), False)
    assert len(transactions) == 1 + 3


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
    for module, name in OPENING:
        open_record = getattr(module, name)

        def opened(*arguments: Any, open_record: Any = open_record) -> Any:
            within.append(is_open[0])
            return open_record(*arguments)

        monkeypatch.setattr(module, name, opened)
    full.people_page(after="", limit=0)
    full.centroids_of(model)
    assert within == [False] * 10
