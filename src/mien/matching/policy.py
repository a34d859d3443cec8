"""Decide on numbers alone, without pictures, vault or model files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np

from mien.errors import ModelMismatch, Outcome
from mien.matching.score import Score, reaches
from mien.records import dataclass
from mien.results import Decision, Face, FloatArray, Template, Threshold
from mien.vectors import centre_of

NEAR_DUPLICATE = 0.985  # cosine above which two photos are one photo, resaved or a frame apart

NOT_SIMILAR_ENOUGH = "not similar enough"

User = TypeVar("User", str, int)


class VectorSpace(Protocol):
    """The vector space of templates. Its maps keep every cosine. (n, d) unit rows, float32."""

    def protect(self, vectors: FloatArray) -> FloatArray:
        """Plain embeddings into this space."""
        ...

    def reveal(self, vectors: FloatArray) -> FloatArray:
        """The inverse of `protect`."""
        ...


class PlainVectorSpace:
    """The space of the embeddings themselves."""

    def protect(self, vectors: FloatArray) -> FloatArray:
        return vectors

    def reveal(self, vectors: FloatArray) -> FloatArray:
        return vectors


PLAIN_SPACE = PlainVectorSpace()


def decide(
    score: Score,
    *,
    threshold: Threshold,
    expected_model: str,
    face: Face | None = None,
    odds: str = "",
    faults: tuple[str, ...] = (),
) -> Decision:
    """Accept a finite score that reaches the threshold, which must be of the same model.

    threshold: without the shift of the score; the decision has the shifted one. odds, faults:
    stored in the decision. Raises ModelMismatch if the threshold was fitted for another model.
    """
    if threshold.model != expected_model:
        raise ModelMismatch(
            f"the threshold was fitted for {threshold.model}, the model in use is "
            f"{expected_model}; choose the threshold of that model"
        )
    moved = threshold.moved(score.shift)
    if not np.isfinite(score.cosine):
        reason = "the similarity is not a number"
        return Decision(float("nan"), moved, reason, Outcome.NOT_THE_OWNER, face, "", faults)
    if score.reaches(threshold):
        reason, outcome = "the same person", Outcome.UNLOCKED
    else:
        reason, outcome = NOT_SIMILAR_ENOUGH, Outcome.NOT_THE_OWNER
    return Decision(score.cosine, moved, reason, outcome, face, odds, faults)


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
    """Whether enrollment photos show one person.

    leave_one_out: per photo, the cosine to the centre of the others, -1..1; empty
    for a single photo. strangers: rows of photos that do not match the others.
    """

    leave_one_out: tuple[float, ...]
    strangers: tuple[int, ...]


def no_shifts(vectors: FloatArray) -> FloatArray:
    """The shifts of an embedder without a cohort: (n, d) -> (n,) zeros."""
    return np.zeros(len(vectors), np.float32)


def consistency(
    vectors: FloatArray,
    *,
    rest_threshold: Threshold,
    pair_threshold: Threshold,
    shifts: Callable[[FloatArray], FloatArray] = no_shifts,
) -> Consistency:
    """Check whether each photo would unlock a template of the others.

    vectors: (k, d) plain unit rows. A photo matches if it reaches rest_threshold against
    the centre of the others, and pair_threshold against at least half of them. shifts: of
    unit rows, `Cohort.shifts`.
    """
    k = len(vectors)
    if k < 2:
        return Consistency((), ())
    own = shifts(vectors)  # (k,)
    left_out = [_score_against_rest(vectors, row, shifts) for row in range(k)]
    # one wrong photo spoils the centres of the right ones: judge by the single photos too
    alike = reaches(pair_threshold, vectors @ vectors.T, own[:, np.newaxis] + own)
    np.fill_diagonal(alike, False)
    friends = alike.sum(axis=1)
    strangers = [
        row
        for row in range(k)
        if not left_out[row].reaches(rest_threshold) or friends[row] * 2 < k - 1
    ]
    return Consistency(tuple(score.cosine for score in left_out), tuple(strangers))


def _score_against_rest(
    vectors: FloatArray, row: int, shifts: Callable[[FloatArray], FloatArray]
) -> Score:
    """Score of one row against the centre of the others; cosine -1 if those cancel out."""
    try:
        centre = centre_of(np.delete(vectors, row, axis=0))
    except ValueError:
        return Score(-1.0)  # the others agree on nothing, so with this photo neither
    cosine = float(np.clip(np.dot(vectors[row], centre), -1.0, 1.0))
    return Score(cosine, float(shifts(np.stack([vectors[row], centre])).sum()))


def near_duplicates(vectors: FloatArray) -> list[tuple[int, int]]:
    """Pairs (row, earlier row) of photos so similar that the later one adds nothing."""
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
    users: Sequence[User], cosines: FloatArray, shifts: FloatArray, threshold: Threshold
) -> tuple[tuple[User, float], ...]:
    """The enrolled people with whom a template may be confused, the most similar first.

    users: (n,) names or numbers. cosines: (n,) of the two centres, which is about the score of one
    person against the template of the other. shifts: (n,) of those scores. NaN counts as similar.
    """
    rows = np.flatnonzero(reaches(threshold, cosines, shifts) | np.isnan(cosines - shifts)).tolist()
    alike = [(users[row], float(cosines[row])) for row in rows]
    return tuple(sorted(alike, key=lambda one: (-one[1], one[0])))
