"""The counts of failed attempts: one for each name, and one over all names."""

from __future__ import annotations

from mien.errors import TooManyAttempts, VaultDamaged
from mien.records import dataclass
from mien.vault.backends.base import VaultTable
from mien.vault.integrity.manifest import Cell
from mien.vault.limits.attempts import AttemptCount, Counts, Moment, describe_wait
from mien.vault.sealed_cells import cell_tag, open_cell, seal_cell
from mien.vault.transaction import Transaction

ALL_NAMES = ""  # the name of the common count; no user has the empty name
FORGET_COMMON_AFTER_S = 86_400.0  # a day without failures clears the common count; nothing else


@dataclass(frozen=True, slots=True)
class Charge:
    """What an attempt was charged. counts: the counts with its failure.

    refused: raise it once the transaction has been committed; the attempt may not go on.
    """

    counts: Counts
    refused: TooManyAttempts | None = None


def charge_attempt(name: str, transaction: Transaction, now: Moment) -> Charge:
    """Count one more failure of this name and of all names, before the comparison.

    If either count must wait, nothing is counted, and `refused` is set.
    """
    counts = _read(name, transaction, now)
    refused = None
    if counts.wait_s <= 0:
        counts = counts.charged(now)
    else:
        refused = TooManyAttempts(f"too many failed attempts; {describe_wait(counts.wait_s)}")
        refused.wait_s = counts.wait_s
    _store(name, counts, transaction)
    return Charge(counts, refused)


def settle_attempt(
    name: str,
    transaction: Transaction,
    now: Moment,
    charge: Charge,
    *,
    unlocked: bool,
    compared: bool,
) -> None:
    """Correct the charge after the comparison.

    unlocked: clear this name's failures; see `Counts.unlocked` for the common count.
    compared: False takes the charge off both counts, since no face was compared.
    """
    if compared and not unlocked:
        return
    counts = _read(name, transaction, now)
    correct = counts.unlocked if unlocked else counts.refunded
    _store(name, correct(now, charged=charge.counts), transaction)


def open_count(tag: bytes, cell: Cell, transaction: Transaction) -> tuple[str, AttemptCount]:
    """Whose count the cell holds, and the count. VaultDamaged if it is not the tag's."""
    plain = open_cell(
        VaultTable.ATTEMPT, cell.value, tag=tag, version=cell.version, cipher=transaction.cipher
    )
    packed_name, _, packed = plain.partition(b"\n")
    try:
        name = packed_name.decode()
    except UnicodeDecodeError as error:
        raise VaultDamaged(
            "a count of attempts was not written by mien; restore the vault from a backup"
        ) from error
    if cell_tag(VaultTable.ATTEMPT, name, transaction.cipher) != tag:
        raise VaultDamaged(
            "a count of attempts is stored under another name; restore the vault from a backup"
        )
    return name, AttemptCount.from_bytes(packed)


def store_count(name: str, count: AttemptCount, transaction: Transaction) -> None:
    """Seal the count under its name, as it is."""
    cipher, version = transaction.cipher, transaction.manifest.next_version
    tag = cell_tag(VaultTable.ATTEMPT, name, cipher)
    plain = name.encode() + b"\n" + count.to_bytes()
    sealed = seal_cell(VaultTable.ATTEMPT, plain, tag=tag, version=version, cipher=cipher)
    transaction.manifest.put(VaultTable.ATTEMPT, tag, sealed)


def move_count(old: str, new: str, transaction: Transaction) -> None:
    """Give the count of the old name to the new one, whose own count is dropped."""
    count = _stored(old, transaction)
    drop_count(old, transaction)
    drop_count(new, transaction)
    if count is not None:
        store_count(new, count, transaction)


def drop_count(name: str, transaction: Transaction) -> None:
    """Remove the count of this name, also a damaged one."""
    tag = cell_tag(VaultTable.ATTEMPT, name, transaction.cipher)
    transaction.manifest.drop(VaultTable.ATTEMPT, tag)


def _read(name: str, transaction: Transaction, now: Moment) -> Counts:
    tags = [cell_tag(VaultTable.ATTEMPT, one, transaction.cipher) for one in (name, ALL_NAMES)]
    transaction.manifest.fetch([(VaultTable.ATTEMPT, tag) for tag in tags])
    own, common = _stored(name, transaction), _stored(ALL_NAMES, transaction)
    none = AttemptCount.none(now)
    return Counts(
        none if own is None else own.advanced_to(now),
        none if common is None else common.advanced_to(now, forget_after_s=FORGET_COMMON_AFTER_S),
    )


def _store(name: str, counts: Counts, transaction: Transaction) -> None:
    for one, count in ((name, counts.own), (ALL_NAMES, counts.common)):
        if count.failures or one == ALL_NAMES:
            store_count(one, count, transaction)
        else:
            drop_count(one, transaction)  # attempts that were none leave no cell behind


def _stored(name: str, transaction: Transaction) -> AttemptCount | None:
    tag = cell_tag(VaultTable.ATTEMPT, name, transaction.cipher)
    cell = transaction.manifest.get(VaultTable.ATTEMPT, tag)
    return None if cell is None else open_count(tag, cell, transaction)[1]
