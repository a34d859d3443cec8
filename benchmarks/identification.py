"""One among many: how often a stranger is taken for somebody, as the gallery grows.

    python benchmarks/identification.py ../shared/lfw/images

People without the model's cohort. Some are enrolled with one photo or three, everybody else
is a stranger; the threshold is `mien identify`'s own. FPIR and FNIR are those of ISO/IEC 19795-1.
The thresholds were fitted on these people, so FPIR is no independent proof of their value,
but of whether it holds as the gallery grows. docs/thresholds.md has what came out.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.lab.evaluate.run import people_in_cohort
from mien.matching.calibration import Calibration, load_calibration
from mien.models import EMBEDDERS
from photos_of_people import embedded_people

ENROLLED = (1, 10, 100, 1000)
PHOTOS = (1, 3)
DRAWS = 20

Array = np.ndarray


@dataclass
class Tried:
    """What came of all draws. mistaken: the pairs of people of strangers taken for somebody."""

    strangers: int = 0
    taken: int = 0
    owners: int = 0
    missed: int = 0
    mistaken: set[frozenset[int]] = field(default_factory=set)


def draw(
    vectors: Array,
    person: Array,
    calibration: Calibration,
    threshold: float,
    gallery: Array,
    tried: Tried,
) -> None:
    """Enroll the photos of `gallery`, a row of it for each person, and try all the others."""
    cohort = calibration.cohort
    centres = vectors[gallery].mean(axis=1)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    probes = np.setdiff1d(np.arange(len(person)), gallery)
    scores = vectors[probes] @ centres.T
    best = scores.argmax(axis=1)
    shifts = cohort.shifts(vectors[probes]) + cohort.shifts(centres)[best]
    opened = scores.max(axis=1) >= threshold + shifts
    who, said = person[probes], person[gallery[:, 0]][best]
    own = np.isin(who, person[gallery[:, 0]])
    tried.strangers += int(np.sum(~own))
    tried.taken += int(np.sum(opened & ~own))
    tried.owners += int(np.sum(own))
    tried.missed += int(np.sum(own & ~(opened & (said == who))))
    wrong = opened & ~own
    tried.mistaken |= {frozenset(pair) for pair in zip(who[wrong], said[wrong], strict=True)}


def main(folder: Path) -> None:
    vectors, _, person = embedded_people(folder)
    calibration = load_calibration(EMBEDDERS["sface"])
    outside = ~np.isin(person, people_in_cohort(calibration.cohort, vectors, person))
    vectors, person = vectors[outside], person[outside]
    everybody, counts = np.unique(person, return_counts=True)
    print("photos enrolled threshold  FPIR                           FNIR")
    for photos in PHOTOS:
        for count in ENROLLED:
            can = everybody[counts >= photos]
            if count > len(can):
                continue
            threshold = calibration.threshold_among(count, photos=photos).value
            tried = Tried()
            for seed in range(DRAWS):
                rng = np.random.default_rng(seed)
                chosen = rng.permutation(can)[:count]
                rows = [rng.permutation(np.flatnonzero(person == who))[:photos] for who in chosen]
                draw(vectors, person, calibration, threshold, np.stack(rows), tried)
            print(
                f"{photos:6} {count:8,} {threshold:9.3f}  {tried.taken:3} of {tried.strangers:6,} ="
                f" {tried.taken / tried.strangers:.1e}, {len(tried.mistaken)} pairs of people"
                f"  {tried.missed / tried.owners:6.2%} of {tried.owners:,}"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
