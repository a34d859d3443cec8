"""What was read of a vault, kept in memory and read again only where the vault has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from mien.records import dataclass, field
from mien.vault.backends.base import VaultTable
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.hash_tree import BUCKETS, DIGEST_BYTES, LEAVES_OF_BUCKET
from mien.vault.transaction import Transaction, TransactionManager

AT_ONCE = 1 << 19  # bytes of sealed cells: 250 people
Part = TypeVar("Part")


class Sealed(Protocol[Part]):
    """A part as it is stored, to be opened after its transaction: others wait for that."""

    @property
    def size(self) -> int:
        """In bytes, sealed."""
        ...

    def opened(self, earlier: Part | None) -> Part:
        """earlier: the part as it was known, where only what changed since was read. Raises
        VaultDamaged."""
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


Seal = Callable[[Transaction, int, "Sequence[int] | None"], Sealed[Part]]
"""Reads the part of a bucket: its number, and the numbers of its leaves that have changed since it
was read last, None if it was not. The part hangs on the cells of that bucket in one section."""


class BucketCache(Generic[Part]):
    """Parts by bucket. Safe to use from several threads."""

    def __init__(self) -> None:
        self._read: dict[tuple[bytes, str], _Parts[Part]] = {}

    def read(
        self,
        transactions: TransactionManager,
        name: str,
        seal: Seal[Part],
        section_of: Callable[[Transaction], VaultTable] = lambda transaction: VaultTable.RECORD,
    ) -> tuple[list[Part], VaultCipher | None]:
        """All parts, and the cipher of the vault; nothing and None where there is no vault yet.

        name: of what is read, such as the hash of a model. seal: from the section of `section_of`.
        Little is read in one transaction, so that nobody else waits for long; all parts are of one
        state of the vault, that of the last transaction.
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
                earlier = known.get(number)
                part = one.opened(None if earlier is None else earlier.part)
                known[number] = _Known(node, bucket, part)
            self._read[cipher.vault_id, name] = _Parts(section, known)
            if is_whole:
                return [known[number].part for number in range(BUCKETS)], cipher


def _read_stale(
    transaction: Transaction,
    section: VaultTable,
    known: dict[int, _Known[Part]],
    seal: Seal[Part],
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
        changed = None if one is None else _changed_leaves(number, one.bucket, bucket)
        sealed[number] = (node, bucket, seal(transaction, number, changed))
        size += sealed[number][2].size
    return sealed, True


def _changed_leaves(bucket: int, before: bytes, now: bytes) -> list[int]:
    """The numbers of the leaves of a bucket whose digests differ."""
    first = bucket * LEAVES_OF_BUCKET
    places = [slice(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES) for at in range(LEAVES_OF_BUCKET)]
    return [first + at for at, place in enumerate(places) if before[place] != now[place]]
