"""The index over the centroids of many people: built from the vault, and kept fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.records import dataclass
from mien.vault.backends.base import VaultTable
from mien.vault.bucket_cache import BucketCache
from mien.vault.centroids.centroid_index import CentroidIndex, QuantizedBlock, is_available
from mien.vault.centroids.database_search import database_search
from mien.vault.centroids.indexed_centroids import IndexedCentroids
from mien.vault.centroids.sealed_centroids import SealedBlock, sealed_block, section_of
from mien.vault.centroids.vault_centroids import VaultCentroids
from mien.vault.rotated_space import RotatedSpace
from mien.vault.transaction import TransactionManager

if TYPE_CHECKING:
    from mien.results import ModelId

INDEX_FROM = 100_000  # people; below, a matrix product takes 2 ms and its vectors 50 MB


class CentroidIndexes:
    """One index for each model. Safe to use from several threads."""

    def __init__(self, transactions: TransactionManager) -> None:
        self._transactions = transactions
        self._counts: dict[str, int] = {}  # people by model, about
        self._blocks = BucketCache[QuantizedBlock]()
        self._built: dict[str, CentroidIndex] = {}

    def in_database(self, model: ModelId) -> tuple[IndexedCentroids, RotatedSpace] | None:
        """See `Vault.centroids_of`; None where the database does not compare them."""
        if not self._transactions.store.can_compare_vectors:
            return None
        return database_search(self._transactions, model)

    def are_used_for(self, model: ModelId) -> bool:
        """Whether there are so many people that an index pays, and faiss is installed."""
        if not is_available():
            return False
        if model.sha256 not in self._counts:
            with self._transactions.reading() as transaction:
                if transaction is None:
                    return False
                self.note_count(model, transaction.manifest.count(VaultTable.RECORD))
        return self._counts[model.sha256] >= INDEX_FROM

    def note_count(self, model: ModelId, people: int) -> None:
        """How many there are; once there are many, the index stays."""
        self._counts[model.sha256] = max(people, self._counts.get(model.sha256, 0))

    def search_of(self, model: ModelId) -> tuple[IndexedCentroids, RotatedSpace | None]:
        """See `Vault.centroids_of`."""
        blocks, cipher = self._blocks.read(
            self._transactions,
            model.sha256,
            lambda transaction, *part: _ToQuantize(sealed_block(transaction, model, *part)),
            section_of,
        )
        index = CentroidIndex(blocks, self._built.get(model.sha256))
        self._built[model.sha256] = index
        space = None if cipher is None else RotatedSpace(cipher, model)
        return IndexedCentroids(index, VaultCentroids(self._transactions, model)), space


@dataclass(frozen=True, slots=True, eq=False)
class _ToQuantize:
    sealed: SealedBlock

    @property
    def size(self) -> int:
        return self.sealed.size

    def opened(self, earlier: QuantizedBlock | None) -> QuantizedBlock:
        read = QuantizedBlock.of(self.sealed.read())
        if earlier is None or self.sealed.leaves is None:
            return read
        return earlier.with_leaves(self.sealed.leaves, read)
