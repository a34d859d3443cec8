"""Make an embedder's calibration table from a folder of people who are strangers to each other.

A few hundred of those with a single photo are drawn as the cohort, and take no further
part. For 1, 2, 3 and 5 enrolled photos: everybody else with that many photos is enrolled
from a random choice of them, and every photo of all others is held before the door.

    python -m mien.lab.calibrate FOLDER NAME_OF_THE_DATA YYYY-MM-DD
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.lab.evaluate.embeddings import embed_photos, embedder_row
from mien.lab.evaluate.protocols import read_people
from mien.lab.report.output import write_output
from mien.matching.calibration import TARGET_FMR, Calibration
from mien.matching.cohort import NEAREST, Cohort
from mien.metrics import ImpostorTally, StrangerOdds, stranger_odds
from mien.results import FloatArray
from mien.settings import DEFAULT_MODEL, load_settings, usable_cores
from mien.vectors import centre_of

PHOTOS = (1, 2, 3, 5)
SEED = 20071001  # LFW's technical report
COHORT = 400  # 200 to 1200 do the same within the noise
LEAST_PERCENTILE = 1.0  # nearness counts as no less than that of all but this share of photos


def draw_cohort(
    vectors: FloatArray, person: npt.NDArray[np.int64], size: int, rng: np.random.Generator
) -> tuple[Cohort, npt.NDArray[np.bool_]]:
    """People with a single photo, in an order of chance, and which rows are not of the cohort.

    vectors: (n, d) unit rows; person: (n,). At most half of such people are drawn.
    """
    people, counts = np.unique(person, return_counts=True)
    single = people[counts == 1]
    rows = np.flatnonzero(np.isin(person, single))
    drawn = rng.permutation(rows)[: min(size, len(rows) // 2)]
    rest = np.ones(len(person), bool)
    rest[drawn] = False
    # as it will be read again from its file
    members = vectors[drawn].astype(np.float16).astype(np.float32)
    members = members / np.linalg.norm(members, axis=1, keepdims=True)
    unfitted = Cohort(members, min(NEAREST, len(drawn) - 1), typical=0.0, least=-1.0)
    near = unfitted.nearness(vectors[rest])
    typical, least = float(near.mean()), float(np.percentile(near, LEAST_PERCENTILE))
    return replace(unfitted, typical=typical, least=least), rest


def scores_at_door(centre: FloatArray, probes: FloatArray, cohort: Cohort | None) -> FloatArray:
    """Cosines of a template's centre (d,) with probes (n, d), less the cohort's shift: (n,)."""
    scores = probes @ centre
    if cohort is None:
        return scores
    shifts = (cohort.nearness(centre[np.newaxis]) + cohort.nearness(probes)) / 2 - cohort.typical
    return (scores - shifts).astype(np.float32)


def odds_of_centres(
    vectors: FloatArray,
    person: npt.NDArray[np.int64],
    photos: int,
    rng: np.random.Generator,
    cohort: Cohort | None = None,
) -> StrangerOdds:
    """Impostor scores of templates of so many photos. vectors: (n, d) unit rows; person: (n,).

    cohort: its shift is taken from the cosines. Scores of one pair of people hang
    together, so they count as one trial: nothing is claimed below 3 over the number of
    pairs of people.
    """
    tally = ImpostorTally()
    people, counts = np.unique(person, return_counts=True)
    enrolled = people[counts >= photos]
    for who in enrolled:
        rows = rng.permutation(np.flatnonzero(person == who))[:photos]
        tally.add(scores_at_door(centre_of(vectors[rows]), vectors[person != who], cohort))
    e, n = len(enrolled), len(people)
    pairs_of_people = e * (n - e) + e * (e - 1) // 2
    return stranger_odds(tally.scores(), n_independent=pairs_of_people)


def owners_refused(
    vectors: FloatArray,
    person: npt.NDArray[np.int64],
    photos: int,
    threshold: float,
    rng: np.random.Generator,
    cohort: Cohort | None = None,
) -> dict[str, int]:
    """Owners with photos to spare, enrolled from so many: how many of the others are refused.

    vectors: (n, d) unit rows; person: (n,); threshold: least score to pass; cohort: as above.
    """
    people, counts = np.unique(person, return_counts=True)
    owners = people[counts > photos]
    refused = tries = 0
    for who in owners:
        rows = rng.permutation(np.flatnonzero(person == who))
        scores = scores_at_door(centre_of(vectors[rows[:photos]]), vectors[rows[photos:]], cohort)
        refused += int(np.sum(~(scores >= threshold)))
        tries += len(scores)
    return {"refused": refused, "tries": tries, "people": len(owners)}


def calibrate(
    folder: Path, data_name: str, day: str, model: str = DEFAULT_MODEL
) -> tuple[dict[str, Any], bytes]:
    """The table as plain numbers and the cohort's file, for `matching/calibrated/`.

    No image and no name is in them.
    """
    people = read_people(folder)
    settings = load_settings()
    found = embed_photos(
        people.photos, settings=settings, model=model, choice="centre", workers=usable_cores()
    )
    rows = np.flatnonzero(found.acquired)
    rng = np.random.default_rng(SEED)
    cohort, rest = draw_cohort(found.plain[rows], people.person[rows], COHORT, rng)
    vectors, person = found.plain[rows][rest], people.person[rows][rest]
    row = embedder_row(model, settings)
    tables = {k: odds_of_centres(vectors, person, k, rng, cohort) for k in PHOTOS}
    made = Calibration(model, "", tables)
    owners = {}
    for k in PHOTOS:
        least = made.threshold(TARGET_FMR, photos=k).value
        draw = np.random.default_rng(SEED)
        owners[str(k)] = owners_refused(vectors, person, k, least, draw, cohort)
    data = f"{len(vectors)} photos of {len(np.unique(person))} people of {data_name}"
    packed, of_cohort = cohort.to_files(f"{model}.cohort.npy")
    table = {
        "model": model,
        "weights_sha256": row.id.sha256,
        "provenance": f"{data}, {day}",
        "failures_to_acquire": len(found.failures),
        "seed": SEED,
        "cohort": of_cohort,
        "owners": owners,
        "by_photos": {str(k): odds.to_json() for k, odds in tables.items()},
    }
    return table, packed


if __name__ == "__main__":
    made, cohort_file = calibrate(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    target = Path(__file__).parent.parent / "matching" / "calibrated"
    for name, content in (
        (made["cohort"]["file"], cohort_file),
        (f"{made['model']}.json", (json.dumps(made, indent=1) + "\n").encode()),
    ):
        write_output(target / name, content)
        (target / name).chmod(0o644)
