"""From numbers to an answer. Knows no picture, no store and no model file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mien.errors import ModelMismatch, Outcome
from mien.results import Decision, Face, FloatArray, Template, Threshold
from mien.vectors import centre_of

NEAR_DUPLICATE = 0.985  # cosine above which two photos are one photo, resaved or a frame apart


class VectorSpace(Protocol):
    """The space that templates lie in. Its maps keep every cosine. (n, d) unit rows, float32."""

    def protect(self, vectors: FloatArray) -> FloatArray:
        """Plain embeddings into this space."""
        ...

    def reveal(self, vectors: FloatArray) -> FloatArray:
        """The way back."""
        ...


class PlainVectorSpace:
    """The space of the embeddings themselves."""

    def protect(self, vectors: FloatArray) -> FloatArray:
        return vectors

    def reveal(self, vectors: FloatArray) -> FloatArray:
        return vectors


PLAIN_SPACE = PlainVectorSpace()


def decide(
    similarity: float,
    *,
    threshold: Threshold,
    expected_model: str,
    face: Face | None = None,
    odds: str = "",
) -> Decision:
    """Yes only for a finite similarity that reaches the threshold of the very model in use.

    odds: goes into the decision as it is. Raises ModelMismatch when the threshold was
    fitted for another model.
    """
    if threshold.model != expected_model:
        raise ModelMismatch(
            f"the threshold was fitted for {threshold.model}, the model in use is "
            f"{expected_model}; choose the threshold of that model"
        )
    if not np.isfinite(similarity):
        return Decision(
            float("nan"), threshold, "the similarity is not a number", Outcome.NOT_THE_OWNER, face
        )
    if similarity >= threshold.value:
        return Decision(similarity, threshold, "the same person", Outcome.UNLOCKED, face, odds)
    reason = "not similar enough"
    return Decision(similarity, threshold, reason, Outcome.NOT_THE_OWNER, face, odds)


def similarity_to(template: Template, probe: FloatArray) -> float:
    """Cosine between a unit probe (d,) and the template's centre, -1..1.

    Raises ModelMismatch when the probe has another length than the template.
    """
    centre = centre_of(template.vectors)
    if probe.shape != centre.shape:
        raise ModelMismatch(
            f"the template has {centre.shape[0]} numbers, the probe {probe.shape[0]}; "
            "enroll again with the model in use"
        )
    return float(np.clip(np.dot(centre, probe), -1.0, 1.0))


@dataclass(frozen=True, slots=True)
class Consistency:
    """How well the enrollment photos agree.

    leave_one_out: per photo, the cosine to the centre of the others, -1..1; empty
    for a single photo. strangers: rows that do not reach the threshold that way.
    """

    leave_one_out: tuple[float, ...]
    strangers: tuple[int, ...]


def consistency(vectors: FloatArray, threshold: Threshold) -> Consistency:
    """Would each photo unlock the door that the others make? vectors: (k, d) unit rows."""
    k = len(vectors)
    if k < 2:
        return Consistency((), ())
    left_out = [_likeness_to_rest(vectors, row) for row in range(k)]
    # one wrong photo spoils the centres of the right ones: judge by the nearest other photo too
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1.0)
    friends = (alike >= threshold.value).sum(axis=1)
    strangers = [
        row for row in range(k) if left_out[row] < threshold.value or friends[row] * 2 < k - 1
    ]
    return Consistency(tuple(left_out), tuple(strangers))


def _likeness_to_rest(vectors: FloatArray, row: int) -> float:
    """Cosine of one row to the centre of the others, -1..1; -1 where those cancel out."""
    try:
        centre = centre_of(np.delete(vectors, row, axis=0))
    except ValueError:
        return -1.0  # the others agree on nothing, so with this photo neither
    return float(np.clip(np.dot(vectors[row], centre), -1.0, 1.0))


def near_duplicates(vectors: FloatArray) -> list[tuple[int, int]]:
    """Pairs (row, earlier row) of photos so alike that the later one adds nothing."""
    pairs: list[tuple[int, int]] = []
    kept: list[int] = []
    for row in range(len(vectors)):
        twin = next((k for k in kept if np.dot(vectors[row], vectors[k]) > NEAR_DUPLICATE), None)
        if twin is None:
            kept.append(row)
        else:
            pairs.append((row, twin))
    return pairs


def look_alikes(
    users: Sequence[str], cosines: FloatArray, shifts: FloatArray, threshold: Threshold
) -> tuple[tuple[str, float], ...]:
    """Who among the enrolled a template resembles enough to be taken for: most alike first.

    cosines: (n,) of the two centres, which is what each would score, about, at the other's
    door. shifts: (n,), how far the threshold is moved for the two. A cosine that is not
    finite counts as alike.
    """
    needed = np.minimum(1.0, threshold.value + shifts)
    rows = np.flatnonzero(~(cosines < needed)).tolist()
    alike = [(users[row], float(cosines[row])) for row in rows]
    return tuple(sorted(alike, key=lambda one: (-one[1], one[0])))
