"""A vault of schema 1 kept templates in the clear: a sealed one takes its place.

Only `mien vault init` does this, and never where a sealed vault was seen before: whoever
can write the file could otherwise plant a face in the clear and have it sealed.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from pathlib import Path
from typing import Any

from mien.errors import UsageError, VaultDamaged, quote
from mien.vault.backends.sqlite import connect, plain_words
from mien.vault.backends.sqlite_path import find_vault_file
from mien.vault.backends.sqlite_schema import PLAIN_SCHEMA, schema_version
from mien.vault.records.record import Record

BUSY_TIMEOUT_S = 5.0
_COLUMNS = "user, model_name, model_sha256, created_at, payload, checksum"


def plain_records(path: Path) -> list[Record] | None:
    """The people of a vault of schema 1; None where there is no such file.

    Raises VaultDamaged for a row whose checksum is wrong.
    """
    real = find_vault_file(path)
    if real is None:
        return None
    with plain_words(path), closing(connect(real, BUSY_TIMEOUT_S)) as db:
        if schema_version(db, path) != PLAIN_SCHEMA:
            return None
        rows = db.execute(f"SELECT {_COLUMNS} FROM templates ORDER BY user").fetchall()
    return [_plain_record(row) for row in rows]


def put_in_place(made: Path, path: Path) -> None:
    """The sealed file `made` takes the name of the plain one, at once and for good."""
    real = Path(os.path.realpath(path))
    os.replace(made, real)
    folder = os.open(real.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _plain_record(row: tuple[Any, ...]) -> Record:
    from mien.results import ModelId

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
        f"the record of {quote(user)} in the vault is damaged; restore the file from a backup,"
        " or move it away and enroll again"
    )


def _checksum(user: str, name: str, sha256: str, created_at: str, payload: bytes) -> bytes:
    """SHA-256 over the columns, each with its length, as schema 1 had it."""
    digest = hashlib.sha256(b"mien record 1")
    for part in (user.encode(), name.encode(), sha256.encode(), created_at.encode(), payload):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
