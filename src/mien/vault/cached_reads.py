"""Reads of all people that a process repeats: the centroids of a model, and the heads in order."""

from __future__ import annotations

from bisect import bisect_right
from heapq import merge
from itertools import chain, islice
from typing import TYPE_CHECKING

from mien.vault.bucket_cache import BucketCache
from mien.vault.people import Heads, sealed_heads, sealed_records, user_of
from mien.vault.records.centroid_block import CentroidBlock, Centroids
from mien.vault.records.centroids import sealed_block
from mien.vault.records.record import Record, RecordHead
from mien.vault.rotated_space import RotatedSpace
from mien.vault.transaction import TransactionManager

if TYPE_CHECKING:
    from mien.results import ModelId

AT_ONCE = 200  # records of a page that are read in one transaction


class CachedReads:
    """What is read again only where the vault has changed."""

    def __init__(self, transactions: TransactionManager) -> None:
        self._transactions = transactions
        self._centroids = BucketCache[CentroidBlock]()
        self._heads = BucketCache[Heads]()

    def centroids_of(self, model: ModelId) -> tuple[Centroids, RotatedSpace | None]:
        """See `Vault.centroids_of`."""
        found, cipher = self._centroids.read(
            self._transactions,
            model.sha256,
            lambda transaction, number: sealed_block(transaction, model, number),
        )
        return Centroids(found), None if cipher is None else RotatedSpace(cipher, model)

    def list_people(self) -> list[RecordHead]:
        """See `Vault.list_people`."""
        parts, _ = self._heads.read(self._transactions, "", sealed_heads)
        return sorted(chain.from_iterable(parts), key=user_of)

    def people_page(self, after: str, limit: int) -> tuple[dict[bytes, Record], bool]:
        """See `Vault.people_page`."""
        parts, _ = self._heads.read(self._transactions, "", sealed_heads)
        rest = []
        for part in parts:
            start = bisect_right(part.users, after)
            rest.append(part.users[start : start + limit + 1])
        users = list(islice(merge(*rest), limit + 1))
        page: dict[bytes, Record] = {}
        for start in range(0, min(limit, len(users)), AT_ONCE):
            names = users[start : min(start + AT_ONCE, limit)]
            with self._transactions.reading() as transaction:
                sealed = sealed_records(names, transaction)
            tags = [tag for tag, _ in sealed.cells]
            page.update(zip(tags, sealed.opened(), strict=True))
        return page, len(users) > limit
