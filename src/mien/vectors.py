"""Plain operations on embeddings: scale rows to length one, and average them."""

from __future__ import annotations

import numpy as np

from mien.errors import ModelUnavailable
from mien.results import FloatArray


def unit_rows(vectors: FloatArray) -> FloatArray:
    """Scale each row of (n, d) float32 to length one.

    Raises ModelUnavailable if a row is all zeros or not finite, because such a row has no
    similarity to anything.
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)  # (n, 1)
    if not np.all(np.isfinite(norms)) or not np.all(norms > 0):
        raise ModelUnavailable(
            "the embedder gave zeros or numbers that are not finite; run: mien doctor"
        )
    units: FloatArray = (vectors / norms).astype(np.float32)
    return units


def centre_of(vectors: FloatArray) -> FloatArray:
    """Mean direction of unit rows (k, d), of length one: (d,).

    ValueError if the rows cancel out, as those of one person never do.
    """
    mean = vectors.astype(np.float64).mean(axis=0)
    length = float(np.linalg.norm(mean))
    if not length > 1e-6:  # also refuses NaN
        raise ValueError("the embeddings cancel out and have no mean direction")
    centre: FloatArray = (mean / length).astype(np.float32)
    return centre
