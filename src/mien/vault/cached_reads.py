"""Reads of all people that a process repeats: the centroids of a model, and the heads in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING

from mien.vault.bucket_cache import BucketCache
from mien.vault.centroids.centroid_arrays import CentroidArrays
from mien.vault.centroids.centroid_block import CentroidBlock
from mien.vault.centroids.centroid_matches import CentroidSearch
from mien.vault.centroids.sealed_centroids import sealed_block, section_of
from mien.vault.pauses import Pauses
from mien.vault.people import Heads, sealed_heads, sealed_records
from mien.vault.records.record import Record, RecordHead
from mien.vault.rotated_space import RotatedSpace
from mien.vault.transaction import TransactionManager

if TYPE_CHECKING:
    from mien.results import ModelId
    from mien.vault.centroids.centroid_indexes import CentroidIndexes

AT_ONCE = 200  # records of a page that are read in one transaction
GROUPS = 100  # in which all heads are sorted


class CachedReads:
    """What is read again only where the vault has changed."""

    def __init__(self, transactions: TransactionManager) -> None:
        self._transactions = transactions
        self._centroids = BucketCache[CentroidBlock]()
        self._indexes: CentroidIndexes | None = None
        self._heads = BucketCache[Heads]()

    def centroids_of(self, model: ModelId) -> tuple[CentroidSearch, RotatedSpace | None]:
        """See `Vault.centroids_of`."""
        if self._indexes is None:  # an unlock by name does not import it
            from mien.vault.centroids.centroid_indexes import CentroidIndexes

            self._indexes = CentroidIndexes(self._transactions)
        in_database = self._indexes.in_database(model)
        if in_database is not None:
            return in_database
        if self._indexes.are_used_for(model):
            return self._indexes.search_of(model)
        found, cipher = self._centroids.read(
            self._transactions,
            model.sha256,
            lambda transaction, *part: sealed_block(transaction, model, *part),
            section_of,
        )
        centroids = CentroidArrays(found)
        self._indexes.note_count(model, len(centroids))
        return centroids, None if cipher is None else RotatedSpace(cipher, model)

    def list_people(self) -> Heads:
        """See `Vault.list_people`."""
        parts, _ = self._heads.read(self._transactions, "", sealed_heads)
        return _in_order(parts)

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


def _in_order(parts: Sequence[Heads]) -> Heads:
    """All heads by user name. Of 100,000 a thousand are sorted at a time, because no other thread
    runs while Python sorts."""
    longest = max((part.users for part in parts), key=len, default=[])
    pivots = longest[:: max(1, len(longest) // GROUPS)][1:]
    starts, pauses, every = [0] * len(parts), Pauses(), Heads([], [], [])
    for pivot in [*pivots, None]:
        group: list[RecordHead] = []
        for number, part in enumerate(parts):
            end = len(part.users) if pivot is None else bisect_left(part.users, pivot)
            group += part.rows(starts[number], end)
            starts[number] = end
        ordered = Heads.of(group)
        every.users.extend(ordered.users)
        every.models.extend(ordered.models)
        every.created_at.extend(ordered.created_at)
        pauses.let_others_run()
    return every
