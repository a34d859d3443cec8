"""The enrolled people within one transaction: find, store, rename and remove their records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from mien.vault.backends.base import VaultTable
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.manifest import Cell
from mien.vault.limits.counters import drop_count, move_count
from mien.vault.records import centroids
from mien.vault.records.new_names import check_new_name
from mien.vault.records.record import Record
from mien.vault.records.sealed_record import open_record, seal_record, user_tag
from mien.vault.transaction import Transaction


def is_enrolled(name: str, transaction: Transaction) -> bool:
    """By the manifest alone: the record itself may be damaged."""
    tag = user_tag(name, transaction.cipher)
    return tag in transaction.manifest.tags(VaultTable.RECORD, tag[0])


def find_record(name: str, transaction: Transaction) -> Record | None:
    """The record of this name; None if there is none."""
    return record_at(user_tag(name, transaction.cipher), transaction)


def record_at(tag: bytes, transaction: Transaction) -> Record | None:
    """The record under this tag; None if there is none."""
    cell = transaction.manifest.get(VaultTable.RECORD, tag)
    return None if cell is None else open_record(tag, cell, transaction.cipher)


def all_records(transaction: Transaction) -> Iterator[Record]:
    """All records by tag."""
    return sealed_records(transaction).opened()


@dataclass(frozen=True, slots=True, eq=False)
class SealedRecords:
    """Records as they are stored, to be opened after their transaction: that takes long for many,
    and the transactions of others wait for it."""

    cells: list[tuple[bytes, Cell]] = field(repr=False)
    cipher: VaultCipher | None

    def opened(self) -> Iterator[Record]:
        """Each record, by tag."""
        if self.cipher is not None:
            for tag, cell in self.cells:
                yield open_record(tag, cell, self.cipher)


def sealed_records(transaction: Transaction | None) -> SealedRecords:
    """All records; none where there is no vault yet."""
    if transaction is None:
        return SealedRecords([], None)
    return SealedRecords(list(transaction.manifest.scan(VaultTable.RECORD)), transaction.cipher)


@dataclass(frozen=True, slots=True, eq=False)
class SealedNames:
    """The records of one bucket, of which only the names are wanted."""

    records: SealedRecords

    def opened(self) -> tuple[tuple[str, bytes], ...]:
        """(user, tag) of each."""
        users = (record.user for record in self.records.opened())
        return tuple(zip(users, (tag for tag, _ in self.records.cells), strict=True))


def sealed_bucket(transaction: Transaction, number: int) -> SealedNames:
    """The names of the records whose tags begin with this byte."""
    cells = list(transaction.manifest.scan_bucket(VaultTable.RECORD, number))
    return SealedNames(SealedRecords(cells, transaction.cipher))


def sorted_names(parts: Sequence[tuple[tuple[str, bytes], ...]]) -> list[tuple[str, bytes]]:
    """(user, tag) of all parts by user, in code point order."""
    return sorted(one for part in parts for one in part)


def put_record(record: Record, transaction: Transaction) -> None:
    """Store or replace the record alone; its centroid stays as it is."""
    cipher, manifest = transaction.cipher, transaction.manifest
    sealed = seal_record(record, cipher, version=manifest.next_version)
    manifest.put(VaultTable.RECORD, user_tag(record.user, cipher), sealed)


def store_record(record: Record, transaction: Transaction) -> None:
    """Store the record, and its centroid where the vault keeps centroids.

    UsageError for a new name that `check_new_name` refuses.
    """
    _put_checked(record, transaction)
    centroids.update(record, transaction)


def store_records(records: Iterable[Record], transaction: Transaction) -> None:
    """`store_record` of many: the centroids are computed once."""
    for record in records:
        _put_checked(record, transaction)
    centroids.update_all(transaction)


def _put_checked(record: Record, transaction: Transaction) -> None:
    if not is_enrolled(record.user, transaction):
        check_new_name(record.user, lambda name: is_enrolled(name, transaction))
    put_record(record, transaction)


def remove_record(name: str, transaction: Transaction) -> bool:
    """Remove the record, also a damaged one, its centroid and the count of failed attempts."""
    removed = _drop_record(name, transaction)
    drop_count(name, transaction)
    return removed


def rename_record(record: Record, new: str, transaction: Transaction) -> None:
    """Store the record and its count of failed attempts under another name.

    UsageError for one that `check_new_name` refuses.
    """
    _drop_record(record.user, transaction)
    store_record(replace(record, user=new), transaction)
    move_count(record.user, new, transaction)


def add_success(
    name: str, wall_s: float, transaction: Transaction, *, similarity: float, is_live: bool
) -> None:
    """Note in the record that the person unlocked, and how similar the face was.

    similarity: NaN for one that is not known, which is not noted. is_live: the passive check was
    passed; then the day is noted too.
    """
    record = find_record(name, transaction)
    if record is None:
        return
    now, changed = datetime.fromtimestamp(wall_s, timezone.utc), record
    if is_live and record.liveness is not None:
        changed = replace(changed, liveness=record.liveness.with_success(now.date()))
    if math.isfinite(similarity):
        changed = changed.with_unlock(now, similarity)
    if changed != record:
        put_record(changed, transaction)


def drop_thumbnail(name: str, transaction: Transaction) -> bool:
    """Remove the picture of the face from the record. False if there was none."""
    record = find_record(name, transaction)
    if record is None or not record.thumbnail:
        return False
    put_record(replace(record, thumbnail=b""), transaction)
    return True


def _drop_record(name: str, transaction: Transaction) -> bool:
    tag = user_tag(name, transaction.cipher)
    removed = transaction.manifest.drop(VaultTable.RECORD, tag)
    centroids.remove(tag, transaction)
    return removed
