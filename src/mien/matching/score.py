"""A score, and the one place where scores are compared with a threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.records import dataclass
from mien.results import FloatArray, Threshold


@dataclass(frozen=True, slots=True)
class Score:
    """The similarity of two faces, and its correction for how similar they are to strangers.

    cosine: similarity of the two embeddings, -1..1. shift: how much higher than usual a
    stranger scores with these two faces, from cohort score normalisation; 0 without a cohort.
    """

    cosine: float
    shift: float = 0.0

    @property
    def normalised(self) -> float:
        """The cosine less the shift, at which the odds of a stranger are read."""
        return self.cosine - self.shift

    def reaches(self, threshold: Threshold) -> bool:
        """Whether the score is accepted. False if a number is not finite."""
        return bool(reaches(threshold, self.cosine, self.shift))


def reaches(
    threshold: Threshold, cosines: FloatArray | float, shifts: FloatArray | float
) -> npt.NDArray[np.bool_]:
    """Which scores are accepted: cosines and shifts of one shape -> bool. False for NaN."""
    needed = np.minimum(1.0, threshold.value + shifts)  # as `Threshold.moved` has it
    accepted: npt.NDArray[np.bool_] = np.asarray(cosines >= needed)
    return accepted
