"""Reads of all people that a process repeats: the centroids of a model, and the names in order."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

from mien.vault.bucket_cache import BucketCache
from mien.vault.people import record_at, sealed_bucket, sorted_names
from mien.vault.records.centroids import Centroids, sealed_block
from mien.vault.records.record import Record
from mien.vault.rotated_space import RotatedSpace
from mien.vault.transaction import TransactionManager

if TYPE_CHECKING:
    from mien.results import ModelId


class CachedReads:
    """What is read again only where the vault has changed."""

    def __init__(self, transactions: TransactionManager) -> None:
        self._transactions = transactions
        self._centroids = BucketCache(Centroids.joined)
        self._names = BucketCache(sorted_names)

    def centroids_of(self, model: ModelId) -> tuple[Centroids, RotatedSpace | None]:
        """See `Vault.centroids_of`."""
        found, cipher = self._centroids.read(
            self._transactions,
            model.sha256,
            lambda transaction, number: sealed_block(transaction, model, number),
        )
        return found, None if cipher is None else RotatedSpace(cipher, model)

    def people_page(self, after: str, limit: int) -> tuple[dict[bytes, Record], bool]:
        """See `Vault.people_page`."""
        names, _ = self._names.read(self._transactions, "", sealed_bucket)
        start = bisect.bisect(names, after, key=lambda one: one[0])
        tags = [tag for _, tag in names[start : start + limit]]
        with self._transactions.reading() as transaction:
            found = (
                {} if transaction is None else {tag: record_at(tag, transaction) for tag in tags}
            )
        page = {tag: record for tag, record in found.items() if record is not None}
        return page, start + limit < len(names)
