"""What a vault of schema 1 held in the clear goes into the sealed one, in one transaction."""

from __future__ import annotations

import hashlib
from typing import Any

from mien.errors import UsageError, VaultDamaged
from mien.results import ModelId
from mien.vault.record import Record, shown
from mien.vault.rekey import turned_anew
from mien.vault.safe import Safe
from mien.vault.sealed_record import seal_record, user_tag
from mien.vault.sqlite_store import SqliteStore
from mien.vault.store import Space


def take_over_plain_rows(store: SqliteStore, safe: Safe) -> int:
    """Seal the plain rows of an older vault and remove them. Returns how many there were.

    Raises VaultDamaged for a row whose checksum is wrong; then all stay as they are.
    """
    if not store.old_rows():
        return 0
    with safe.writing() as opened:
        records = [_plain_record(row) for row in store.old_rows()]
        for plain in records:
            record = turned_anew(plain, None, opened.seals)
            sealed = seal_record(record, opened.seals, version=opened.index.next_version)
            opened.index.put(Space.RECORD, user_tag(record.user, opened.seals), sealed)
        store.drop_old_rows()
    return len(records)


def _plain_record(row: tuple[Any, ...]) -> Record:
    *columns, checksum = row
    if [type(column) for column in columns] == [str, str, str, str, bytes]:
        user, model_name, model_sha256, created_at, payload = columns
        if _checksum(user, model_name, model_sha256, created_at, payload) == checksum:
            try:
                return Record(user, ModelId(model_name, model_sha256), created_at, payload)
            except (ValueError, UsageError) as error:
                raise _damaged(user) from error
    raise _damaged(columns[0])


def _damaged(user: object) -> VaultDamaged:
    return VaultDamaged(
        f"the record of {shown(user)} in the vault is damaged; restore the file from a backup,"
        " or move it away and enrol again"
    )


def _checksum(user: str, name: str, sha256: str, created_at: str, payload: bytes) -> bytes:
    """SHA-256 over the columns, each with its length, as schema 1 had it."""
    digest = hashlib.sha256(b"mien record 1")
    for part in (user.encode(), name.encode(), sha256.encode(), created_at.encode(), payload):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
