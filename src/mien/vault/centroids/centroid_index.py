"""Centroids in one byte a number: a quarter of the memory, searched by faiss.

A number x of a row is kept as the nearest of 255 steps of 6 / sqrt(d) / 127: the rotation makes the
numbers of a unit row about normal, with a deviation of 1 / sqrt(d), so that six of them leave next
to none outside. What a row lost is measured when it is kept. The vector that is searched is turned
into bytes too, in steps of its greatest number / 127, and the products are whole numbers.

By Cauchy and Schwarz the cosine of a row x with a vector v, kept as x' and v', is off by no more
than |v| |x - x'| + |x'| |v - v'|, which is known: so the rows that can be among the nearest are
known too, and only these are compared exactly.
"""

from __future__ import annotations

import importlib.util
import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from mien.records import dataclass, field
from mien.vault.centroids.centroid_block import CentroidBlock, places_with_leaves, tags_at
from mien.vault.integrity.bucket import TAG_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mien.results import FloatArray

STEPS, DEVIATIONS = 127, 6.0
BLOCKS_TOGETHER = 16  # of 256; a change copies 16 blocks, and a search asks 16 groups
CODE_OF_ZERO = 128  # how faiss keeps a signed byte


@cache
def is_available() -> bool:
    """Whether faiss is installed; it is not imported."""
    return importlib.util.find_spec("faiss") is not None


@dataclass(slots=True, eq=False)
class QuantizedBlock:
    """tags: as of a `CentroidBlock`. codes: (n, d) uint8, the rows as faiss keeps them; always the
    same bytes. lost: (n,) the length of what each row lost. most_lost: the greatest of them."""

    tags: bytes = field(repr=False)
    codes: NDArray[np.uint8] = field(repr=False)
    lost: NDArray[np.float64] = field(repr=False)
    most_lost: float = 0.0

    @classmethod
    def of(cls, block: CentroidBlock) -> QuantizedBlock:
        """Quantize the rows of a block, which are not kept."""
        import numpy as np

        if not len(block):
            return cls(b"", np.zeros((0, 0), np.uint8), np.zeros(0))
        step = _step(block.rows.shape[1])
        steps = np.clip(np.rint(block.rows / step), -STEPS, STEPS).astype(np.float32)
        lost = np.linalg.norm(block.rows.astype(np.float64) - steps * step, axis=1)
        return cls(block.tags, (steps + CODE_OF_ZERO).astype(np.uint8), lost, float(lost.max()))

    def with_leaves(self, leaves: Sequence[int], newer: QuantizedBlock) -> QuantizedBlock:
        """The same block with the rows of another one in the place of those of these leaves."""
        import numpy as np

        kept, order = places_with_leaves(self.tags, leaves, newer.tags)
        if not len(order):
            return QuantizedBlock.of(CentroidBlock.of({}))
        codes = [part for part in (self.codes[kept], newer.codes) if len(part)]
        lost = np.concatenate([self.lost[kept], newer.lost])[order]
        tags = tags_at(tags_at(self.tags, kept) + newer.tags, order)
        return QuantizedBlock(tags, np.concatenate(codes)[order], lost, float(lost.max()))

    def __len__(self) -> int:
        return len(self.tags) // TAG_BYTES


class _CodesOf:
    """The codes of an index as a numpy array, which keeps the index alive."""

    def __init__(self, index: Any) -> None:
        self._index = index
        address = _faiss().rev_swig_ptr(index.codes.data(), index.codes.size()).ctypes.data
        self.__array_interface__ = {
            "version": 3,
            "shape": (index.ntotal, index.d),
            "typestr": "|u1",
            "data": (address, False),
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Some blocks, and one index of faiss that has a copy of their codes."""

    blocks: Sequence[QuantizedBlock] = field(repr=False)
    index: Any = field(repr=False)

    @classmethod
    def of(cls, blocks: Sequence[QuantizedBlock]) -> _Group:
        """From then on the blocks share the codes of the index, so that they are kept once."""
        import numpy as np

        faiss, dims = _faiss(), blocks[0].codes.shape[1]
        index = faiss.IndexScalarQuantizer(
            dims, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
        )
        index.is_trained = True  # there is nothing to learn: a code is a number and 128
        index.ntotal = sum(map(len, blocks))
        index.codes.resize(index.ntotal * dims)
        stored, start = np.asarray(_CodesOf(index)), 0
        np.concatenate([block.codes for block in blocks], out=stored)
        stored.flags.writeable = False
        for block in blocks:
            block.codes = stored[start : start + len(block)]
            start += len(block)
        return cls(blocks, index)


@dataclass(frozen=True, slots=True)
class Nearby:
    """cosines: about those of some rows, the highest first. tags: of their records. error: by how
    much a cosine, also of a row that is not among these, can be off."""

    cosines: list[float]
    tags: list[bytes]
    error: float


class CentroidIndex:
    """All quantized centroids of one model in one state of the vault. It does not change.

    earlier: of a state before; what it shares with this one is used again.
    """

    def __init__(
        self, blocks: Sequence[QuantizedBlock], earlier: CentroidIndex | None = None
    ) -> None:
        known = {} if earlier is None else earlier._groups
        filled = [block for block in blocks if block.tags]
        self._groups: dict[tuple[int, ...], _Group] = {}
        for number in range(0, len(filled), BLOCKS_TOGETHER):
            some = filled[number : number + BLOCKS_TOGETHER]
            key = tuple(map(id, some))  # the group keeps the blocks, so no id is another block's
            self._groups[key] = known.get(key) or _Group.of(some)
        self._index = _joined([group.index for group in self._groups.values()]) if filled else None
        self._blocks = filled
        self._starts = list(accumulate(map(len, filled), initial=0))
        self._dims = filled[0].codes.shape[1] if filled else 0
        self._lost = max([block.most_lost for block in filled], default=0.0)

    def __len__(self) -> int:
        return self._starts[-1]

    def search(self, vector: FloatArray, most: int) -> Nearby:
        """The nearest rows of a vector (d,), about."""
        import numpy as np

        if self._index is None:
            return Nearby([], [], 0.0)
        length = float(np.linalg.norm(vector))
        query_step = float(np.abs(vector).max()) / STEPS or 1.0
        query = np.rint(vector.astype(np.float64) / query_step)
        scale = query_step * _step(self._dims)
        products, numbers = self._index.search(
            query[np.newaxis].astype(np.float32), min(most, len(self))
        )
        query_lost = float(np.linalg.norm(vector - query * query_step))
        error = length * self._lost + (1 + self._lost) * query_lost
        # and sums of d products in float32 are off by 2^-24 of their size each
        error += self._dims * 2.0**-22 * length
        tags = [self._tag_at(number) for number in numbers[0].tolist()]
        return Nearby((products[0] * scale).tolist(), tags, error)

    def _tag_at(self, number: int) -> bytes:
        """The tag of the record of a row, 0 <= number < n."""
        at = bisect_right(self._starts, number) - 1
        start = (number - self._starts[at]) * TAG_BYTES
        return self._blocks[at].tags[start : start + TAG_BYTES]


def _step(dims: int) -> float:
    return DEVIATIONS / math.sqrt(dims) / STEPS


def _joined(indexes: Sequence[Any]) -> Any:
    """One index over several, whose rows are numbered in their order."""
    joined = _faiss().IndexShards(indexes[0].d, False, True)  # no threads; numbered on
    for one in indexes:
        joined.add_shard(one)
    return joined


def _faiss() -> Any:
    import faiss

    faiss.omp_set_num_threads(1)  # the processes and threads of the service use the cores
    return faiss
