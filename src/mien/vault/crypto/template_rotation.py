"""Revocable templates: unit vectors turned by a secret rotation of the whole space.

Cosines stay exactly as they are, so templates are compared as they lie; under another
key they are of no use and cannot be linked. It is not encryption: who has as many pairs
of plain and turned vectors as there are dimensions knows the rotation.

The rotation is drawn evenly from all orthogonal matrices by Stewart's method ("The
efficient generation of random orthogonal matrices", SIAM J. Numer. Anal. 17, 1980):
Householder reflections of Gaussian vectors of falling dimension, and signs. The Gaussians
come from SHAKE-256 by Box and Muller, never from a library's generator: that may change
between versions, and every template would be lost.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from mien.results import FloatArray

MAX_DIMS = 4096


class Transform:
    """key: 32 secret bytes. dims: of the vectors, 2 to `MAX_DIMS`."""

    def __init__(self, key: bytes, dims: int) -> None:
        if len(key) != 32 or not 2 <= dims <= MAX_DIMS:
            raise ValueError(f"a transform has a key of 32 bytes and 2 to {MAX_DIMS} dimensions")
        gaussians = _gaussians(key, dims)
        self.dims = dims
        self._reflections: list[npt.NDArray[np.float64]] = []
        at = 0
        for size in range(dims, 1, -1):
            vector = gaussians[at : at + size].copy()
            at += size
            # towards the sign of its first number, where nothing cancels out
            vector[0] += np.copysign(np.linalg.norm(vector), vector[0])
            self._reflections.append(vector / np.linalg.norm(vector))
        self._signs = np.where(gaussians[at : at + dims] < 0, -1.0, 1.0)

    def protect(self, vectors: FloatArray) -> FloatArray:
        """Unit rows (n, d) float32 -> unit rows (n, d) float32, turned."""
        turned = self._checked(vectors) * self._signs
        for vector in reversed(self._reflections):
            _reflect(turned, vector)
        return turned.astype(np.float32)

    def reveal(self, vectors: FloatArray) -> FloatArray:
        """The way back, for a change of key and for an export."""
        plain = self._checked(vectors)
        for vector in self._reflections:
            _reflect(plain, vector)
        return (plain * self._signs).astype(np.float32)

    def matrix(self) -> npt.NDArray[np.float64]:
        """(d, d): a row vector times it is what `protect` gives."""
        turned = np.diag(self._signs)
        for vector in reversed(self._reflections):
            _reflect(turned, vector)
        return turned

    def _checked(self, vectors: FloatArray) -> npt.NDArray[np.float64]:
        if vectors.ndim != 2 or vectors.shape[1] != self.dims:
            raise ValueError(f"vectors must be (n, {self.dims}), got {vectors.shape}")
        return vectors.astype(np.float64)


def _reflect(rows: npt.NDArray[np.float64], vector: npt.NDArray[np.float64]) -> None:
    """Mirror the last len(vector) columns of the rows, in place."""
    part = rows[:, -len(vector) :]
    part -= np.outer(part @ vector, 2.0 * vector)


def _gaussians(key: bytes, dims: int) -> npt.NDArray[np.float64]:
    """dims * (dims + 1) / 2 - 1 numbers for the reflections, dims for the signs."""
    count = dims * (dims + 1) // 2 - 1 + dims
    count += count % 2
    name = b"mien transform 1" + dims.to_bytes(4, "big")
    stream = hashlib.shake_256(name + key).digest(8 * count)
    whole = np.frombuffer(stream, dtype="<u8") >> np.uint64(11)  # 53 bits
    uniform = (whole.astype(np.float64) + 0.5) * 2.0**-53  # never 0, never 1
    radius = np.sqrt(-2.0 * np.log(uniform[0::2]))
    angle = 2.0 * np.pi * uniform[1::2]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return pairs.reshape(-1)
