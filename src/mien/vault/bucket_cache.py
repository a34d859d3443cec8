"""What was read of a vault, kept in memory and read again only where the vault has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.manifest import BUCKETS
from mien.vault.transaction import Transaction, TransactionManager

AT_ONCE = 8  # buckets: 3,000 people of 100,000
Part = TypeVar("Part")
PartOut = TypeVar("PartOut", covariant=True)
Whole = TypeVar("Whole")


class Sealed(Protocol[PartOut]):
    """A part as it is stored, to be opened after its transaction: others wait for that."""

    def opened(self) -> PartOut:
        """Raises VaultDamaged."""


@dataclass(slots=True, eq=False)
class _Known(Generic[Part, Whole]):
    """parts: by bucket, with the digest that the bucket had. whole: what they make."""

    parts: dict[int, tuple[bytes, Part]] = field(default_factory=dict, repr=False)
    whole: Whole | None = field(default=None, repr=False)

    def digest_of(self, number: int) -> bytes | None:
        """None for a bucket that was not read yet."""
        return self.parts[number][0] if number in self.parts else None


class BucketCache(Generic[Part, Whole]):
    """Parts by bucket, and what they make together. Safe to use from several threads.

    join: makes the whole of all parts.
    """

    def __init__(self, join: Callable[[Sequence[Part]], Whole]) -> None:
        self._join = join
        self._known: dict[tuple[bytes, str], _Known[Part, Whole]] = {}

    def read(
        self,
        transactions: TransactionManager,
        name: str,
        seal: Callable[[Transaction, int], Sealed[Part]],
    ) -> tuple[Whole, VaultCipher | None]:
        """The whole, and the cipher of the vault; None where there is no vault yet.

        name: of what is read, such as the hash of a model. seal: reads the part of a bucket. Few
        buckets are read in one transaction, so that nobody else waits for long; all of them are
        of one state of the vault, that of the last transaction.
        """
        while True:
            with transactions.reading() as transaction:
                if transaction is None:
                    return self._join([]), None
                cipher, manifest = transaction.cipher, transaction.manifest
                key = (cipher.vault_id, name)
                known = self._known.get(key) or _Known()
                digests = [manifest.bucket_digest(number) for number in range(BUCKETS)]
                stale = [n for n in range(BUCKETS) if known.digest_of(n) != digests[n]]
                sealed = {number: seal(transaction, number) for number in stale[:AT_ONCE]}
            if sealed or known.whole is None:
                parts = known.parts | {n: (digests[n], one.opened()) for n, one in sealed.items()}
                known = _Known(parts)
                if len(stale) <= AT_ONCE:
                    known.whole = self._join([parts[number][1] for number in range(BUCKETS)])
                self._known[key] = known
            if known.whole is not None:
                return known.whole, cipher
