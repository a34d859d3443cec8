"""Optional centroids: the mean direction of each template, ready for one matrix product.

Without them, an identification opens every record. With them, the rotated centroids of one
model are in sealed blocks, one for each first byte of the tags, changed together with the
records and verified like them. A centroid only points to a record: the record itself decides,
so that no fault here can unlock anything.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mien.errors import VaultDamaged
from mien.vault.backends.base import VaultTable
from mien.vault.integrity.manifest import BUCKETS, Cell
from mien.vault.records.record import Record
from mien.vault.records.sealed_record import model_hash_of, open_record, user_tag
from mien.vault.records.template_codec import unpack_template
from mien.vault.sealed_cells import cell_tag, open_cell, seal_cell
from mien.vault.transaction import Transaction

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mien.results import FloatArray, ModelId

_MARKER = "which models"
_HEAD = struct.Struct("<8sII")
_MAGIC = b"mienGAL1"
_TAG_BYTES = 32


@dataclass(frozen=True, slots=True, eq=False)
class Centroids:
    """tags: n of 32 bytes, the records'. rows: (n, d) float32, unit, in the rotated space."""

    tags: tuple[bytes, ...] = field(repr=False)
    rows: FloatArray = field(repr=False)

    @classmethod
    def joined(cls, parts: list[Centroids]) -> Centroids:
        """All of them, in this order; empty parts may have any d."""
        import numpy as np

        some = [part for part in parts if part.tags]
        if not some:
            return cls((), np.zeros((0, 0), np.float32))
        tags = tuple(tag for part in some for tag in part.tags)
        return cls(tags, np.concatenate([part.rows for part in some]))


def are_enabled(transaction: Transaction) -> bool:
    """Whether this vault keeps centroids. VaultDamaged if that cannot be known any more."""
    return _get(transaction, _marker_tag(transaction)) is not None


def enable(transaction: Transaction) -> None:
    """Compute the centroids of all records, also where there are some already."""
    disable(transaction)
    parts: dict[tuple[str, int], dict[bytes, FloatArray]] = {}
    for tag, cell in transaction.manifest.scan(VaultTable.RECORD):
        record = open_record(tag, cell, transaction.cipher)
        parts.setdefault((record.model.sha256, tag[0]), {})[tag] = _centroid(record)
    for (sha256, number), block in parts.items():
        _write_block(transaction, sha256, number, block)
    _write_models(transaction, sorted({sha256 for sha256, _ in parts}))


def disable(transaction: Transaction) -> None:
    """Remove the centroids, also damaged ones; the records stay."""
    transaction.manifest.clear(VaultTable.CENTROIDS)


def update(record: Record, transaction: Transaction) -> None:
    """After a record was stored, replace its centroid. Nothing where they are disabled."""
    if not are_enabled(transaction):
        return
    sha256, tag = record.model.sha256, user_tag(record.user, transaction.cipher)
    remove(tag, transaction)  # the earlier record may be of another model
    models = _read_models(transaction)
    if sha256 not in models:
        _write_models(transaction, sorted([*models, sha256]))
    block = _read_block(transaction, sha256, tag[0])
    _write_block(transaction, sha256, tag[0], {**block, tag: _centroid(record)})


def remove(tag: bytes, transaction: Transaction) -> None:
    """After a record was removed, remove its centroid. Nothing where they are disabled."""
    if not are_enabled(transaction):
        return
    for sha256 in _read_models(transaction):
        block = _read_block(transaction, sha256, tag[0])
        if block.pop(tag, None) is not None:
            _write_block(transaction, sha256, tag[0], block)


def read(transaction: Transaction, model: ModelId, number: int) -> Centroids:
    """Those whose tag begins with this byte; computed from the records where they are disabled."""
    import numpy as np

    if are_enabled(transaction):
        block = _read_block(transaction, model.sha256, number)
    else:
        cells = transaction.manifest.scan_bucket(VaultTable.RECORD, number)
        block = {
            tag: _centroid(open_record(tag, cell, transaction.cipher))
            for tag, cell in cells
            if model_hash_of(cell) == model.sha256
        }
    if not block:
        return Centroids.joined([])
    return Centroids(tuple(block), np.stack(list(block.values())))


def verify_centroids(transaction: Transaction) -> None:
    """VaultDamaged if the centroids are not those of the records."""
    import numpy as np

    if not are_enabled(transaction):
        return
    expected: dict[tuple[str, bytes], FloatArray] = {}
    for tag, cell in transaction.manifest.scan(VaultTable.RECORD):
        record = open_record(tag, cell, transaction.cipher)
        expected[record.model.sha256, tag] = _centroid(record)
    found = {
        (sha256, tag): row
        for sha256 in _read_models(transaction)
        for number in range(BUCKETS)
        for tag, row in _read_block(transaction, sha256, number).items()
    }
    same = expected.keys() == found.keys()
    if not same or any(not np.array_equal(row, found[key]) for key, row in expected.items()):
        raise _damaged("the centroids do not agree with the records")


def _centroid(record: Record) -> FloatArray:
    from mien.vectors import centre_of

    return centre_of(unpack_template(record.payload, expected_model=record.model).vectors)


def _read_block(transaction: Transaction, sha256: str, number: int) -> dict[bytes, FloatArray]:
    plain = _read_cell(transaction, _block_tag(transaction, sha256, number))
    return {} if plain is None else _unpack_block(plain)


def _write_block(
    transaction: Transaction, sha256: str, number: int, block: dict[bytes, FloatArray]
) -> None:
    import numpy as np

    tag = _block_tag(transaction, sha256, number)
    if not block:
        transaction.manifest.drop(VaultTable.CENTROIDS, tag)
        return
    rows = np.stack(list(block.values())).astype("<f4")
    packed = _HEAD.pack(_MAGIC, *rows.shape) + b"".join(block) + rows.tobytes()
    _write_cell(transaction, tag, packed)


def _unpack_block(packed: bytes) -> dict[bytes, FloatArray]:
    import numpy as np

    try:
        magic, n, dims = _HEAD.unpack_from(packed)
        end_of_tags = _HEAD.size + n * _TAG_BYTES
        if magic != _MAGIC or len(packed) != end_of_tags + n * dims * 4:
            raise ValueError(magic)
    except (struct.error, ValueError) as error:
        raise _damaged("a block of centroids was not written by mien") from error
    rows: npt.NDArray[np.float32] = np.frombuffer(packed, "<f4", offset=end_of_tags)
    starts = range(_HEAD.size, end_of_tags, _TAG_BYTES)
    tags = [packed[start : start + _TAG_BYTES] for start in starts]
    return dict(zip(tags, rows.reshape(n, dims), strict=True))


def _read_models(transaction: Transaction) -> list[str]:
    """The hashes of the models that have centroids."""
    plain = _read_cell(transaction, _marker_tag(transaction))
    return [] if plain is None else list(json.loads(plain))


def _write_models(transaction: Transaction, models: list[str]) -> None:
    _write_cell(transaction, _marker_tag(transaction), json.dumps(models).encode())


def _marker_tag(transaction: Transaction) -> bytes:
    return cell_tag(VaultTable.CENTROIDS, _MARKER, transaction.cipher)


def _block_tag(transaction: Transaction, sha256: str, number: int) -> bytes:
    return cell_tag(VaultTable.CENTROIDS, f"{sha256} {number}", transaction.cipher)


def _get(transaction: Transaction, tag: bytes) -> Cell | None:
    try:
        return transaction.manifest.get(VaultTable.CENTROIDS, tag)
    except VaultDamaged as error:
        raise _damaged(
            "a cell of the centroids was altered, removed or put back; the records were not"
        ) from error


def _read_cell(transaction: Transaction, tag: bytes) -> bytes | None:
    cell = _get(transaction, tag)
    if cell is None:
        return None
    return open_cell(
        VaultTable.CENTROIDS, cell.value, tag=tag, version=cell.version, cipher=transaction.cipher
    )


def _write_cell(transaction: Transaction, tag: bytes, plain: bytes) -> None:
    version = transaction.manifest.next_version
    sealed = seal_cell(
        VaultTable.CENTROIDS, plain, tag=tag, version=version, cipher=transaction.cipher
    )
    transaction.manifest.put(VaultTable.CENTROIDS, tag, sealed)


def _damaged(what: str) -> VaultDamaged:
    return VaultDamaged(
        f"{what}; to make them again, run: mien vault centroids off && mien vault centroids on"
    )
