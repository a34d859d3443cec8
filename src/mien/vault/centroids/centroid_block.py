"""Blocks of centroids as arrays: how they are packed and changed.

magic    8 bytes
n, d     4 bytes each
tags     n of 32 bytes, of the records
rows     n*d*4   float32, little-endian
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mien.records import dataclass, field
from mien.vault.integrity.bucket import TAG_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mien.results import FloatArray

_HEAD = struct.Struct("<8sII")
_MAGIC = b"mienGAL1"


@dataclass(frozen=True, slots=True, eq=False)
class CentroidBlock:
    """tags: n of 32 bytes in one, the records'. rows: (n, d) float32, unit, in the rotated space.

    An empty block may have any d.
    """

    tags: bytes = field(repr=False)
    rows: FloatArray = field(repr=False)

    @classmethod
    def of(cls, centroids: Mapping[bytes, FloatArray]) -> CentroidBlock:
        """By tag, in this order."""
        import numpy as np

        if not centroids:
            return cls(b"", np.zeros((0, 0), np.float32))
        return cls(b"".join(centroids), np.stack(list(centroids.values())))

    @classmethod
    def joined(cls, blocks: Iterable[CentroidBlock]) -> CentroidBlock:
        """The rows of all blocks, in their order."""
        import numpy as np

        filled = [block for block in blocks if len(block)]
        if not filled:
            return cls.of({})
        rows = np.concatenate([block.rows for block in filled])
        return cls(b"".join(block.tags for block in filled), rows)

    @classmethod
    def unpack(cls, packed: bytes) -> CentroidBlock:
        """Read what `pack` wrote, without copying it. ValueError for anything else."""
        import numpy as np

        if len(packed) < _HEAD.size:
            raise ValueError("it is cut off")
        magic, n, dims = _HEAD.unpack_from(packed)
        end_of_tags = _HEAD.size + n * TAG_BYTES
        if magic != _MAGIC or len(packed) != end_of_tags + n * dims * 4:
            raise ValueError("its sizes do not agree")
        rows: FloatArray = np.frombuffer(packed, "<f4", offset=end_of_tags)
        return cls(packed[_HEAD.size : end_of_tags], rows.reshape(n, dims))

    def pack(self) -> bytes:
        """As bytes, not sealed."""
        rows = self.rows.astype("<f4", copy=False)
        return _HEAD.pack(_MAGIC, *rows.shape) + self.tags + rows.tobytes()

    def __len__(self) -> int:
        return len(self.rows)

    def items(self) -> Iterator[tuple[bytes, FloatArray]]:
        """(tag, row) of each."""
        for number, row in enumerate(self.rows):
            yield self.tag_at(number), row

    def tag_at(self, number: int) -> bytes:
        """The tag of this row."""
        return self.tags[number * TAG_BYTES : (number + 1) * TAG_BYTES]

    def find(self, tag: bytes) -> int:
        """The number of the row of a tag; -1 if there is none."""
        at = self.tags.find(tag)
        while at % TAG_BYTES and at >= 0:  # the end of one tag and the start of the next
            at = self.tags.find(tag, at + 1)
        return at // TAG_BYTES

    def without(self, tag: bytes) -> CentroidBlock:
        """The same block without this tag."""
        import numpy as np

        number = self.find(tag)
        if number < 0:
            return self
        tags = self.tags[: number * TAG_BYTES] + self.tags[(number + 1) * TAG_BYTES :]
        return CentroidBlock(tags, np.delete(self.rows, number, axis=0))

    def with_leaves(self, leaves: Sequence[int], newer: CentroidBlock) -> CentroidBlock:
        """The same block with the rows of another one in the place of those of these leaves."""
        kept, order = places_with_leaves(self.tags, leaves, newer.tags)
        both = CentroidBlock.joined([self.at(kept), newer])
        return both.at(order)

    def at(self, numbers: NDArray[np.intp]) -> CentroidBlock:
        """The rows of these numbers, in this order."""
        return CentroidBlock(tags_at(self.tags, numbers), self.rows[numbers])

    def with_rows(self, rows: Mapping[bytes, FloatArray]) -> CentroidBlock:
        """The same block with these rows (d,) by tag, in the place of earlier ones."""
        import numpy as np

        rest = self
        for tag in rows:
            rest = rest.without(tag)
        added = np.stack(list(rows.values()))
        joined = np.concatenate([rest.rows, added]) if len(rest) else added
        return CentroidBlock(rest.tags + b"".join(rows), joined)


def places_with_leaves(
    tags: bytes, leaves: Sequence[int], newer: bytes
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """How a block gets newer rows of some leaves: the numbers of the rows that stay, and then the
    order, by leaf, of these followed by the newer ones."""
    import numpy as np

    kept = np.flatnonzero(~np.isin(_leaves_of(tags), leaves))
    both = _leaves_of(tags_at(tags, kept) + newer)
    return kept, np.argsort(both, kind="stable")


def tags_at(tags: bytes, numbers: NDArray[np.intp]) -> bytes:
    """The tags of these rows in one, in this order."""
    import numpy as np

    return np.frombuffer(tags, np.uint8).reshape(-1, TAG_BYTES)[numbers].tobytes()


def _leaves_of(tags: bytes) -> NDArray[np.intp]:
    """As `leaf_of` of each tag."""
    import numpy as np

    both = np.frombuffer(tags, np.uint8).reshape(-1, TAG_BYTES)[:, :2].astype(np.intp)
    leaves: NDArray[np.intp] = both[:, 0] << 4 | both[:, 1] >> 4
    return leaves
