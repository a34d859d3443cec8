"""Measure how often identification takes a stranger for an enrolled person, by gallery size.

    python benchmarks/identification.py ../shared/lfw/images [--json]

People of the cohort are left out. In each draw some people are enrolled with one or three photos,
and the others are strangers. The threshold is that of `mien identify`. FPIR and FNIR are those of
ISO/IEC 19795-1. The thresholds were fitted on the same people, so the FPIR does not test their
level, only whether it stays the same as the gallery grows. The results are in docs/thresholds.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from figures import Figures, add_json_option
from mien.lab.evaluate.run import people_in_cohort
from mien.matching.calibration import Calibration, load_calibration
from mien.models import EMBEDDERS
from photos_of_people import embed_people

ENROLLED = (1, 10, 100, 1000)
PHOTOS = (1, 3)
DRAWS = 20

Array = np.ndarray


@dataclass
class Counts:
    """Counts over all draws.

    probes of strangers, and those accepted; probes of enrolled people, and those missed.
    confused: the pairs of people behind the accepted strangers.
    """

    strangers: int = 0
    accepted: int = 0
    owners: int = 0
    missed: int = 0
    confused: set[frozenset[int]] = field(default_factory=set)


def identify_probes(
    vectors: Array,
    person: Array,
    calibration: Calibration,
    threshold: float,
    gallery: Array,
    counts: Counts,
) -> None:
    """Enroll the photos of `gallery`, a row for each person, and identify all other photos."""
    cohort = calibration.cohort
    centres = vectors[gallery].mean(axis=1)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    probes = np.setdiff1d(np.arange(len(person)), gallery)
    scores = vectors[probes] @ centres.T
    best = scores.argmax(axis=1)
    shifts = cohort.shifts(vectors[probes]) + cohort.shifts(centres)[best]
    accepted = scores.max(axis=1) >= threshold + shifts
    true_person, found_person = person[probes], person[gallery[:, 0]][best]
    own = np.isin(true_person, person[gallery[:, 0]])
    counts.strangers += int(np.sum(~own))
    counts.accepted += int(np.sum(accepted & ~own))
    counts.owners += int(np.sum(own))
    counts.missed += int(np.sum(own & ~(accepted & (found_person == true_person))))
    wrong = accepted & ~own
    counts.confused |= {
        frozenset(pair) for pair in zip(true_person[wrong], found_person[wrong], strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=Path)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    vectors, _, person = embed_people(args.people)
    calibration = load_calibration(EMBEDDERS["sface"])
    outside = ~np.isin(person, people_in_cohort(calibration.cohort, vectors, person))
    vectors, person = vectors[outside], person[outside]
    everybody, n_photos = np.unique(person, return_counts=True)
    for photos in PHOTOS:
        for count in ENROLLED:
            eligible = everybody[n_photos >= photos]
            if count > len(eligible):
                continue
            threshold = calibration.threshold_among(count, photos=photos).value
            counts = Counts()
            for seed in range(DRAWS):
                rng = np.random.default_rng(seed)
                chosen = rng.permutation(eligible)[:count]
                rows = [rng.permutation(np.flatnonzero(person == who))[:photos] for who in chosen]
                identify_probes(vectors, person, calibration, threshold, np.stack(rows), counts)
            report.add(
                f"{photos} photos, {count} enrolled",
                threshold=threshold,
                accepted=counts.accepted,
                strangers=counts.strangers,
                fpir=counts.accepted / counts.strangers,
                pairs_of_people=len(counts.confused),
                missed=counts.missed,
                owners=counts.owners,
                fnir=counts.missed / counts.owners,
            )
    report.end()


if __name__ == "__main__":
    main()
