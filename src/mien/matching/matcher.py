"""Score the vectors of one embedder, with its thresholds and its calibration."""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import NotEnoughEvidence
from mien.matching.policy import (
    PLAIN_SPACE,
    Consistency,
    VectorSpace,
    consistency,
    similarity_to,
)
from mien.matching.score import Score
from mien.models import EmbedderRow
from mien.results import FloatArray, ModelId, Template, Threshold
from mien.settings import SHIPPED_CALIBRATION
from mien.vectors import centre_of

if TYPE_CHECKING:
    from mien.matching.calibration import Calibration
    from mien.matching.cohort import Cohort
    from mien.matching.joint_cohort import JointCohort
    from mien.matching.local_calibration import LocalCalibration

DECOY_PHOTOS = 3  # as many as people are advised to enroll
SHIPPED_PEOPLE = "measured on adults, not on children"


class Matcher:
    """Thresholds, scores and odds for the vectors of one embedder.

    row: the embedder. calibration: the name of one of the user's own, in data_dir. It is loaded
    when it is first needed: ModelAltered if it was changed, UsageError if there is none. An
    embedder without a calibration has its own threshold and no cohort.
    """

    def __init__(
        self,
        row: EmbedderRow,
        *,
        calibration: str = SHIPPED_CALIBRATION,
        data_dir: Path | None = None,
    ) -> None:
        self._row = row
        self._name = calibration
        self._data_dir = data_dir

    @property
    def model(self) -> ModelId:
        """The embedder whose vectors are compared."""
        return self._row.id

    @property
    def is_calibrated(self) -> bool:
        """Whether thresholds are fitted to measured rates, and not the embedder's own."""
        return self._calibration is not None

    def threshold_for(self, *, photos: int, target_fmr: float | None = None) -> Threshold:
        """The threshold for a template of so many photos.

        target_fmr: share of strangers that may pass, 0..1; None is `TARGET_FMR`.
        Without a calibration it is the embedder's own. Raises NotEnoughEvidence for a
        target that the evidence does not reach, or when there is none.
        """
        if self._calibration is None:
            if target_fmr is None:
                return self._row.threshold
            raise NotEnoughEvidence(
                f"{self.model.name} was never calibrated, so no FMR can be promised; "
                "choose another model, or a threshold of your own"
            )
        if target_fmr is None:  # a user's own calibration may have less evidence than the target
            return self._calibration.threshold_among(1, photos=photos)
        return self._calibration.threshold(target_fmr, photos=photos)

    def threshold_among(self, enrolled: int, *, photos: int) -> Threshold:
        """The threshold where a face is compared with so many people; see `Calibration`.

        Without a calibration it is the embedder's own.
        """
        if self._calibration is None:
            return self._row.threshold
        return self._calibration.threshold_among(enrolled, photos=photos)

    def score(self, one: FloatArray, other: FloatArray) -> Score:
        """The score of two plain unit vectors (d,) float32."""
        return Score(float(np.clip(np.dot(one, other), -1.0, 1.0)), self._shift(one, other))

    def score_template(
        self, template: Template, probe: FloatArray, space: VectorSpace = PLAIN_SPACE
    ) -> Score:
        """The score of a template's centre and a probe.

        probe: plain unit vector (d,) float32. space: of the template. Raises
        ModelMismatch for a probe of another length than the template's vectors.
        """
        cosine = similarity_to(template, space.protect(probe[np.newaxis])[0])
        centre = space.reveal(centre_of(template.vectors)[np.newaxis])[0]  # the cohort is plain
        return Score(cosine, self._shift(centre, probe))

    def shifts(self, vectors: FloatArray) -> FloatArray:
        """What each face adds to the shift of a score: plain unit rows (n, d) -> (n,) float32."""
        if self._cohort is None:
            return np.zeros(len(vectors), np.float32)
        return self._cohort.shifts(vectors)

    @property
    def least_shift(self) -> float:
        """What a face adds to the shift of a score at least."""
        return 0.0 if self._cohort is None else self._cohort.least_shift

    @property
    def strangers(self) -> int:
        """How many strangers are in the cohort; 0 without one."""
        return 0 if self._cohort is None else len(self._cohort.vectors)

    def closest_stranger(self, vector: FloatArray) -> Score | None:
        """The score of the cohort's member most like a plain unit vector (d,)."""
        return None if self._cohort is None else Score(*self._cohort.closest(vector))

    def stranger_similarities(self, vector: FloatArray) -> FloatArray | None:
        """(n,) cosines of the cohort's members to a plain unit vector (d,); None without one."""
        return None if self._cohort is None else self._cohort.vectors @ vector

    def check_consistency(self, vectors: FloatArray) -> Consistency:
        """Whether enrollment photos show one person, at the thresholds of the unlock decision.

        vectors: plain unit rows (k, d) float32, k >= 1.
        """
        return consistency(
            vectors,
            rest_threshold=self.threshold_for(photos=max(1, len(vectors) - 1)),
            pair_threshold=self.threshold_for(photos=1),
            shifts=self.shifts,
        )

    def decoy(self, seed: bytes) -> Template:
        """A stranger's template for a name that is not enrolled, always the same for a seed.

        seed: 32 secret bytes. The stranger is a member of the cohort, whose scores are those of
        a real stranger; without a cohort it is a random direction.
        """
        if self._cohort is not None:
            row = int.from_bytes(seed, "big") % len(self._cohort.vectors)
            vector = self._cohort.vectors[row]
        else:
            stream = hashlib.shake_256(seed).digest(4 * self._row.dims)
            vector = np.frombuffer(stream, "<u4").astype(np.float32) - np.float32(2**31)
            vector = vector / np.linalg.norm(vector)
        return Template(np.repeat(vector[np.newaxis], DECOY_PHOTOS, axis=0), self.model)

    def odds(self, score: Score, *, photos: int, among: int = 1) -> str:
        """How often a stranger would score this high, as a sentence; empty without evidence.

        photos: in the template. among: templates compared with.
        """
        if self._calibration is None or not math.isfinite(score.normalised):
            return ""
        return str(self._calibration.read(score.normalised, photos=photos, among=among))

    def expectation(self, *, photos: int) -> str:
        """How often the owner is refused at the default threshold, as a sentence; or empty."""
        if self._calibration is None:
            return ""
        trials = self._calibration.owner_trials(photos)
        if trials is None:
            return ""
        return str(trials) if self._calibration.is_own else f"{trials}; {SHIPPED_PEOPLE}"

    def _shift(self, one: FloatArray, other: FloatArray) -> float:
        return 0.0 if self._cohort is None else self._cohort.shift(one, other)

    @property
    def _cohort(self) -> Cohort | JointCohort | None:
        return None if self._calibration is None else self._calibration.cohort

    @cached_property
    def _calibration(self) -> Calibration | LocalCalibration | None:
        from mien.matching.local_calibration import load_named_calibration

        return load_named_calibration(self._row, self._name, self._data_dir)
