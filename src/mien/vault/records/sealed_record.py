"""One person's record as a sealed cell.

    1 byte     length of the model's hash
    hash       in the clear, so that records of other models can be skipped unopened
    sealed     4 bytes length of the head, head as JSON, thumbnail if there is one, vectors of the
               faces that are kept, payload

It is sealed as `sealed_cells` does, bound to the model's hash too.
"""

from __future__ import annotations

import json
import struct
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mien.errors import UsageError, VaultDamaged
from mien.vault.backends.base import VaultTable
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.manifest import Cell
from mien.vault.records.record import (
    KeptFace,
    LivenessHistory,
    PastUnlock,
    Record,
    RecordHead,
)
from mien.vault.sealed_cells import cell_tag, open_cell, seal_cell

if TYPE_CHECKING:
    from mien.results import ModelId

_LENGTH = struct.Struct("<I")


def user_tag(user: str, cipher: VaultCipher) -> bytes:
    """The tag of this user's record, 32 bytes."""
    return cell_tag(VaultTable.RECORD, user, cipher)


def seal_record(record: Record, cipher: VaultCipher, *, version: int) -> bytes:
    """The value of the record's cell."""
    sha256 = record.model.sha256.encode()
    if len(sha256) > 255:
        raise ValueError("the model's hash is too long")
    sealed = seal_cell(
        VaultTable.RECORD,
        pack_record(record),
        tag=user_tag(record.user, cipher),
        version=version,
        cipher=cipher,
        also=[sha256],
    )
    return bytes([len(sha256)]) + sha256 + sealed


def model_hash_of(cell: Cell) -> str:
    """The part in the clear, which the manifest has verified. VaultDamaged if it is no text."""
    length = cell.value[0] if cell.value else 0
    try:
        return cell.value[1 : 1 + length].decode()
    except UnicodeDecodeError as error:
        raise _damaged() from error


def open_record(tag: bytes, cell: Cell, cipher: VaultCipher) -> Record:
    """The record in this cell. VaultDamaged if it does not belong to the tag."""
    record = unpack_record(_plain(tag, cell, cipher))
    _check_place(record.head, tag, cell, cipher)
    return record


def open_head(tag: bytes, cell: Cell, cipher: VaultCipher) -> RecordHead:
    """The head of the record in this cell, in a third of the time of `open_record`.

    The rest of the record is authenticated, and not read. VaultDamaged as in `open_record`.
    """
    try:
        table, _ = _read_head(_plain(tag, cell, cipher))
        model = _model_of(table["model"], table["sha256"])
        head = RecordHead(str(table["user"]), model, str(table["created_at"]))
    except (struct.error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged() from error
    _check_place(head, tag, cell, cipher)
    return head


def pack_record(record: Record) -> bytes:
    """The record as bytes, not sealed."""
    table: dict[str, object] = {
        "created_at": record.created_at,
        "model": record.model.name,
        "sha256": record.model.sha256,
        "user": record.user,
    }
    if record.liveness is not None:
        days = [day.isoformat() for day in record.liveness.success_days]
        table["liveness"] = [record.liveness.enrolled_score, *days]
    if record.unlocks:
        table["unlocks"] = [[one.at, one.similarity] for one in record.unlocks]
    if record.thumbnail:
        table["thumbnail"] = len(record.thumbnail)
    if record.follows:
        table["follows"] = True
    if record.kept:
        table["kept"] = [[one.kind, one.at] for one in record.kept]
        table["kept_bytes"] = len(record.kept[0].vector)  # of each
    head = json.dumps(table, sort_keys=True).encode()
    vectors = b"".join(one.vector for one in record.kept)
    return _LENGTH.pack(len(head)) + head + record.thumbnail + vectors + record.payload


def unpack_record(plain: bytes) -> Record:
    """Read what `pack_record` wrote. VaultDamaged for anything else."""
    try:
        head, rest = _read_head(plain)
        model = _model_of(head["model"], head["sha256"])
        size = _thumbnail_bytes(head, len(rest))
        kept, payload = _read_kept(head, rest[size:])
        return Record(
            head["user"],
            model,
            head["created_at"],
            payload,
            _history_of(head),
            tuple(_past_unlock(at, value) for at, value in head.get("unlocks", [])),
            rest[:size],
            head.get("follows", False) is True,
            kept,
        )
    # a head nested a thousand deep is RecursionError
    except (struct.error, ValueError, TypeError, KeyError, RecursionError, UsageError) as error:
        raise _damaged() from error


def _plain(tag: bytes, cell: Cell, cipher: VaultCipher) -> bytes:
    sha256 = model_hash_of(cell).encode()
    return open_cell(
        VaultTable.RECORD,
        cell.value[1 + len(sha256) :],
        tag=tag,
        version=cell.version,
        cipher=cipher,
        also=[sha256],
    )


def _check_place(head: RecordHead, tag: bytes, cell: Cell, cipher: VaultCipher) -> None:
    if head.model.sha256 != model_hash_of(cell) or user_tag(head.user, cipher) != tag:
        raise _damaged()


def _read_head(plain: bytes) -> tuple[dict[str, Any], bytes]:
    """The table, and what follows it. struct.error, ValueError, RecursionError, TypeError."""
    (length,) = _LENGTH.unpack_from(plain)
    end = _LENGTH.size + length
    table = json.loads(plain[_LENGTH.size : end])
    if not isinstance(table, dict):
        raise TypeError("the head of a record is no table")
    return table, plain[end:]


@lru_cache(maxsize=16)
def _model_of(name: str, sha256: str) -> ModelId:
    """One object for all records of a model."""
    from mien.results import ModelId

    return ModelId(name, sha256)


@lru_cache(maxsize=256)
def _past_unlock(at: object, similarity: float) -> PastUnlock:
    """One object for each of the unlocks that a person's next attempt reads again. TypeError,
    ValueError for what `pack_record` never wrote."""
    return PastUnlock(str(at), float(similarity))


def _history_of(head: dict[str, Any]) -> LivenessHistory | None:
    """None where the record has none. ValueError, TypeError for what `pack_record` never wrote."""
    if "liveness" not in head:
        return None
    score, *days = head["liveness"]
    return LivenessHistory(float(score), tuple(date.fromisoformat(day) for day in days))


def _thumbnail_bytes(head: dict[str, Any], available: int) -> int:
    """The length of the thumbnail. ValueError, TypeError for what `pack_record` never wrote."""
    size = head.get("thumbnail", 0)
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= available:
        raise ValueError("the thumbnail has no length")
    return size


def _read_kept(head: dict[str, Any], rest: bytes) -> tuple[tuple[KeptFace, ...], bytes]:
    """The faces that are kept, and what follows their vectors. ValueError, TypeError, KeyError."""
    faces = head.get("kept", [])
    size = head["kept_bytes"] if faces else 0
    if type(size) is not int or not 0 <= size * len(faces) <= len(rest):
        raise ValueError("the kept faces have no length")
    kept = [
        KeptFace(kind, str(at), rest[row * size : (row + 1) * size])
        for row, (kind, at) in enumerate(faces)
    ]
    return tuple(kept), rest[size * len(faces) :]


def _damaged() -> VaultDamaged:
    return VaultDamaged("a sealed record was not written by mien; restore the vault from a backup")
