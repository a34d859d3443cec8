"""What came of one photo of many: its face and embedding, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mien.errors import Outcome
from mien.results import Face, FloatArray

SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPhoto:
    """What came of one photo.

    row: its place among the sources, from 0. name: its path, or "photo 3" for bytes, files and
    pixels. sha256: of the bytes that were decoded, 64 hexadecimal digits; empty for pixels, and
    where nothing could be read. face: in pixels of the photo. vector: (d,) float32, length one.
    Both are None where there is not one face. faults: what puts the photo outside the calibrated
    quality; empty for a good one. faces: how many of similar size were found. outcome: OK,
    NO_FACE, SEVERAL_FACES, UNREADABLE_IMAGE, or INTERNAL_ERROR for a photo that ended its worker
    or took too long. error: the reason in words; empty for OK.
    """

    row: int
    name: str
    sha256: str
    face: Face | None
    vector: FloatArray | None = field(repr=False)
    faults: tuple[str, ...]
    faces: int
    outcome: Outcome
    error: str = ""

    def __post_init__(self) -> None:
        if (self.vector is None) == (self.outcome is Outcome.OK):
            raise ValueError(f"outcome {self.outcome.value} with or without an embedding")
        if self.vector is not None:
            if self.vector.ndim != 1 or self.vector.dtype != np.float32:
                raise ValueError("a vector must be (d,) float32")
            if not abs(float(np.linalg.norm(self.vector)) - 1.0) < 1e-3:  # also refuses NaN
                raise ValueError("a vector must have length one")


def failed_photo(
    row: int, name: str, outcome: Outcome, error: str, *, sha256: str = "", faces: int = 0
) -> EmbeddedPhoto:
    """A photo without an embedding."""
    return EmbeddedPhoto(row, name, sha256, None, None, (), faces, outcome, error)


def photo_from_plain(row: int, name: str, plain: Any, *, dims: int) -> EmbeddedPhoto:
    """The record of what a worker answered, which is not trusted.

    plain: sha256, box, points, score, vector, faults, faces, outcome, error. dims: of the vector.
    Raises ValueError or TypeError for what is no such answer.
    """
    sha256, box, points, score, vector, faults, faces, outcome, error = plain
    if len(sha256) not in (0, SHA256_DIGITS) or not isinstance(error, str):
        raise ValueError("no hash, or no reason")
    bytes.fromhex(sha256)
    found, embedding = None, None
    if vector is not None:
        if vector.shape != (dims,):
            raise ValueError(f"a vector of {dims} numbers, got {vector.shape}")
        found = Face(box, points, float(score))
        embedding = vector
    words = tuple(str(word) for word in faults)
    return EmbeddedPhoto(
        row, name, sha256, found, embedding, words, int(faces), Outcome(outcome), error
    )
