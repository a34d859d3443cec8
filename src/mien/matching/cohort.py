"""Cohort score normalisation: correct a threshold for faces that resemble many strangers.

An embedder places some faces nearer to all others than most: blurred faces, and faces of a
kind that was rare in its training. A stranger reaches their templates more easily, so one
threshold is too low for them and too high for the rest. A cohort is a set of strangers who
are not enrolled, and the threshold is moved by how near the two faces are to it. The mean
of the nearest cohort members is that of adaptive s-norm (Matejka et al., "Analysis of score
normalization in multilingual speaker recognition", Interspeech 2017). Its division by their
standard deviation was measured to have no benefit here (docs/thresholds.md).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mien.records import dataclass, field
from mien.results import FloatArray

NEAREST = 100  # of 400; 10 to 200 do the same within the noise
MAX_BYTES = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """vectors: (m, d) float32 unit rows, plain embeddings. nearest: how many of them are averaged.

    typical: mean nearness of a photo, -1..1; a threshold is fitted for it. least: lower
    limit of the nearness, so that a probe unlike any face cannot lower a threshold further.
    """

    vectors: FloatArray = field(repr=False)
    nearest: int
    typical: float
    least: float

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or not 1 <= self.nearest < len(self.vectors):
            raise ValueError("a cohort must be (m, d) with more rows than are averaged")
        if not np.allclose(np.linalg.norm(self.vectors, axis=1), 1.0, atol=1e-4):
            raise ValueError("the rows of a cohort must have length one")
        if not -1.0 <= self.least <= self.typical <= 1.0:  # also refuses NaN
            raise ValueError("the nearness of a cohort must be a cosine")

    def nearness(self, vectors: FloatArray) -> FloatArray:
        """Mean cosine of unit rows (n, d) to the `nearest` most similar members: (n,) float32."""
        return _nearness(vectors @ self.vectors.T, self.nearest, self.least)

    def shifts(self, vectors: FloatArray) -> FloatArray:
        """What each face adds to the `shift` of a comparison: unit rows (n, d) -> (n,) float32."""
        halves: FloatArray = ((self.nearness(vectors) - self.typical) / 2).astype(np.float32)
        return halves

    @property
    def least_shift(self) -> float:
        """What a face adds to the `shift` at least, by `least`."""
        return (self.least - self.typical) / 2

    def shift(self, one: FloatArray, other: FloatArray) -> float:
        """How much higher than usual a stranger scores between these two unit vectors (d,)."""
        near = self.nearness(np.stack([one, other]))
        return float(near.astype(np.float64).mean()) - self.typical

    def closest(self, vector: FloatArray) -> tuple[float, float]:
        """Similarity and `shift` of a unit vector (d,) and the most similar member.

        The member itself is not counted among its neighbours.
        """
        row = int(np.argmax(self.vectors @ vector))
        stranger = self.vectors[row]
        rest = np.delete(self.vectors, row, axis=0)
        near = _nearness(np.stack([vector, stranger]) @ rest.T, self.nearest, self.least)
        shift = float(near.astype(np.float64).mean()) - self.typical
        return float(np.clip(stranger @ vector, -1.0, 1.0)), shift

    def to_files(self, array_file: str) -> tuple[bytes, dict[str, Any]]:
        """The bytes of an .npy file (m, d) float16, and its description in the JSON table."""
        stream = io.BytesIO()
        np.save(stream, self.vectors.astype(np.float16), allow_pickle=False)
        packed = stream.getvalue()
        table = {
            "file": array_file,
            "sha256": hashlib.sha256(packed).hexdigest(),
            "nearest": self.nearest,
            "typical": self.typical,
            "least": self.least,
        }
        return packed, table


def load_cohort(folder: Path, table: Mapping[str, Any]) -> Cohort:
    """Load what `to_files` made. ValueError if the file is not the one that the table names."""
    path = folder / Path(str(table["file"])).name
    try:
        with path.open("rb") as file:
            packed = file.read(MAX_BYTES)
    except OSError as error:
        raise ValueError(f"its cohort cannot be read: {error.strerror}") from error
    if hashlib.sha256(packed).hexdigest() != table["sha256"]:
        raise ValueError("its cohort was altered")
    stored = np.load(io.BytesIO(packed), allow_pickle=False).astype(np.float32)
    vectors = stored / np.linalg.norm(stored, axis=1, keepdims=True)
    return Cohort(vectors, int(table["nearest"]), float(table["typical"]), float(table["least"]))


def _nearness(similarities: FloatArray, nearest: int, least: float) -> FloatArray:
    """(n, m) -> (n,)"""
    highest = np.partition(similarities, -nearest, axis=1)[:, -nearest:]
    near: FloatArray = np.maximum(highest.mean(axis=1), np.float32(least))
    return near
