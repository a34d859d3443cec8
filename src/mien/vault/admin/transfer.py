"""A vault's people in one file, under a passphrase, to take to another machine.

    magic    8 bytes
    length   4 bytes, of the header
    header   as a vault's own: Argon2id parameters, wrapped data key
    sealed   the records, one after the other, with plain vectors inside the seal

A bundle holds no attempts and no log: those belong to the door, not to the people.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError, VaultDamaged, quote
from mien.files import staged_write
from mien.vault.admin.rotation import turned_anew
from mien.vault.backends.base import Section
from mien.vault.crypto.aead import KEY_BYTES, VAULT_ID_BYTES, Seals
from mien.vault.crypto.key_wrap import (
    KEY_ID_BYTES,
    Header,
    kek_of_passphrase,
    new_kdf,
    unwrap,
    wrap,
)
from mien.vault.crypto.passphrase import long_enough
from mien.vault.records.record import Record, already_enrolled
from mien.vault.records.sealed_record import (
    open_record,
    pack_record,
    seal_record,
    unpack_record,
    user_tag,
)
from mien.vault.transaction import Opened, Safe, no_vault

MAX_BYTES = 1 << 30
_MAGIC = b"mienEXP1"
_LENGTH = struct.Struct("<I")
_PURPOSE = "export"
_TAKEN = "pass --keep to leave the vault's people as they are, or --replace to take the file's"


@dataclass(frozen=True, slots=True)
class Imported:
    """Whom an import brought, and who was there already and stayed as they were."""

    added: tuple[str, ...]
    kept: tuple[str, ...]


def export_people(
    safe: Safe,
    path: Path,
    passphrase: str,
    *,
    random: Callable[[int], bytes] = os.urandom,
    last: Callable[[Opened], None] = lambda opened: None,
) -> int:
    """Write all records to a new file, mode 0600. Returns how many.

    last: done in the same transaction, such as an entry in the log: without it there is
    no file, which takes its name when the transaction is over. Raises NotEnrolled where
    there is no vault, UsageError for a short passphrase or a file that exists.
    """
    long_enough(passphrase)
    if os.path.lexists(path):
        raise UsageError(f"{quote(str(path))} exists; name a new file")
    with safe.reading() as there:
        if there is None:
            raise no_vault(safe.store.place)
    key = _key_of(passphrase, random)  # takes its time, and nobody is to wait for it
    with _unwritable(path), ExitStack() as written:
        with safe.writing(create=False) as opened:
            records = [
                turned_anew(open_record(tag, cell, opened.seals), opened.seals, None)
                for tag, cell in opened.index.scan(Section.RECORD)
            ]
            last(opened)
            whole = _sealed(records, *key)
            put_in_place = written.enter_context(staged_write(path, whole, durable=True))
        put_in_place()
    return len(records)


@contextmanager
def _unwritable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {quote(str(path))}: {error.strerror}") from error


def _key_of(passphrase: str, random: Callable[[int], bytes]) -> tuple[bytes, Seals]:
    """The header of a bundle, and the seals under its key."""
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
    return header, Seals(data_key, vault_id)


def _sealed(records: list[Record], header: bytes, seals: Seals) -> bytes:
    packed = [pack_record(record) for record in records]
    plain = b"".join(_LENGTH.pack(len(one)) + one for one in packed)
    sealed = seals.seal(plain, purpose=_PURPOSE, bound_to=[header])
    return _MAGIC + _LENGTH.pack(len(header)) + header + sealed


def import_people(
    safe: Safe,
    path: Path,
    passphrase: str,
    *,
    taken: str,
    last: Callable[[Opened], None] = lambda opened: None,
) -> Imported:
    """Bring the records of a bundle in, all or none.

    taken: what happens to a name that is enrolled already: "refuse" (AlreadyEnrolled),
    "keep" or "replace". last: done at the end of the same transaction. Raises
    VaultDamaged for an altered file, KeyUnavailable for a wrong passphrase, and
    UsageError for a file that is no bundle.
    """
    from mien.vault.records import centroids

    records = _records_in(path, passphrase)
    added, kept = [], []
    with safe.writing() as opened:
        for plain in records:
            tag = user_tag(plain.user, opened.seals)
            if opened.index.get(Section.RECORD, tag) is not None:
                if taken == "refuse":
                    raise already_enrolled(plain.user, _TAKEN)
                if taken == "keep":
                    kept.append(plain.user)
                    continue
            record = turned_anew(plain, None, opened.seals)
            sealed = seal_record(record, opened.seals, version=opened.index.next_version)
            opened.index.put(Section.RECORD, tag, sealed)
            centroids.keep(opened, record)
            added.append(plain.user)
        last(opened)
    return Imported(tuple(sorted(added)), tuple(sorted(kept)))


def _records_in(path: Path, passphrase: str) -> list[Record]:
    """What is wrong with it is the file's fault, and not the vault's, whose words these were."""
    content = _read(path)
    try:
        return list(_unpacked(_opened(content, passphrase, f"the export {quote(str(path))}")))
    except VaultDamaged as error:
        raise VaultDamaged(
            f"the export {quote(str(path))} is damaged or was altered, and nobody was imported;"
            " export again"
        ) from error


def _opened(content: bytes, passphrase: str, name: str) -> bytes:
    (length,) = _LENGTH.unpack_from(content, len(_MAGIC))
    start = len(_MAGIC) + _LENGTH.size
    packed, sealed = content[start : start + length], content[start + length :]
    header = Header.from_bytes(packed)
    if header.kdf is None:
        raise VaultDamaged("it has no passphrase")
    data_key = unwrap(header, kek_of_passphrase(passphrase, header.kdf), opens=name)
    seals = Seals(data_key, header.vault_id)
    return seals.open(sealed, purpose=_PURPOSE, bound_to=[packed])


def _read(path: Path) -> bytes:
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{quote(str(path))} is no file of mien vault export")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {quote(str(path))}: {error.strerror}") from error
    if not content.startswith(_MAGIC) or len(content) < len(_MAGIC) + _LENGTH.size:
        raise UsageError(f"{quote(str(path))} is no file of mien vault export")
    return content


def _unpacked(plain: bytes) -> Iterator[Record]:
    at = 0
    while at < len(plain):
        if at + _LENGTH.size > len(plain):
            raise VaultDamaged("it is cut off")
        (length,) = _LENGTH.unpack_from(plain, at)
        at += _LENGTH.size + length
        yield unpack_record(plain[at - length : at])
