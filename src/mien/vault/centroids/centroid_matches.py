"""Centroids that are compared with a vector exactly, so that every way to search finds the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from mien.records import dataclass, field
from mien.vault.centroids.centroid_block import CentroidBlock

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mien.results import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class CentroidMatches:
    """tags: m records. rows: their centroids (m, d) float32. cosines: (m,) float64, -1..1."""

    tags: list[bytes] = field(repr=False)
    rows: FloatArray = field(repr=False)
    cosines: npt.NDArray[np.float64] = field(repr=False)

    @classmethod
    def of(cls, block: CentroidBlock, vector: FloatArray) -> CentroidMatches:
        """Compare all rows with a vector (d,). Sorted by tag: the blocks may be in any order.

        The products of a row are added up in float64 and in the same order whatever other rows
        there are, as a matrix product does not.
        """
        import numpy as np

        if not len(block):
            return cls([], block.rows, np.zeros(0))
        numbers = sorted(range(len(block)), key=block.tag_at)
        rows = block.rows[numbers]
        products = rows.astype(np.float64) * vector.astype(np.float64)
        return cls([block.tag_at(number) for number in numbers], rows, products.sum(axis=1))

    def __len__(self) -> int:
        return len(self.tags)

    def nearest(self, most: int) -> CentroidMatches:
        """So many with the highest cosines, the highest first, the first of equal ones first."""
        import numpy as np

        return self._at(np.argsort(-self.cosines, kind="stable")[:most])  # NaN last

    def at_least(self, lowest: float) -> CentroidMatches:
        """Those whose cosine is not below, in their order; NaN is not below."""
        import numpy as np

        return self._at(np.flatnonzero(~(self.cosines < lowest)))

    def without(self, tag: bytes) -> CentroidMatches:
        """The others, in their order."""
        import numpy as np

        if tag not in self.tags:
            return self
        return self._at(np.flatnonzero([one != tag for one in self.tags]))

    def to_block(self) -> CentroidBlock:
        """The centroids alone."""
        return CentroidBlock(b"".join(self.tags), self.rows)

    def _at(self, numbers: npt.NDArray[np.intp]) -> CentroidMatches:
        return CentroidMatches(
            [self.tags[number] for number in numbers.tolist()],
            self.rows[numbers],
            self.cosines[numbers],
        )


class CentroidSearch(Protocol):
    """The centroids of one model, in one state of the vault."""

    def __len__(self) -> int: ...

    def nearest(self, vector: FloatArray, most: int) -> CentroidMatches:
        """Of a unit row (d,) of the rotated space: the highest cosine first."""
        ...

    def alike(
        self, vectors: FloatArray, lowest: Sequence[float], own: Sequence[bytes] = ()
    ) -> Iterator[CentroidMatches]:
        """Of each unit row of (k, d), those whose cosine is not below its lowest one.

        own: of each row, the tag of a record that is left out; no tags leave out nobody.
        """
        ...
