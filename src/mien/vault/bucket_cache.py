"""What was read of a vault, kept in memory and read again only where the vault has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from mien.records import dataclass, field
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
    """One part. node, bucket: the digests of what it was read from."""

    node: bytes
    bucket: bytes = field(repr=False)
    part: Part = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Parts(Generic[Part]):
    """By bucket, read from the cells of a section."""

    section: VaultTable
    known: dict[int, _Known[Part]] = field(repr=False)


class BucketCache(Generic[Part]):
    """Parts by bucket. Safe to use from several threads."""

    def __init__(self) -> None:
        self._read: dict[tuple[bytes, str], _Parts[Part]] = {}

    def read(
        self,
        transactions: TransactionManager,
        name: str,
        seal: Callable[[Transaction, int], Sealed[Part]],
        section_of: Callable[[Transaction], VaultTable] = lambda transaction: VaultTable.RECORD,
    ) -> tuple[list[Part], VaultCipher | None]:
        """All parts, and the cipher of the vault; nothing and None where there is no vault yet.

        name: of what is read, such as the hash of a model. seal: reads the part of a bucket, which
        hangs on the cells of that bucket in the section of `section_of` alone. Little is read in
        one transaction, so that nobody else waits for long; all parts are of one state of the
        vault, that of the last transaction.
        """
        while True:
            with transactions.reading() as transaction:
                if transaction is None:
                    return [], None
                cipher, section = transaction.cipher, section_of(transaction)
                parts = self._read.get((cipher.vault_id, name))
                known = dict(parts.known) if parts and parts.section is section else {}
                sealed, is_whole = _read_stale(transaction, section, known, seal)
            for number, (node, bucket, one) in sealed.items():
                known[number] = _Known(node, bucket, one.opened())
            self._read[cipher.vault_id, name] = _Parts(section, known)
            if is_whole:
                return [known[number].part for number in range(BUCKETS)], cipher


def _read_stale(
    transaction: Transaction,
    section: VaultTable,
    known: dict[int, _Known[Part]],
    seal: Callable[[Transaction, int], Sealed[Part]],
) -> tuple[dict[int, tuple[bytes, bytes, Sealed[Part]]], bool]:
    """Some parts that have changed, with their digests; and whether these are all.

    known: gets the new digest of a node where the bucket has not changed.
    """
    manifest, size = transaction.manifest, 0
    sealed: dict[int, tuple[bytes, bytes, Sealed[Part]]] = {}
    nodes = manifest.node_digests(section)
    for number in range(BUCKETS):
        node, one = nodes[number * len(nodes) // BUCKETS], known.get(number)
        if one is not None and one.node == node:
            continue
        bucket = manifest.bucket_digest(section, number)
        if one is not None and one.bucket == bucket:
            known[number] = _Known(node, bucket, one.part)
            continue
        if size >= AT_ONCE:
            return sealed, False
        sealed[number] = (node, bucket, seal(transaction, number))
        size += sealed[number][2].size
    return sealed, True
