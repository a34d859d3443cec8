"""The enrolled people within one transaction: find, store, rename and remove their records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, overload

from mien.records import dataclass, field, replace
from mien.vault.backends.base import VaultTable
from mien.vault.centroids import sealed_centroids
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.manifest import Cell
from mien.vault.limits.counters import drop_count, move_count
from mien.vault.pauses import Pauses
from mien.vault.records.kept_faces import learns_on, marks_of, with_face
from mien.vault.records.new_names import check_new_name
from mien.vault.records.record import MAX_KEPT, KeptFace, Record, RecordHead
from mien.vault.records.sealed_record import open_head, open_record, seal_record, user_tag
from mien.vault.transaction import Transaction

if TYPE_CHECKING:
    from mien.results import ModelId

user_of: Callable[[RecordHead], str] = attrgetter("user")
"""The user name of a head, to sort by."""


def is_enrolled(name: str, transaction: Transaction) -> bool:
    """By the manifest alone: the record itself may be damaged."""
    tag = user_tag(name, transaction.cipher)
    return transaction.manifest.holds(VaultTable.RECORD, tag)


def find_record(name: str, transaction: Transaction) -> Record | None:
    """The record of this name; None if there is none."""
    return record_at(user_tag(name, transaction.cipher), transaction)


def record_at(tag: bytes, transaction: Transaction) -> Record | None:
    """The record under this tag; None if there is none."""
    cell = transaction.manifest.get(VaultTable.RECORD, tag)
    return None if cell is None else open_record(tag, cell, transaction.cipher)


def all_records(transaction: Transaction) -> Iterator[Record]:
    """All records by tag."""
    for tag, cell in transaction.manifest.scan(VaultTable.RECORD):
        yield open_record(tag, cell, transaction.cipher)


@dataclass(frozen=True, slots=True, eq=False)
class SealedRecords:
    """Records as they are stored, to be opened after their transaction: that takes long for many,
    and the transactions of others wait for it."""

    cells: list[tuple[bytes, Cell]] = field(repr=False)
    cipher: VaultCipher | None

    @property
    def size(self) -> int:
        """In bytes, sealed."""
        return sum(len(cell.value) for _, cell in self.cells)

    def opened(self) -> list[Record]:
        """By tag. Raises VaultDamaged."""
        if self.cipher is None:
            return []
        return [open_record(tag, cell, self.cipher) for tag, cell in self.cells]


@dataclass(frozen=True, slots=True, eq=False)
class SealedHeads:
    """The records of one bucket, of which only the heads are wanted."""

    records: SealedRecords

    @property
    def size(self) -> int:
        """In bytes, sealed."""
        return self.records.size

    def opened(self, earlier: Heads | None) -> Heads:
        """All of them anew. Raises VaultDamaged."""
        cipher, heads, pauses = self.records.cipher, list[RecordHead](), Pauses()
        for tag, cell in self.records.cells:
            if cipher is not None:
                heads.append(open_head(tag, cell, cipher))
            pauses.let_others_run()
        return Heads.of(heads)


@dataclass(frozen=True, slots=True, eq=False)
class Heads(Sequence[RecordHead]):
    """Heads of records in columns, sorted by user name in code point order.

    An object for each of 100,000 would stop all threads for a tenth of a second whenever Python
    looks for garbage, and again when the list is dropped: so each is made when it is asked for.
    """

    users: list[str] = field(repr=False)
    models: list[ModelId] = field(repr=False)
    created_at: list[str] = field(repr=False)

    @classmethod
    def of(cls, heads: Iterable[RecordHead]) -> Heads:
        rows = sorted(heads, key=user_of)
        return cls(
            [row.user for row in rows],
            [row.model for row in rows],
            [row.created_at for row in rows],
        )

    def __len__(self) -> int:
        return len(self.users)

    def __iter__(self) -> Iterator[RecordHead]:
        return self.rows(0, len(self))

    @overload
    def __getitem__(self, place: int) -> RecordHead: ...

    @overload
    def __getitem__(self, place: slice) -> Heads: ...

    def __getitem__(self, place: int | slice) -> RecordHead | Heads:
        if isinstance(place, slice):
            return Heads(self.users[place], self.models[place], self.created_at[place])
        return RecordHead(self.users[place], self.models[place], self.created_at[place])

    def rows(self, start: int, end: int) -> Iterator[RecordHead]:
        """The heads from one place to another."""
        some = slice(start, end)
        return map(RecordHead, self.users[some], self.models[some], self.created_at[some])


def sealed_heads(
    transaction: Transaction, number: int, changed: Sequence[int] | None
) -> SealedHeads:
    """The heads of the records whose tags begin with this byte."""
    cells, pauses = list[tuple[bytes, Cell]](), Pauses()
    for one in transaction.manifest.scan_bucket(VaultTable.RECORD, number):
        cells.append(one)
        pauses.let_others_run()
    return SealedHeads(SealedRecords(cells, transaction.cipher))


def sealed_records(users: Iterable[str], transaction: Transaction | None) -> SealedRecords:
    """Those of these names that are enrolled."""
    if transaction is None:
        return SealedRecords([], None)
    cipher, manifest = transaction.cipher, transaction.manifest
    tags = [user_tag(user, cipher) for user in users]
    cells = [(tag, manifest.get(VaultTable.RECORD, tag)) for tag in tags]
    return SealedRecords([(tag, cell) for tag, cell in cells if cell is not None], cipher)


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
    sealed_centroids.update([record], transaction)


def store_records(records: Iterable[Record], transaction: Transaction) -> None:
    """`store_record` of many, each of another name."""
    stored = list(records)
    for record in stored:
        _put_checked(record, transaction)
    sealed_centroids.update(stored, transaction)


def store_checked_records(records: Sequence[Record], transaction: Transaction) -> None:
    """`store_records` of names that `check_new_name` has allowed."""
    for record in records:
        put_record(record, transaction)
    sealed_centroids.update(records, transaction)


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


@dataclass(frozen=True, slots=True)
class Success:
    """What is noted of an unlock. at: as `utc_stamp` writes it. The rest: as of an `Attempt`."""

    at: str
    is_live: bool
    similarity: float = math.nan
    payload: bytes = field(default=b"", repr=False)
    face: bytes = field(default=b"", repr=False)
    learned: bytes = field(default=b"", repr=False)
    marks: bytes = field(default=b"", repr=False)
    most_learned: int = 0


def add_success(name: str, success: Success, transaction: Transaction) -> bool:
    """Note in the record that the person unlocked, with what is known of the face.

    Returns whether the template learned the face: at most one a day, of a person who is followed.
    """
    record = find_record(name, transaction)
    if record is None:
        return False
    now, changed, learned = datetime.fromisoformat(success.at), record, False
    if success.is_live and record.liveness is not None:
        changed = replace(changed, liveness=record.liveness.with_success(now.date()))
    if math.isfinite(success.similarity):
        changed = changed.with_unlock(now, success.similarity)
    if success.payload == record.payload:  # else the vectors may be of another space
        if success.face:
            face = KeptFace("unlock", success.at, success.face)
            changed = with_face(changed, face, most=MAX_KEPT["unlock"])
        # a face that was not compared with a mark may be the one that was marked
        unmarked = success.marks == marks_of(record)
        if success.learned and unmarked and learns_on(record, now.date()):
            face = KeptFace("learned", success.at, success.learned)
            changed = with_face(changed, face, most=success.most_learned)
            learned = success.most_learned > 0
    if changed != record:
        put_record(changed, transaction)
    return learned


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
    sealed_centroids.remove(tag, transaction)
    return removed
