"""Create a vault, from the plain templates of a vault of schema 1 where there is one.

Schema 1 kept templates unencrypted. Only `mien vault init` reads them, and never where a sealed
vault was seen before: whoever can write the file could otherwise plant a plain template and
have it sealed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from mien.errors import UsageError, VaultDamaged, quote
from mien.vault.admin.rotation import convert_record
from mien.vault.admin.status import VaultStatus, vault_status
from mien.vault.backends.sqlite_connection import connect, translated_errors
from mien.vault.backends.sqlite_path import COMPANION_SUFFIXES, find_vault_file
from mien.vault.backends.sqlite_schema import PLAIN_SCHEMA, check_schema, schema_version
from mien.vault.integrity.rollback_guard import RollbackGuard
from mien.vault.people import put_record
from mien.vault.records.record import Record
from mien.vault.transaction import Transaction, TransactionManager

BUSY_TIMEOUT_S = 5.0
_COLUMNS = "user, model_name, model_sha256, created_at, payload, checksum"


def create_vault(
    transactions: TransactionManager,
    plain_records: Sequence[Record],
    *,
    key_kind: str | None,
    write_log: Callable[[Transaction, str], object],
) -> VaultStatus:
    """Make a vault that holds these records, whose vectors are plain. As `Vault.create`."""
    with transactions.reading() as found:
        was_there = found is not None
    if was_there:
        with transactions.store.writing():
            pass  # an older schema becomes the present one: tenants are told to have this done
        raise _is_there(transactions)
    with transactions.writing(key_kind=key_kind) as transaction:
        if transaction.manifest.counter:  # another process made it meanwhile
            raise _is_there(transactions)
        write_log(transaction, "vault")
        for record in plain_records:
            put_record(convert_record(record, None, transaction.cipher), transaction)
        if plain_records:
            write_log(transaction, "import")
    status = vault_status(transactions)
    assert status is not None  # the vault was made just now
    return status


def _is_there(transactions: TransactionManager) -> UsageError:
    return UsageError(
        f"there is a vault at {quote(transactions.store.place)} already;"
        " to see it, run: mien vault status"
    )


def check_never_sealed(guard: RollbackGuard, place: str) -> None:
    """VaultDamaged if a sealed vault was seen where now is a plain one."""
    last = guard.read_last()
    if last is not None and not last.deleted:
        raise VaultDamaged(
            f"{quote(place)} holds unencrypted templates, and a sealed vault was seen there before:"
            " somebody may have put it there; restore the vault from a backup"
        )


def read_plain_records(path: Path) -> list[Record] | None:
    """The people of a vault of schema 1; None where there is no such file.

    Raises VaultDamaged for a row whose checksum is wrong.
    """
    real = find_vault_file(path)
    if real is None:
        return None
    with translated_errors(path), closing(connect(real, BUSY_TIMEOUT_S)) as db:
        if schema_version(db, path) != PLAIN_SCHEMA:
            return None
        check_schema(db, path, PLAIN_SCHEMA)
        rows = db.execute(f"SELECT {_COLUMNS} FROM templates ORDER BY user").fetchall()
    return [_plain_record(row) for row in rows]


def new_file_beside(path: Path) -> Path:
    """Where the sealed vault is made before it replaces the plain one; nothing is there."""
    made = path.with_name(path.name + ".sealing")
    for suffix in ("", *COMPANION_SUFFIXES):  # left by an attempt that was killed
        made.with_name(made.name + suffix).unlink(missing_ok=True)
    return made


def replace_plain_vault(made: Path, path: Path) -> None:
    """Rename the sealed file `made` to the name of the plain one, durably."""
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
    """SHA-256 over the columns, each after its length, as schema 1 stored it."""
    digest = hashlib.sha256(b"mien record 1")
    for part in (user.encode(), name.encode(), sha256.encode(), created_at.encode(), payload):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
