"""What came of one photo of many: its face and embedding, or the reason why there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mien.errors import Outcome
from mien.results import Face, FloatArray

SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_TEXT = 32_768  # letters: a path of 4,096 bytes that are escaped, and what is said of it


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
        if self.faces < 0 or (self.sha256 and not SHA256.fullmatch(self.sha256)):
            raise ValueError("a number of faces below 0, or no hash")
        if self.face is not None and not _is_sound(self.face):
            raise ValueError("a face needs a box with numbers in order, and a score of 0 to 1")
        if (self.vector is None) == (self.outcome is Outcome.OK):
            raise ValueError(f"outcome {self.outcome.value} with or without an embedding")
        if self.vector is not None:
            if self.vector.ndim != 1 or self.vector.dtype != np.float32:
                raise ValueError("a vector must be (d,) float32")
            if not abs(float(np.linalg.norm(self.vector)) - 1.0) < 1e-3:  # also refuses NaN
                raise ValueError("a vector must have length one")


def _is_sound(face: Face) -> bool:
    left, top, right, bottom = face.box_xyxy
    numbers = [*face.box_xyxy, *face.points_xy.flat]
    in_order = left < right and top < bottom
    return bool(np.isfinite(numbers).all() and in_order and 0 <= face.score <= 1)


def one_printed_line(text: str) -> str:
    """Words of a shard or a worker, which are not trusted, so that a terminal can show them."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:MAX_TEXT])


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
    if not isinstance(error, str):
        raise TypeError("no reason")
    found, embedding = None, None
    if vector is not None:
        if vector.shape != (dims,):
            raise ValueError(f"a vector of {dims} numbers, got {vector.shape}")
        found = Face(box, points, float(score))
        embedding = vector
    words = tuple(one_printed_line(str(word)) for word in faults)
    why = one_printed_line(error)
    return EmbeddedPhoto(
        row, name, sha256, found, embedding, words, int(faces), Outcome(outcome), why
    )
