"""Export and import: all people of a vault in one file, under a passphrase.

    magic    8 bytes
    length   4 bytes, of the header
    header   like a vault's: Argon2id parameters, wrapped data key
    sealed   the records, one after the other, with plain vectors inside the encryption

An export has no counts of attempts, no log and no faces of the last unlocks: those belong to the
vault, not to the people.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from mien.errors import UsageError, VaultDamaged, quote
from mien.files import staged_write
from mien.records import dataclass
from mien.vault.admin.rotation import convert_record
from mien.vault.backends.base import VaultTable
from mien.vault.crypto.aead import KEY_BYTES, VAULT_ID_BYTES, VaultCipher
from mien.vault.crypto.key_wrap import (
    KEY_ID_BYTES,
    Header,
    kek_of_passphrase,
    new_kdf,
    unwrap,
    wrap,
)
from mien.vault.crypto.passphrase import check_length
from mien.vault.people import all_records, store_records
from mien.vault.records.kept_faces import without_kept
from mien.vault.records.record import Record, already_enrolled
from mien.vault.records.sealed_record import pack_record, unpack_record, user_tag
from mien.vault.transaction import Transaction, TransactionManager, no_vault

MAX_BYTES = 1 << 30
_MAGIC = b"mienEXP1"
_LENGTH = struct.Struct("<I")
_PURPOSE = "export"
_WAYS_OUT = "pass --keep to leave those in the vault as they are, or --replace to replace them"

Existing = Literal["refuse", "keep", "replace"]
"""What an import does with a name that is enrolled already."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """added: the names that were imported. kept: those that were enrolled and left as they were."""

    added: tuple[str, ...]
    kept: tuple[str, ...]


def export_people(
    transactions: TransactionManager,
    path: Path,
    passphrase: str,
    *,
    before_commit: Callable[[Transaction], None],
    random: Callable[[int], bytes] = os.urandom,
) -> int:
    """As `Vault.export_people`.

    before_commit: does the last thing in the same transaction, such as writing the log. If it
    fails there is no file; the file gets its name when the transaction is over.
    """
    check_length(passphrase)
    if os.path.lexists(path):
        raise UsageError(f"{quote(str(path))} exists; name a new file")
    with transactions.reading() as existing:
        if existing is None:
            raise no_vault(transactions.store.place)
    # before the transaction: it takes long, and nobody should wait for it
    header, cipher = _new_export_key(passphrase, random)
    with _write_errors(path), ExitStack() as staged:
        with transactions.writing(create=False) as transaction:
            records = [
                convert_record(without_kept(record, "unlock"), transaction.cipher, None)
                for record in all_records(transaction)
            ]
            before_commit(transaction)
            content = _seal(records, header, cipher)
            put_in_place = staged.enter_context(staged_write(path, content, durable=True))
        put_in_place()
    return len(records)


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {quote(str(path))}: {error.strerror}") from error


def _new_export_key(passphrase: str, random: Callable[[int], bytes]) -> tuple[bytes, VaultCipher]:
    """The header of an export, and the cipher under its key."""
    vault_id, data_key = random(VAULT_ID_BYTES), random(KEY_BYTES)
    kdf = new_kdf(random)
    header = wrap(
        data_key,
        kek_of_passphrase(passphrase, kdf),
        vault_id=vault_id,
        key_id=random(KEY_ID_BYTES),
        kind="passphrase",
        kdf=kdf,
        random=random,
    ).to_bytes()
    return header, VaultCipher(data_key, vault_id)


def _seal(records: list[Record], header: bytes, cipher: VaultCipher) -> bytes:
    packed = [pack_record(record) for record in records]
    plain = b"".join(_LENGTH.pack(len(one)) + one for one in packed)
    sealed = cipher.seal(plain, purpose=_PURPOSE, bound_to=[header])
    return _MAGIC + _LENGTH.pack(len(header)) + header + sealed


def import_people(
    transactions: TransactionManager,
    path: Path,
    passphrase: str,
    *,
    existing: Existing,
    before_commit: Callable[[Transaction], None],
) -> ImportResult:
    """As `Vault.import_people`. before_commit: does the last thing in the same transaction."""
    records = _read_records(path, passphrase)
    added, kept = list[Record](), list[str]()
    with transactions.writing() as transaction:
        for record in records:
            tag = user_tag(record.user, transaction.cipher)
            if transaction.manifest.get(VaultTable.RECORD, tag) is not None:
                if existing == "refuse":
                    raise already_enrolled(record.user, _WAYS_OUT)
                if existing == "keep":
                    kept.append(record.user)
                    continue
            added.append(convert_record(record, None, transaction.cipher))
        store_records(added, transaction)
        before_commit(transaction)
    return ImportResult(tuple(sorted(record.user for record in added)), tuple(sorted(kept)))


def _read_records(path: Path, passphrase: str) -> list[Record]:
    content = _read(path)
    try:
        return list(_unpack(_open(content, passphrase, f"the export {quote(str(path))}")))
    except VaultDamaged as error:  # its message would blame the vault, which is sound
        raise VaultDamaged(
            f"the export {quote(str(path))} is damaged or was altered, and nobody was imported;"
            " export again"
        ) from error


def _open(content: bytes, passphrase: str, name: str) -> bytes:
    (length,) = _LENGTH.unpack_from(content, len(_MAGIC))
    start = len(_MAGIC) + _LENGTH.size
    packed, sealed = content[start : start + length], content[start + length :]
    header = Header.from_bytes(packed)
    if header.kdf is None:
        raise VaultDamaged("it has no passphrase")
    data_key = unwrap(header, kek_of_passphrase(passphrase, header.kdf), opens=name)
    cipher = VaultCipher(data_key, header.vault_id)
    return cipher.open(sealed, purpose=_PURPOSE, bound_to=[packed])


def _read(path: Path) -> bytes:
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise _not_an_export(path)
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {quote(str(path))}: {error.strerror}") from error
    if not content.startswith(_MAGIC) or len(content) < len(_MAGIC) + _LENGTH.size:
        raise _not_an_export(path)
    return content


def _not_an_export(path: Path) -> UsageError:
    return UsageError(f"{quote(str(path))} is not a file that mien vault export wrote")


def _unpack(plain: bytes) -> Iterator[Record]:
    at = 0
    while at < len(plain):
        if at + _LENGTH.size > len(plain):
            raise VaultDamaged("it is cut off")
        (length,) = _LENGTH.unpack_from(plain, at)
        at += _LENGTH.size + length
        yield unpack_record(plain[at - length : at])
