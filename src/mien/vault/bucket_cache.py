"""What was read of a vault, kept in memory and read again only where the vault has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from mien.records import dataclass, field, replace
from mien.vault.backends.base import VaultTable
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.manifest import BUCKETS
from mien.vault.transaction import Transaction, TransactionManager

AT_ONCE = 1 << 19  # bytes of sealed cells: 250 people
Part = TypeVar("Part")
PartOut = TypeVar("PartOut", covariant=True)


class Sealed(Protocol[PartOut]):
    """A part as it is stored, to be opened after its transaction: others wait for that."""

    @property
    def size(self) -> int:
        """In bytes, sealed."""
        ...

    def opened(self) -> PartOut:
        """Raises VaultDamaged."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Known(Generic[Part]):
    """One part. bucket, records: the digests of its bucket and of the records in that bucket."""

    bucket: bytes
    records: bytes
    part: Part = field(repr=False)


class BucketCache(Generic[Part]):
    """Parts by bucket. Safe to use from several threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, str], dict[int, _Known[Part]]] = {}

    def read(
        self,
        transactions: TransactionManager,
        name: str,
        seal: Callable[[Transaction, int], Sealed[Part]],
    ) -> tuple[list[Part], VaultCipher | None]:
        """All parts, and the cipher of the vault; nothing and None where there is no vault yet.

        name: of what is read, such as the hash of a model. seal: reads the part of a bucket, which
        hangs on the records of that bucket alone. Little is read in one transaction, so that nobody
        else waits for long; all parts are of one state of the vault, that of the last transaction.
        A part whose bucket has changed, but none of its records (a count of attempts), is kept.
        """
        while True:
            with transactions.reading() as transaction:
                if transaction is None:
                    return [], None
                cipher = transaction.cipher
                key = (cipher.vault_id, name)
                known = dict(self._known.get(key, {}))
                sealed, is_whole = _read_stale(transaction, known, seal)
            for number, (digests, one) in sealed.items():
                known[number] = _Known(*digests, one.opened())
            self._known[key] = known
            if is_whole:
                return [known[number].part for number in range(BUCKETS)], cipher


def _read_stale(
    transaction: Transaction,
    known: dict[int, _Known[Part]],
    seal: Callable[[Transaction, int], Sealed[Part]],
) -> tuple[dict[int, tuple[tuple[bytes, bytes], Sealed[Part]]], bool]:
    """Some parts that have changed, with their digests; and whether these are all.

    known: gets the new digest of a bucket whose records have not changed.
    """
    manifest, size = transaction.manifest, 0
    sealed: dict[int, tuple[tuple[bytes, bytes], Sealed[Part]]] = {}
    for number in range(BUCKETS):
        digest, one = manifest.bucket_digest(number), known.get(number)
        if one is not None and one.bucket == digest:
            continue
        if size >= AT_ONCE:
            return sealed, False
        records = manifest.section_digest(VaultTable.RECORD, number)
        if one is not None and one.records == records:
            known[number] = replace(one, bucket=digest)
            continue
        sealed[number] = ((digest, records), seal(transaction, number))
        size += sealed[number][1].size
    return sealed, True
