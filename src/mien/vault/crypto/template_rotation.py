"""Revocable templates: rotate unit vectors by a secret orthogonal matrix.

Cosines do not change, so templates are compared in the rotated space; after a change of the
secret the old templates are useless and cannot be linked to the new ones. This is not
encryption: whoever has as many pairs of plain and rotated vectors as there are dimensions
can compute the rotation.

The matrix is drawn uniformly from all orthogonal matrices by Stewart's method ("The
efficient generation of random orthogonal matrices", SIAM J. Numer. Anal. 17, 1980):
Householder reflections of Gaussian vectors of falling dimension, and signs. The Gaussians
come from SHAKE-256 by the Box-Muller transform and not from a library's generator, which
may change between versions: every stored template would be lost.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from mien.results import FloatArray

MAX_DIMS = 4096
MAX_MATRIX_DIMS = 1024  # a matrix of 8 MB


class TemplateRotation:
    """key: 32 secret bytes. dims: of the vectors, 2 to `MAX_DIMS`."""

    def __init__(self, key: bytes, dims: int) -> None:
        if len(key) != 32 or not 2 <= dims <= MAX_DIMS:
            raise ValueError(f"a rotation has a key of 32 bytes and 2 to {MAX_DIMS} dimensions")
        gaussians = _gaussians(key, dims)
        self.dims = dims
        self._reflections: list[npt.NDArray[np.float64]] = []
        at = 0
        for size in range(dims, 1, -1):
            vector = gaussians[at : at + size].copy()
            at += size
            # with the sign of its first number, so that nothing cancels out
            vector[0] += np.copysign(np.linalg.norm(vector), vector[0])
            self._reflections.append(vector / np.linalg.norm(vector))
        self._signs = np.where(gaussians[at : at + dims] < 0, -1.0, 1.0)
        self._rows_so_far = 0
        self._matrix: npt.NDArray[np.float64] | None = None

    def protect(self, vectors: FloatArray) -> FloatArray:
        """Rotate unit rows (n, d) float32. ValueError for another d."""
        rows = self._checked(vectors)
        matrix = self._matrix_for(len(rows))
        return (self._rotated(rows) if matrix is None else rows @ matrix).astype(np.float32)

    def reveal(self, vectors: FloatArray) -> FloatArray:
        """Undo `protect`, for a new key and for an export. ValueError for another d."""
        plain = self._checked(vectors)
        matrix = self._matrix_for(len(plain))
        if matrix is not None:
            return (plain @ matrix.T).astype(np.float32)
        for vector in self._reflections:
            _reflect(plain, vector)
        return (plain * self._signs).astype(np.float32)

    def _matrix_for(self, rows: int) -> npt.NDArray[np.float64] | None:
        """The rotation as (d, d) once it pays: to make it costs as much as to rotate d rows."""
        if self._matrix is None and self.dims <= MAX_MATRIX_DIMS:
            self._rows_so_far += rows
            if self._rows_so_far >= self.dims // 2:
                self._matrix = self._rotated(np.eye(self.dims))
        return self._matrix

    def _rotated(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        rotated = rows * self._signs
        for vector in reversed(self._reflections):
            _reflect(rotated, vector)
        return rotated

    def _checked(self, vectors: FloatArray) -> npt.NDArray[np.float64]:
        if vectors.ndim != 2 or vectors.shape[1] != self.dims:
            raise ValueError(f"vectors must be (n, {self.dims}), got {vectors.shape}")
        return vectors.astype(np.float64)


def _reflect(rows: npt.NDArray[np.float64], vector: npt.NDArray[np.float64]) -> None:
    """Reflect the last len(vector) columns of the rows, in place."""
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
