"""One person's record as a sealed cell.

    1 byte     length of the model's hash
    hash       in the clear, so that records of other models are passed over unopened
    sealed     4 bytes length of the head, head as JSON, payload

Sealed means AES-256-GCM, bound to the vault, the user's tag, the model's hash and the
cell's version, so that it opens in its own place only.
"""

from __future__ import annotations

import json
import struct

from mien.errors import UsageError, VaultDamaged
from mien.vault.crypto.aead import Seals
from mien.vault.integrity.manifest import Cell
from mien.vault.records.record import Record

PURPOSE = "record"
_LENGTH = struct.Struct("<I")


def seal_record(record: Record, seals: Seals, *, version: int) -> bytes:
    """The cell's value."""
    sha256 = record.model.sha256.encode()
    bound_to = _bound_to(user_tag(record.user, seals), sha256, version)
    if len(sha256) > 255:
        raise ValueError("the model's hash is too long")
    return (
        bytes([len(sha256)])
        + sha256
        + seals.seal(pack_record(record), purpose=PURPOSE, bound_to=bound_to)
    )


def user_tag(user: str, seals: Seals) -> bytes:
    """Where the record of this user lies, 32 bytes."""
    return seals.tag(PURPOSE, user)


def model_hash_of(cell: Cell) -> str:
    """The clear part, already checked by the index. VaultDamaged if it is none."""
    length = cell.value[0] if cell.value else 0
    try:
        return cell.value[1 : 1 + length].decode()
    except UnicodeDecodeError as error:
        raise _damaged() from error


def open_record(tag: bytes, cell: Cell, seals: Seals) -> Record:
    """The record that lies under this tag. VaultDamaged for anything else."""
    sha256 = model_hash_of(cell).encode()
    sealed = cell.value[1 + len(sha256) :]
    bound_to = _bound_to(tag, sha256, cell.version)
    plain = seals.open(sealed, purpose=PURPOSE, bound_to=bound_to)
    record = unpack_record(plain)
    if record.model.sha256.encode() != sha256 or user_tag(record.user, seals) != tag:
        raise _damaged()
    return record


def pack_record(record: Record) -> bytes:
    """The record as bytes, not sealed."""
    table = {
        "created_at": record.created_at,
        "model": record.model.name,
        "sha256": record.model.sha256,
        "user": record.user,
    }
    head = json.dumps(table, sort_keys=True).encode()
    return _LENGTH.pack(len(head)) + head + record.payload


def unpack_record(plain: bytes) -> Record:
    """What `pack_record` wrote. VaultDamaged for anything else."""
    try:
        (length,) = _LENGTH.unpack_from(plain)
        head = json.loads(plain[_LENGTH.size : _LENGTH.size + length])
        from mien.results import ModelId

        model = ModelId(head["model"], head["sha256"])
        return Record(head["user"], model, head["created_at"], plain[_LENGTH.size + length :])
    # a head nested a thousand deep is RecursionError
    except (struct.error, ValueError, TypeError, KeyError, RecursionError, UsageError) as error:
        raise _damaged() from error


def _bound_to(tag: bytes, sha256: bytes, version: int) -> list[bytes]:
    return [tag, sha256, version.to_bytes(8, "big")]


def _damaged() -> VaultDamaged:
    return VaultDamaged("a sealed record is not as mien writes it; restore the vault from a backup")
