"""One among many: how often a stranger is taken for somebody, as the gallery grows.

    python benchmarks/identification.py ../shared/lfw/images

People without the model's cohort. Some are enrolled with one photo, everybody else is a
stranger; the threshold is `mien identify`'s own. FPIR and FNIR are those of ISO/IEC 19795-1.
The thresholds were fitted on these people, so FPIR is no independent proof of their value,
but of whether it holds as the gallery grows. docs/thresholds.md has what came out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from mien.lab.embedded import embed_photos
from mien.lab.evaluate import IN_COHORT
from mien.lab.protocols import read_people
from mien.models import EMBEDDERS
from mien.models.calibration import TARGET_FMR, load_calibration
from mien.settings import load_settings, usable_cores

ENROLLED = (1, 10, 100, 1000)
DRAWS = 20


def main(folder: Path) -> None:
    people = read_people(folder)
    found = embed_photos(
        people.photos,
        settings=load_settings(),
        model="sface",
        choice="centre",
        workers=usable_cores(),
    )
    calibration = load_calibration(EMBEDDERS["sface"])
    assert calibration is not None and calibration.cohort is not None
    acquired = np.flatnonzero(found.acquired)
    vectors, person = found.plain[acquired], people.person[acquired]
    in_cohort = (vectors @ calibration.cohort.vectors.T).max(1) > IN_COHORT
    outside = ~np.isin(person, person[in_cohort])
    vectors, person = vectors[outside], person[outside]
    shifts = calibration.cohort.shifts(vectors)
    everybody = np.unique(person)
    print("enrolled  threshold  strangers taken for somebody (FPIR)  owners not recognised (FNIR)")
    for count in ENROLLED:
        wanted = max(TARGET_FMR / count, calibration.odds(1).supported_fmr)
        threshold = calibration.threshold(wanted, photos=1).value
        taken = strangers = missed = owners = 0
        pairs = set()
        for seed in range(DRAWS):
            rng = np.random.default_rng(seed)
            gallery = np.array(
                [
                    rng.choice(np.flatnonzero(person == who))
                    for who in rng.permutation(everybody)[:count]
                ]
            )
            probes = np.setdiff1d(np.arange(len(person)), gallery)
            scores = vectors[probes] @ vectors[gallery].T
            best = gallery[scores.argmax(1)]
            opened = scores.max(1) >= threshold + shifts[probes] + shifts[best]
            own = np.isin(person[probes], person[gallery])
            right = opened & (person[best] == person[probes])
            taken += int(np.sum(opened & ~own))
            strangers += int(np.sum(~own))
            missed += int(np.sum(own & ~right))
            owners += int(np.sum(own))
            wrong = opened & ~own
            pairs |= set(zip(person[probes][wrong], person[best][wrong], strict=True))
        print(
            f"{count:8,}  {threshold:9.3f}  {taken:4} of {strangers:6,} = {taken / strangers:.1e},"
            f" {len({frozenset(pair) for pair in pairs})} pairs of people"
            f"   {missed / max(owners, 1):6.1%} of {owners:,}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
