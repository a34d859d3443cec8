"""A cohort of the user's own people beside the shipped one: each face is judged by the stricter."""

from __future__ import annotations

import numpy as np

from mien.matching.cohort import Cohort
from mien.records import dataclass, field
from mien.results import FloatArray

NEAREST = 30  # of the shipped cohort and the own people together


@dataclass(frozen=True, slots=True, eq=False)
class JointCohort:
    """shipped: the cohort that comes with mien. joint: the same people and the user's own.

    The shift of a face is the larger one of both cohorts, so no choice of people makes a decision
    laxer than the shipped cohort makes it.
    """

    shipped: Cohort = field(repr=False)
    joint: Cohort = field(repr=False)

    @property
    def vectors(self) -> FloatArray:
        """The shipped strangers, (m, d): decoys are made of them, and of nobody of the user's."""
        return self.shipped.vectors

    def shifts(self, vectors: FloatArray) -> FloatArray:
        """What each face adds to the `shift` of a comparison: unit rows (n, d) -> (n,) float32."""
        return np.maximum(self.shipped.shifts(vectors), self.joint.shifts(vectors))

    @property
    def least_shift(self) -> float:
        """What a face adds to the `shift` at least."""
        return max(self.shipped.least_shift, self.joint.least_shift)

    def shift(self, one: FloatArray, other: FloatArray) -> float:
        """How much higher than usual a stranger scores between these two unit vectors (d,)."""
        near = np.stack([one, other])
        halves = [
            (cohort.nearness(near).astype(np.float64) - cohort.typical) / 2
            for cohort in (self.shipped, self.joint)
        ]
        return float(np.maximum(*halves).sum())

    def closest(self, vector: FloatArray) -> tuple[float, float]:
        """The shipped stranger most like a unit vector (d,): its similarity, and their `shift`."""
        similarity, _ = self.shipped.closest(vector)
        stranger = self.shipped.vectors[int(np.argmax(self.shipped.vectors @ vector))]
        return similarity, self.shift(vector, stranger)


def join_cohorts(shipped: Cohort, own: FloatArray) -> JointCohort:
    """own: (n, d) float32 unit rows, one of each person.

    The typical nearness is that of the shipped strangers among all others, so it does not hang on
    which people were added, except that more people can only be nearer.
    """
    vectors = np.concatenate([shipped.vectors, own]).astype(np.float32)
    similarities = shipped.vectors @ vectors.T
    rows = np.arange(len(shipped.vectors))
    similarities[rows, rows] = -np.inf  # a face is no neighbour of its own
    nearest = min(NEAREST, len(vectors) - 2)
    highest = np.partition(similarities, -nearest, axis=1)[:, -nearest:]
    typical = float(np.clip(highest.mean(), -1.0, 1.0))
    return JointCohort(shipped, Cohort(vectors, nearest, typical, -1.0))
