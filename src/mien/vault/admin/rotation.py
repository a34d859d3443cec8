"""Replace the key of the whole vault in one transaction: the old key opens nothing afterwards.

The new key is stored before the vault is changed, and the old one is removed after. Whenever
the process dies, the vault opens, and another rotation finishes the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from mien.errors import KeyUnavailable, VaultDamaged
from mien.records import dataclass, field, replace
from mien.vault.backends.base import VaultTable
from mien.vault.centroids import sealed_centroids
from mien.vault.centroids.centroid_marker import CentroidStorage, choice_of
from mien.vault.crypto.aead import KEY_BYTES, VaultCipher
from mien.vault.integrity.manifest import Manifest
from mien.vault.limits.attempts import AttemptCount
from mien.vault.limits.counters import open_count, store_count
from mien.vault.people import all_records, put_record
from mien.vault.records.kept_faces import converted
from mien.vault.records.record import Record
from mien.vault.records.template_codec import pack_template, unpack_template
from mien.vault.rotated_space import RotatedSpace
from mien.vault.transaction import HEADER_KEY, Keys, Transaction, TransactionManager

if TYPE_CHECKING:
    from mien.results import FloatArray


def rotate_vault(
    transactions: TransactionManager,
    *,
    before_commit: Callable[[Transaction], None],
    key_kind: str | None = None,
    new_passphrase: str | None = None,
    accept_log: Callable[[Transaction], None] | None = None,
) -> int:
    """Seal everything under a new key. Returns how many records there were.

    Templates get a new secret rotation too, so that nothing taken earlier can be linked to
    them. accept_log: notes in the log that what was left of a log that was tampered with was
    accepted; None refuses it with VaultDamaged. before_commit: does the last thing in the
    same transaction, such as writing the log. The rest is as in `Vault.rotate`.
    """
    keys = transactions.keys
    if new_passphrase is not None:
        keys = keys.with_passphrase(new_passphrase)
    with transactions.writing(create=False, accept_log=accept_log is not None) as transaction:
        old = Transaction(
            transaction.manifest, transaction.cipher, transaction.header, transaction.cells
        )
        contents = _read_contents(old, accept_log=accept_log is not None)
        _use_new_key(transaction, transactions, key_kind or old.header.kind, keys)
        _clear(old)
        _seal_contents(contents, old, transaction)
        if accept_log is not None and not contents.log_is_whole:
            accept_log(transaction)
        before_commit(transaction)
        transaction.cells.put(VaultTable.META, HEADER_KEY, transaction.header.to_bytes())
    transactions.keys = keys
    try:
        remove_old_keys(transactions, also=old.header.kind)
    except VaultDamaged as error:
        raise VaultDamaged(
            f"the vault is under the new key, but the old one could not be removed: {error}"
        ) from error
    return len(contents.records)


def remove_old_keys(transactions: TransactionManager, *, also: str = "file") -> None:
    """Remove every key of this vault but the one that opens it; finishes a broken rotation too.

    also: a kind of key source to look into, beside the key file and the kind of the present
    key. The others are not touched: a keyring may be absent, or ask for a password.
    """
    # during this transaction nobody else rotates, so no key that is needed can be removed
    with transactions.writing(create=False) as transaction:
        header, keys = transaction.header, transactions.keys
        for kind in {"file", header.kind, also}.intersection(keys.writable_kinds):
            with suppress(KeyUnavailable):  # a source that does not exist holds no key either
                keys.source(kind, header.vault_id, None).remove_other_keys(header.key_id)


def convert_record(record: Record, old: VaultCipher | None, new: VaultCipher | None) -> Record:
    """The record with its vectors rotated for another key; None stands for plain vectors."""
    from mien.results import Template

    def convert(vectors: FloatArray) -> FloatArray:
        if old is not None:
            vectors = RotatedSpace(old, record.model).reveal(vectors)
        if new is not None:
            vectors = RotatedSpace(new, record.model).protect(vectors)
        return vectors

    template = unpack_template(record.payload, expected_model=record.model)
    payload = pack_template(Template(convert(template.vectors), template.model))
    return converted(replace(record, payload=payload), convert)


@dataclass(frozen=True, slots=True)
class _Contents:
    """All of a vault, decrypted. centroids: how they are kept; they are computed anew."""

    records: list[Record] = field(repr=False)
    attempts: list[tuple[str, AttemptCount]] = field(repr=False)
    log: list[bytes] = field(repr=False)
    log_is_whole: bool
    centroids: CentroidStorage | None


def _read_contents(old: Transaction, *, accept_log: bool) -> _Contents:
    """VaultDamaged for what does not pass verification, before a new key is made."""
    manifest = old.manifest
    attempts = [open_count(tag, cell, old) for tag, cell in manifest.scan(VaultTable.ATTEMPT)]
    log, log_is_whole = _read_log(old, accept=accept_log)
    return _Contents(
        records=list(all_records(old)),
        attempts=attempts,
        log=log,
        log_is_whole=log_is_whole,
        centroids=choice_of(old),
    )


def _read_log(old: Transaction, *, accept: bool) -> tuple[list[bytes], bool]:
    """The entries, and whether all are there: a new chain over a cut log would hide the cut."""
    try:
        return old.manifest.read_log(), True
    except VaultDamaged:
        if not accept:
            raise
        return old.manifest.salvage_log(), False


def _use_new_key(
    transaction: Transaction, transactions: TransactionManager, kind: str, keys: Keys
) -> None:
    data_key, vault_id = transactions.random(KEY_BYTES), transaction.cipher.vault_id
    counter = transaction.manifest.counter
    transaction.header = transactions.new_header(data_key, vault_id, kind, keys=keys)
    transaction.cipher = VaultCipher(data_key, vault_id)
    transaction.manifest = Manifest(transaction.cells, transaction.cipher, new=True)
    transaction.manifest.counter = counter


def _clear(old: Transaction) -> None:
    for section in VaultTable:
        if section is not VaultTable.META:
            old.cells.clear(section)


def _seal_contents(contents: _Contents, old: Transaction, new: Transaction) -> None:
    for record in contents.records:
        put_record(convert_record(record, old.cipher, new.cipher), new)
    for name, count in contents.attempts:
        store_count(name, count, new)
    for entry in contents.log:
        new.manifest.append_log(entry)
    if contents.centroids is CentroidStorage.OFF:
        sealed_centroids.disable(new)
    elif contents.centroids is not None:
        sealed_centroids.enable(new, contents.centroids)
