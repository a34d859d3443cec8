"""Centroids: the mean direction of each template, ready for one matrix product.

Without them, an identification opens every record. With them, the rotated centroids of one
model are in sealed blocks, one for the first twelve bits of the tags, changed together with the
records and verified like them. They are kept from `KEPT_FROM` people on, unless they were
turned off, and in a smaller vault if they were turned on. A centroid only points to a record:
the record itself decides, so that no fault here can unlock anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mien.errors import VaultDamaged
from mien.records import dataclass, field
from mien.vault.backends.base import VaultTable
from mien.vault.centroids import database_vectors
from mien.vault.centroids.centroid_block import CentroidBlock
from mien.vault.centroids.centroid_cells import (
    centroids_damaged,
    get_cell,
    open_centroids,
    read_cell,
    verified_centroids,
    write_cell,
)
from mien.vault.centroids.centroid_marker import (
    CentroidStorage,
    are_kept,
    choice_of,
    is_chosen,
    read_marker,
    stored_as,
    write_marker,
)
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.hash_tree import LEAVES_OF_BUCKET, leaf_of
from mien.vault.integrity.manifest import BUCKETS, Cell
from mien.vault.records.record import Record
from mien.vault.records.sealed_record import model_hash_of, open_record, user_tag
from mien.vault.records.template_codec import unpack_template
from mien.vault.sealed_cells import cell_tag
from mien.vault.transaction import Transaction

if TYPE_CHECKING:
    from mien.results import FloatArray, ModelId

KEPT_FROM = 200  # people; to open as many records takes about 20 ms


def enable(transaction: Transaction, storage: CentroidStorage = CentroidStorage.SEALED) -> None:
    """Compute the centroids of all records, also where there are some already.

    storage: not OFF. UsageError and VaultDamaged as `VectorTable.create` where it is DATABASE.
    """
    parts: dict[tuple[str, int], dict[bytes, FloatArray]] = {}
    for tag, cell in transaction.manifest.scan(VaultTable.RECORD):
        record = open_record(tag, cell, transaction.cipher)
        parts.setdefault((record.model.sha256, leaf_of(tag)), {})[tag] = _centroid(record)
    _clear(transaction)
    if storage is CentroidStorage.DATABASE:
        database_vectors.create(transaction)
        database_vectors.put(transaction, parts)
    for (sha256, number), block in parts.items():
        _write_block(transaction, sha256, number, CentroidBlock.of(block))
    write_marker(transaction, storage, {sha256 for sha256, _ in parts})


def disable(transaction: Transaction) -> None:
    """Remove the centroids, also damaged ones, and keep none; the records stay."""
    _clear(transaction)
    write_marker(transaction, CentroidStorage.OFF)


def update(records: Sequence[Record], transaction: Transaction) -> None:
    """After records were stored, replace their centroids, where they are kept."""
    storage, models = read_marker(transaction)
    if storage is CentroidStorage.OFF:
        _enable_for_many(transaction)
        return
    found = {record.model.sha256 for record in records}
    if not found <= models:
        write_marker(transaction, storage, models | found)
    rows: dict[tuple[str, int], dict[bytes, FloatArray]] = {}
    for record in records:
        tag = user_tag(record.user, transaction.cipher)
        for other in models - {record.model.sha256}:  # the earlier record may be of another model
            _remove(tag, other, transaction)
        rows.setdefault((record.model.sha256, leaf_of(tag)), {})[tag] = _centroid(record)
    blocks = [(VaultTable.CENTROIDS, _block_tag(transaction, *one)) for one in rows]
    transaction.manifest.fetch(blocks)
    for (sha256, number), its in rows.items():
        block = _read_block(transaction, sha256, number)
        _write_block(transaction, sha256, number, block.with_rows(its))
    if storage is CentroidStorage.DATABASE:
        database_vectors.put(transaction, rows)


def remove(tag: bytes, transaction: Transaction) -> None:
    """After a record was removed, remove its centroid. Nothing where they are disabled."""
    storage, models = read_marker(transaction)
    for sha256 in models:
        _remove(tag, sha256, transaction)
    if storage is CentroidStorage.DATABASE:
        database_vectors.remove(transaction, tag)


def section_of(transaction: Transaction) -> VaultTable:
    """Which cells `sealed_block` reads."""
    return VaultTable.CENTROIDS if are_kept(transaction) else VaultTable.RECORD


def sealed_block(
    transaction: Transaction, model: ModelId, number: int, changed: Sequence[int] | None = None
) -> SealedBlock:
    """Those whose tag begins with this byte, of the records where centroids are not kept.

    changed: only those of these leaves, where centroids are kept.
    """
    cipher, manifest = transaction.cipher, transaction.manifest
    if not are_kept(transaction):
        cells = manifest.scan_bucket(VaultTable.RECORD, number)
        records = [(tag, cell) for tag, cell in cells if model_hash_of(cell) == model.sha256]
        return SealedBlock(cipher, records=records)
    if changed is not None:
        tags = [_block_tag(transaction, model.sha256, leaf) for leaf in changed]
        found = [(tag, get_cell(transaction, tag)) for tag in tags]
        kept = [(tag, cell) for tag, cell in found if cell is not None]
        return SealedBlock(cipher, kept=kept, leaves=changed)
    with verified_centroids():
        blocks = list(manifest.scan_bucket(VaultTable.CENTROIDS, number))
    first = number * LEAVES_OF_BUCKET
    leaves = range(first, first + LEAVES_OF_BUCKET) if blocks else ()
    of_model = {_block_tag(transaction, model.sha256, leaf) for leaf in leaves}
    return SealedBlock(cipher, kept=[(tag, cell) for tag, cell in blocks if tag in of_model])


@dataclass(frozen=True, slots=True, eq=False)
class SealedBlock:
    """Centroids as they are stored, to be opened after their transaction: others wait for it.

    leaves: whose centroids these are; None for those of a whole bucket.
    """

    cipher: VaultCipher
    kept: list[tuple[bytes, Cell]] = field(default_factory=list, repr=False)
    records: list[tuple[bytes, Cell]] = field(default_factory=list, repr=False)
    leaves: Sequence[int] | None = None

    @property
    def size(self) -> int:
        """In bytes, sealed."""
        return sum(len(cell.value) for _, cell in (*self.kept, *self.records))

    def opened(self, earlier: CentroidBlock | None) -> CentroidBlock:
        """Those of the bucket. earlier: as they were before those of `leaves` changed."""
        if earlier is None or self.leaves is None:
            return self.read()
        return earlier.with_leaves(self.leaves, self.read())

    def read(self) -> CentroidBlock:
        """These alone. Raises VaultDamaged."""
        if self.kept:
            blocks = [
                _unpack_block(open_centroids(tag, cell, self.cipher)) for tag, cell in self.kept
            ]
            return CentroidBlock.joined(blocks)
        found = {tag: _centroid(open_record(tag, cell, self.cipher)) for tag, cell in self.records}
        return CentroidBlock.of(found)


def divide_old_blocks(transaction: Transaction) -> None:
    """Of a vault of format 1: its blocks, one for the first byte of the tags, become smaller ones.

    What is damaged is made again from the records, or left out.
    """
    try:
        for sha256 in read_marker(transaction)[1]:
            for number in range(BUCKETS):
                _divide_old_block(transaction, sha256, number)
    except VaultDamaged:
        try:
            enable(transaction)
        except VaultDamaged:
            transaction.manifest.clear(VaultTable.CENTROIDS)


def _divide_old_block(transaction: Transaction, sha256: str, number: int) -> None:
    tag = cell_tag(VaultTable.CENTROIDS, f"{sha256} {number}", transaction.cipher)
    plain = read_cell(transaction, tag)
    if plain is None:
        return
    transaction.manifest.drop(VaultTable.CENTROIDS, tag)
    rows: dict[int, dict[bytes, FloatArray]] = {}
    for of, row in _unpack_block(plain).items():
        rows.setdefault(leaf_of(of), {})[of] = row
    for leaf, its in rows.items():
        _write_block(transaction, sha256, leaf, CentroidBlock.of(its))


def verify_centroids(transaction: Transaction) -> None:
    """VaultDamaged if the centroids are not those of the records."""
    import numpy as np

    storage = stored_as(transaction)
    if storage is CentroidStorage.OFF:
        return
    expected: dict[tuple[str, bytes], FloatArray] = {}
    for tag, cell in transaction.manifest.scan(VaultTable.RECORD):
        record = open_record(tag, cell, transaction.cipher)
        expected[record.model.sha256, tag] = _centroid(record)
    blocks = {(sha256, leaf_of(tag)) for sha256, tag in expected}
    found = {
        (sha256, tag): row
        for sha256, leaf in blocks
        for tag, row in _read_block(transaction, sha256, leaf).items()
    }
    same = expected.keys() == found.keys()
    same = same and transaction.manifest.count(VaultTable.CENTROIDS) == 1 + len(blocks)
    if not same or any(not np.array_equal(row, found[key]) for key, row in expected.items()):
        raise centroids_damaged("the centroids do not agree with the records")
    if storage is CentroidStorage.DATABASE:
        database_vectors.verify(transaction, expected)


def _clear(transaction: Transaction) -> None:
    is_readable = choice_of(transaction) is CentroidStorage.DATABASE
    transaction.manifest.clear(VaultTable.CENTROIDS)
    database_vectors.clear(transaction, required=is_readable)


def _enable_for_many(transaction: Transaction) -> None:
    """Keep centroids from now on in a vault of many people, unless they were turned off."""
    if is_chosen(transaction) or transaction.manifest.count(VaultTable.RECORD) < KEPT_FROM:
        return
    with suppress(VaultDamaged):  # of another record: enrolling does not depend on it
        enable(transaction)


def _centroid(record: Record) -> FloatArray:
    from mien.vectors import centre_of

    return centre_of(unpack_template(record.payload, expected_model=record.model).vectors)


def _remove(tag: bytes, sha256: str, transaction: Transaction) -> None:
    block = _read_block(transaction, sha256, leaf_of(tag))
    if block.find(tag) >= 0:
        _write_block(transaction, sha256, leaf_of(tag), block.without(tag))


def _read_block(transaction: Transaction, sha256: str, number: int) -> CentroidBlock:
    plain = read_cell(transaction, _block_tag(transaction, sha256, number))
    return CentroidBlock.of({}) if plain is None else _unpack_block(plain)


def _write_block(transaction: Transaction, sha256: str, number: int, block: CentroidBlock) -> None:
    tag = _block_tag(transaction, sha256, number)
    if len(block):
        write_cell(transaction, tag, block.pack())
    else:
        transaction.manifest.drop(VaultTable.CENTROIDS, tag)


def _unpack_block(packed: bytes) -> CentroidBlock:
    try:
        return CentroidBlock.unpack(packed)
    except ValueError as error:
        raise centroids_damaged("a block of centroids was not written by mien") from error


def _block_tag(transaction: Transaction, sha256: str, number: int) -> bytes:
    """In the leaf of the block's number, so that the digests of the tree tell which changed."""
    tag = cell_tag(VaultTable.CENTROIDS, f"block {sha256} {number}", transaction.cipher)
    return bytes([number >> 4, (number & 15) << 4 | tag[1] & 15]) + tag[2:]
