"""Search the centroids where the database compares them: no index in the memory of a process."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mien.records import dataclass
from mien.vault.backends.base import VaultTable
from mien.vault.centroids.centroid_index import Nearby
from mien.vault.centroids.centroid_marker import CentroidStorage, stored_as
from mien.vault.centroids.database_vectors import table_of, vectors_damaged
from mien.vault.centroids.indexed_centroids import IndexedCentroids
from mien.vault.centroids.vault_centroids import VaultCentroids
from mien.vault.integrity.bucket import TAG_BYTES
from mien.vault.rotated_space import RotatedSpace
from mien.vault.transaction import TransactionManager

if TYPE_CHECKING:
    from mien.results import FloatArray, ModelId

HALF_ROUNDING = 2.0**-11  # of a number of float16 to its size, from 2^-14 on
HALF_LEAST = 2.0**-25  # what a smaller one can be off by


def database_search(
    transactions: TransactionManager, model: ModelId
) -> tuple[IndexedCentroids, RotatedSpace] | None:
    """See `Vault.centroids_of`; None where the database does not hold the centroids."""
    with transactions.reading() as transaction:
        if transaction is None or stored_as(transaction) is not CentroidStorage.DATABASE:
            return None
        # of all models: the sealed count, which nobody can lower by removing rows
        people = transaction.manifest.count(VaultTable.RECORD)
        space = RotatedSpace(transaction.cipher, model)
    table = _DatabaseVectors(transactions, model, people)
    return IndexedCentroids(table, VaultCentroids(transactions, model)), space


@dataclass(frozen=True, slots=True, eq=False)
class _DatabaseVectors:
    """A `NearbySearch` in the table of vectors."""

    transactions: TransactionManager
    model: ModelId
    people: int

    def __len__(self) -> int:
        return self.people

    def search(self, vector: FloatArray, most: int) -> Nearby:
        with self.transactions.reading() as transaction:
            if transaction is None or stored_as(transaction) is not CentroidStorage.DATABASE:
                return Nearby([], [], math.inf)  # turned off since
            group = bytes.fromhex(self.model.sha256)
            found = table_of(transaction).nearest(group, vector, most)
        if any(len(tag) != TAG_BYTES for tag, _ in found):
            raise vectors_damaged()
        cosines, tags = [cosine for _, cosine in found], [tag for tag, _ in found]
        return Nearby(cosines, tags, _error(len(vector)))


def _error(dims: int) -> float:
    """By how much the product of two unit rows in float16 can be off, added up in float32."""
    lost = HALF_ROUNDING + math.sqrt(dims) * HALF_LEAST
    return (2 + lost) * lost + dims * 2.0**-22
