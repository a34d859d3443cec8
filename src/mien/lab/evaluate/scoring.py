"""Compare photos: the pairs of a protocol, or every photo with every other, in blocks.

All pairs of tens of thousands of photos are hundreds of millions: genuine scores are
kept, impostor scores are tallied, and the highest of them kept with their photos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mien.errors import UsageError
from mien.metrics import ImpostorTally, Scores
from mien.metrics.scores import CountArray
from mien.results import FloatArray

Rows: TypeAlias = npt.NDArray[np.intp]
BLOCK_ROWS, BLOCK_COLUMNS = 1024, 4096  # 16 MB of float32 a block, and its masks
PAIRS_AT_ONCE = 1 << 16
MAX_GENUINE = 20_000_000  # 12 bytes each
SHIFTED_RANGE = 2.0  # a cosine less a mean of cosines


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Photos `rows` against photos `columns`. scores, counts: (r, c), float32 and bool.

    counts: which comparisons are to be counted: each two photos once, over all blocks.
    """

    rows: Rows
    columns: Rows
    scores: FloatArray = field(repr=False)
    counts: npt.NDArray[np.bool_] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class ComparedPairs:
    """Scores and which two photos they are of: (m,) float32 and two (m,) row numbers."""

    scores: FloatArray = field(repr=False)
    a: Rows = field(repr=False)
    b: Rows = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class AllPairs:
    """Every two photos compared. highest: the strangers most alike, highest score first."""

    genuine: ComparedPairs
    impostor: Scores
    highest: ComparedPairs


def pair_scores(
    vectors: FloatArray, a: Rows, b: Rows, *, shifts: FloatArray | None = None
) -> FloatArray:
    """Scores of the photos a with the photos b, both (m,): (m,) float32.

    shifts: (n,) float32, what is taken from every score of a photo; None takes nothing.
    """
    scores = np.zeros(len(a), np.float32)
    for start in range(0, len(a), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        scores[part] = np.einsum("md,md->m", vectors[a[part]], vectors[b[part]])
    return scores if shifts is None else scores - shifts[a] - shifts[b]


def score_blocks(vectors: FloatArray, *, shifts: FloatArray | None = None) -> Iterator[Block]:
    """Every two of (n, d) unit vectors, as products of blocks on and above the diagonal.

    shifts: as for `pair_scores`.
    """
    n = len(vectors)
    for top in range(0, n, BLOCK_ROWS):
        rows = np.arange(top, min(top + BLOCK_ROWS, n))
        for left in range(top, n, BLOCK_COLUMNS):
            columns = np.arange(left, min(left + BLOCK_COLUMNS, n))
            scores = vectors[rows] @ vectors[columns].T
            if shifts is not None:
                scores -= shifts[rows][:, np.newaxis] + shifts[columns][np.newaxis]
            yield Block(rows, columns, scores, columns[np.newaxis] > rows[:, np.newaxis])


def compare_all(
    vectors: FloatArray,
    person: CountArray,
    *,
    keep: int,
    shifts: FloatArray | None = None,
    progress: Callable[[Iterable[Block]], Iterable[Block]] = lambda blocks: blocks,
) -> AllPairs:
    """Compare every two of n photos.

    vectors: (n, d) unit rows. person: (n,) who is on each. keep: how many of the highest
    impostor scores to keep. shifts: as for `pair_scores`.
    UsageError for more genuine pairs than memory should hold.
    """
    per_person = np.bincount(person) if len(person) else np.zeros(0, np.int64)
    n_genuine = int((per_person * (per_person - 1) // 2).sum())
    if n_genuine > MAX_GENUINE:
        raise UsageError(
            f"{n_genuine:,} genuine pairs are more than {MAX_GENUINE:,}; "
            "give fewer photos per person"
        )
    wide = SHIFTED_RANGE
    tally = ImpostorTally() if shifts is None else ImpostorTally(low=-wide, high=wide)
    highest, genuine = _Highest(keep), []
    for block in progress(score_blocks(vectors, shifts=shifts)):
        same = person[block.rows][:, np.newaxis] == person[block.columns][np.newaxis]
        at = np.nonzero(same & block.counts)
        genuine.append((block.scores[at], block.rows[at[0]], block.columns[at[1]]))
        strangers = block.counts & ~same
        tally.add(block.scores[strangers])
        highest.add(block, strangers)
    return AllPairs(_joined(genuine), tally.scores(), highest.compared())


class _Highest:
    """The highest scores seen so far, and the photos they are of."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._kept = _joined([])

    def add(self, block: Block, strangers: npt.NDArray[np.bool_]) -> None:
        full = len(self._kept.scores) >= self._keep
        floor = self._kept.scores[-1] if full else np.float32(-np.inf)
        at = np.nonzero(strangers & (block.scores > floor))
        scores = block.scores[at]
        new = (scores, block.rows[at[0]], block.columns[at[1]])
        old = (self._kept.scores, self._kept.a, self._kept.b)
        joined = _joined([old, new])
        order = np.argsort(-joined.scores, kind="stable")[: self._keep]
        self._kept = ComparedPairs(joined.scores[order], joined.a[order], joined.b[order])

    def compared(self) -> ComparedPairs:
        return self._kept


def _joined(parts: list[tuple[FloatArray, Rows, Rows]]) -> ComparedPairs:
    none = np.zeros(0, np.intp)
    columns = zip(*[(np.zeros(0, np.float32), none, none), *parts], strict=True)
    scores, a, b = (np.concatenate(column) for column in columns)
    return ComparedPairs(scores, a, b)
