"""The nearest centroids by an index that is a little off: found by it, and compared exactly.

Whoever is not among the candidates has at most the cosine of the last one and the index's error.
More candidates are taken until that is below what is asked for, and beyond `CANDIDATES` of them (so
many people who look alike) all centroids are read once from the vault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from mien.records import dataclass
from mien.vault.centroids.centroid_block import CentroidBlock
from mien.vault.centroids.centroid_index import Nearby
from mien.vault.centroids.centroid_matches import CentroidMatches

if TYPE_CHECKING:
    from mien.results import FloatArray

FIRST, CANDIDATES = 8, (32, 256, 1024)


class NearbySearch(Protocol):
    """An index of the centroids of n people."""

    def __len__(self) -> int: ...

    def search(self, vector: FloatArray, most: int) -> Nearby:
        """The nearest rows of a vector (d,), about; fewer than `most` and n if it misses some."""
        ...


class StoredCentroids(Protocol):
    """Where the exact centroids are read from."""

    def under(self, tags: Sequence[bytes]) -> CentroidBlock:
        """Those under these tags, in their order, without those that were removed since."""
        ...

    def selected(self, keep: Callable[[CentroidBlock], CentroidBlock]) -> CentroidBlock:
        """Of each block in order what `keep` returns."""
        ...


class IndexedCentroids:
    """A `CentroidSearch` that keeps no exact centroid in memory."""

    def __init__(self, index: NearbySearch, stored: StoredCentroids) -> None:
        self._index, self._stored = index, stored

    def __len__(self) -> int:
        return len(self._index)

    def nearest(self, vector: FloatArray, most: int) -> CentroidMatches:
        return self._find(vector, _Nearest(most))

    def alike(
        self, vectors: FloatArray, lowest: Sequence[float], own: Sequence[bytes] = ()
    ) -> Iterator[CentroidMatches]:
        for vector, low, tag in zip(vectors, lowest, own or [b""] * len(lowest), strict=True):
            yield self._find(vector, _AtLeast(low, tag))

    def _find(self, vector: FloatArray, wanted: _Wanted) -> CentroidMatches:
        lowest = wanted.lowest(None)
        rows: dict[bytes, FloatArray] = {}
        for most in wanted.candidates:
            some = self._index.search(vector, most)
            if len(some.tags) < min(most, len(self)):
                break  # fewer than there are: somebody may be missing
            for count in (FIRST, most):  # a few tell which of the others can matter
                pairs = zip(some.cosines[:count], some.tags[:count], strict=True)
                near = [tag for cosine, tag in pairs if not cosine + some.error < lowest]
                tags = [tag for tag in near if tag != wanted.besides]
                rows.update(self._stored.under([tag for tag in tags if tag not in rows]).items())
                block = CentroidBlock.of({tag: rows[tag] for tag in tags if tag in rows})
                found = wanted.select(CentroidMatches.of(block, vector))
                lowest = wanted.lowest(found)
            if most >= len(self) or some.cosines[-1] + some.error < lowest:
                return found
        every = self._stored.selected(
            lambda block: wanted.select(CentroidMatches.of(block, vector)).to_block()
        )
        return wanted.select(CentroidMatches.of(every, vector))


class _Wanted(Protocol):
    @property
    def besides(self) -> bytes:
        """The tag of a record that is not wanted; empty for none."""
        ...

    @property
    def candidates(self) -> Sequence[int]:
        """How many of the nearest rows to look at, until these are enough."""
        ...

    def select(self, compared: CentroidMatches) -> CentroidMatches:
        """Those that are wanted of these."""
        ...

    def lowest(self, found: CentroidMatches | None) -> float:
        """A cosine below which nobody is wanted, by those that were found so far."""
        ...


@dataclass(frozen=True, slots=True)
class _Nearest:
    most: int
    besides: bytes = b""
    candidates: Sequence[int] = CANDIDATES

    def select(self, compared: CentroidMatches) -> CentroidMatches:
        return compared.nearest(self.most)

    def lowest(self, found: CentroidMatches | None) -> float:
        if found is None or len(found) < self.most:
            return -math.inf
        return float(found.cosines[-1])


@dataclass(frozen=True, slots=True)
class _AtLeast:
    cosine: float
    besides: bytes
    candidates: Sequence[int] = (FIRST, *CANDIDATES)  # most people resemble nobody

    def select(self, compared: CentroidMatches) -> CentroidMatches:
        return compared.at_least(self.cosine).without(self.besides)

    def lowest(self, found: CentroidMatches | None) -> float:
        return self.cosine
