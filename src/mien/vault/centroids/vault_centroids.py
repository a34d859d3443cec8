"""The exact centroids of a model, read from the vault when a search wants some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mien.records import dataclass
from mien.vault.backends.base import VaultTable
from mien.vault.bucket_cache import BucketCache
from mien.vault.centroids.centroid_block import CentroidBlock
from mien.vault.centroids.sealed_centroids import SealedBlock, sealed_block, section_of
from mien.vault.records.sealed_record import model_hash_of
from mien.vault.transaction import TransactionManager

if TYPE_CHECKING:
    from mien.results import ModelId

AT_ONCE = 200  # records that are read in one transaction


@dataclass(frozen=True, slots=True, eq=False)
class VaultCentroids:
    """The centroids in the vault, as `StoredCentroids`."""

    transactions: TransactionManager
    model: ModelId

    def under(self, tags: Sequence[bytes]) -> CentroidBlock:
        found = []
        for start in range(0, len(tags), AT_ONCE):
            some = tags[start : start + AT_ONCE]
            with self.transactions.reading() as transaction:
                if transaction is None:
                    continue
                cells = [(tag, transaction.manifest.get(VaultTable.RECORD, tag)) for tag in some]
                records = [
                    (tag, cell)
                    for tag, cell in cells
                    if cell is not None and model_hash_of(cell) == self.model.sha256
                ]
                sealed = SealedBlock(transaction.cipher, records=records)
            found.append(sealed.read())
        return CentroidBlock.joined(found)

    def selected(self, keep: Callable[[CentroidBlock], CentroidBlock]) -> CentroidBlock:
        blocks, _ = BucketCache[CentroidBlock]().read(
            self.transactions,
            self.model.sha256,
            lambda transaction, number, changed: _ToSelect(
                sealed_block(transaction, self.model, number), keep
            ),
            section_of,
        )
        return CentroidBlock.joined(blocks)


@dataclass(frozen=True, slots=True, eq=False)
class _ToSelect:
    sealed: SealedBlock
    keep: Callable[[CentroidBlock], CentroidBlock]

    @property
    def size(self) -> int:
        return self.sealed.size

    def opened(self, earlier: CentroidBlock | None) -> CentroidBlock:
        return self.keep(self.sealed.read())
