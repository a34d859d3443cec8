"""The similarity of every pair of embeddings, and their principal components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mien.results import FloatArray

Vectors: TypeAlias = npt.NDArray[np.floating] | Sequence[npt.ArrayLike]
"""(n, d) numbers, or n vectors of length d; n may be 0."""

SIGN_TIE = 1e-6  # entries this close in size count as equal, so rounding cannot flip a sign


@dataclass(frozen=True, slots=True, eq=False)
class Pca:
    """Principal components of n vectors; all float32.

    coordinates: (n, k), each vector seen along the k components.
    explained: (k,), the share of the variance along each, 0..1, falling.
    components: (k, d), unit rows; rows past the rank are zero.
    mean: (d,), what was taken off before.
    """

    coordinates: FloatArray = field(repr=False)
    explained: FloatArray
    components: FloatArray = field(repr=False)
    mean: FloatArray = field(repr=False)


def similarity_matrix(vectors: Vectors) -> FloatArray:
    """Cosine of every pair: (n, n) float32 in -1..1, symmetric, ones on the diagonal.

    Rows are made unit length first. Raises ValueError for a row that is all
    zeros or not finite.
    """
    unit = _unit_rows(_as_rows(vectors))
    product = unit @ unit.T
    # BLAS may round (i, j) and (j, i) apart; callers look at either half
    matrix: FloatArray = np.clip((product + product.T) / 2, -1.0, 1.0).astype(np.float32)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def pca(vectors: Vectors, k: int = 2) -> Pca:
    """The k directions of most variance, by SVD of the centred rows.

    Sign rule: in each component the entry of largest size is positive (the
    first of them if several are equally large). With fewer than k directions
    of any variance the columns, ratios and components left over are zero.
    Raises ValueError for k < 1 or numbers that are not finite.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    rows = _as_rows(vectors)
    n, d = rows.shape
    mean = rows.mean(axis=0) if n else np.zeros(d)
    centred = rows - mean
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)  # lengths fall
    rank = _rank(lengths, rows)
    kept = min(k, rank)
    components = np.zeros((k, d))
    components[:kept] = _with_fixed_signs(directions[:kept])
    explained = np.zeros(k)
    if kept:
        explained[:kept] = lengths[:kept] ** 2 / np.sum(lengths[:rank] ** 2)
    return Pca(
        coordinates=(centred @ components.T).astype(np.float32),
        explained=explained.astype(np.float32),
        components=components.astype(np.float32),
        mean=mean.astype(np.float32),
    )


def _as_rows(vectors: Vectors) -> npt.NDArray[np.float64]:
    """Any accepted form as (n, d) float64, every number finite."""
    if isinstance(vectors, np.ndarray):
        rows = vectors.astype(np.float64)
    else:
        rows = np.asarray(vectors, np.float64) if len(vectors) else np.zeros((0, 0))
    if rows.ndim != 2:
        raise ValueError(f"vectors must be (n, d), got shape {rows.shape}")
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise ValueError(f"row {bad[0]} holds a number that is not finite")
    return rows


def _unit_rows(rows: npt.NDArray[np.float64]) -> FloatArray:
    # by the largest entry first: the square of 1e200 is past float64
    largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)  # (n, 1)
    zero = np.flatnonzero(largest == 0.0)
    if len(zero):
        raise ValueError(f"row {zero[0]} is all zeros and has no direction")
    scaled = rows / largest
    unit: FloatArray = (scaled / np.linalg.norm(scaled, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _rank(lengths: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> int:
    """How many singular values are more than rounding.

    The mean carries rounding of the size of the rows themselves, so equal rows
    leave a little behind; the bound is drawn from the rows, not the residue.
    """
    scale = np.abs(rows).max(initial=0.0) * np.sqrt(max(rows.size, 1))
    bound = scale * max(rows.shape) * np.finfo(np.float64).eps
    return int(np.sum(lengths > bound))


def _with_fixed_signs(directions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    sizes = np.abs(directions)
    if not sizes.size:
        return directions
    largest = sizes.max(axis=1, keepdims=True)
    first = np.argmax(sizes >= largest * (1 - SIGN_TIE), axis=1)
    signs = np.sign(directions[np.arange(len(directions)), first])
    fixed: npt.NDArray[np.float64] = directions * signs[:, np.newaxis]
    return fixed
