"""The status of a vault, and its verification."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mien.errors import KeyUnavailable
from mien.records import dataclass
from mien.vault.backends.base import VaultTable
from mien.vault.centroids import sealed_centroids
from mien.vault.centroids.centroid_marker import CentroidStorage, choice_of
from mien.vault.crypto.key_wrap import Header
from mien.vault.integrity.audit_log import Entry
from mien.vault.limits.counters import open_count
from mien.vault.people import all_records
from mien.vault.transaction import Transaction, TransactionManager


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """key_kind: one of `KEY_KINDS`. key_location: in words. changes: so far. centroids: whether
    the vault keeps them. readable_in_database: whether pgvector can read them. unused_keys: how
    many an interrupted rotation left beside its own.
    """

    key_kind: str
    key_location: str
    people: int
    changes: int
    log_entries: int
    centroids: bool
    readable_in_database: bool
    unused_keys: int


def vault_status(transactions: TransactionManager) -> VaultStatus | None:
    """From the manifest alone; None where there is no vault yet. VaultDamaged if it is gone."""
    with transactions.reading() as transaction:
        if transaction is not None:
            return _status_of(transaction, transactions)
    return None


def verify_vault(
    transactions: TransactionManager, *, accept: Callable[[Transaction], None] | None = None
) -> VaultStatus | None:
    """Open every record, count and log entry, and let the store check itself.

    accept: notes in the log that an older copy, or another vault, is accepted; also accepts
    that the vault was deleted. None refuses both. Raises VaultDamaged for the first thing
    that does not pass.
    """
    transactions.store.check()
    with transactions.reading(accept=accept is not None) as transaction:
        if transaction is None:
            if accept is not None:
                transactions.accept_deletion()
            return None
        for _ in all_records(transaction):
            pass
        for tag, cell in transaction.manifest.scan(VaultTable.ATTEMPT):
            open_count(tag, cell, transaction)
        sealed_centroids.verify_centroids(transaction)
        for entry in transaction.manifest.read_log():
            Entry.from_bytes(entry)
        found = _status_of(transaction, transactions)
    if accept is None:
        return found
    transactions.accept(accept)
    return vault_status(transactions)


def _status_of(transaction: Transaction, transactions: TransactionManager) -> VaultStatus:
    header, manifest = transaction.header, transaction.manifest
    source = transactions.keys.source(header.kind, header.vault_id, header.kdf)
    storage = choice_of(transaction)
    return VaultStatus(
        key_kind=header.kind,
        key_location=source.location,
        people=manifest.count(VaultTable.RECORD),
        changes=manifest.counter,
        log_entries=manifest.log_count,
        centroids=storage not in (None, CentroidStorage.OFF),
        readable_in_database=storage is CentroidStorage.DATABASE,
        unused_keys=_count_unused_keys(header, transactions),
    )


def _count_unused_keys(header: Header, transactions: TransactionManager) -> int:
    """Looks where the key is, and into the key file, where an earlier key often was."""
    found = 0
    for kind in {"file", header.kind}.intersection(transactions.keys.writable_kinds):
        with suppress(KeyUnavailable):
            source = transactions.keys.source(kind, header.vault_id, None)
            found += source.count_other_keys(header.key_id)
    return found
