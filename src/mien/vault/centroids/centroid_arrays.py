"""All centroids of a model in memory as they are, compared by matrix products."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from mien.vault.centroids.centroid_block import CentroidBlock
from mien.vault.centroids.centroid_matches import CentroidMatches

if TYPE_CHECKING:
    from mien.results import FloatArray

AT_ONCE = 16  # vectors in one product: 6 MB of cosines with 100,000 people


class CentroidArrays:
    """A `CentroidSearch`: n unit rows (n, d) float32 in the rotated space, in blocks.

    The blocks are not joined, so that a change of one costs no copy of all.
    """

    def __init__(self, blocks: Sequence[CentroidBlock]) -> None:
        self._blocks = [block for block in blocks if block.tags]
        self._starts = list(accumulate(map(len, self._blocks), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[tuple[int, FloatArray]]:
        """(number of the first row, rows) of each block."""
        for start, block in zip(self._starts, self._blocks, strict=False):
            yield start, block.rows

    def tag_at(self, number: int) -> bytes:
        """The tag of the record of a row, 0 <= number < n."""
        block, row = self._place(number)
        return block.tag_at(row)

    def nearest(self, vector: FloatArray, most: int) -> CentroidMatches:
        import numpy as np

        cosines = self._cosines(vector[np.newaxis])[:, 0]
        least = -np.inf
        if most < len(cosines):
            least = np.partition(cosines, -most)[-most] - 2 * _error(vector)
        return self._compared(cosines, least, vector).nearest(most)

    def alike(
        self, vectors: FloatArray, lowest: Sequence[float], own: Sequence[bytes] = ()
    ) -> Iterator[CentroidMatches]:
        for start in range(0, len(vectors), AT_ONCE):
            some = vectors[start : start + AT_ONCE]
            cosines = self._cosines(some)
            for column, vector in enumerate(some):
                least = lowest[start + column]
                near = self._compared(cosines[:, column], least - _error(vector), vector)
                found = near.at_least(least)
                yield found.without(own[start + column]) if own else found

    def _cosines(self, vectors: FloatArray) -> FloatArray:
        """(n, k) float32: the cosines of the rows and unit rows (k, d)."""
        import numpy as np

        found = np.empty((len(self), len(vectors)), np.float32)
        columns = np.ascontiguousarray(vectors.T)
        for start, rows in self:
            np.matmul(rows, columns, out=found[start : start + len(rows)])
        return found

    def _compared(self, cosines: FloatArray, least: float, vector: FloatArray) -> CentroidMatches:
        """The rows whose cosine (n,) is not below, compared exactly."""
        import numpy as np

        numbers = np.flatnonzero(~(cosines < least)).tolist()
        places = [self._place(number) for number in numbers]
        tags = b"".join(block.tag_at(row) for block, row in places)
        rows = [block.rows[row] for block, row in places]
        found = np.stack(rows) if rows else np.zeros((0, len(vector)), np.float32)
        return CentroidMatches.of(CentroidBlock(tags, found), vector)

    def _place(self, number: int) -> tuple[CentroidBlock, int]:
        at = bisect_right(self._starts, number) - 1
        return self._blocks[at], number - self._starts[at]


def _error(vector: FloatArray) -> float:
    """By how much a matrix product in float32 can be off: each of d sums by 2^-24 of its size."""
    return float(len(vector)) * 2.0**-22
