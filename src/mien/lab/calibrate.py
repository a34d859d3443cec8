"""Make an embedder's calibration table from a folder of people who are strangers to each other.

A few hundred of those with a single photo are drawn as the cohort, and take no further
part. For 1, 2, 3 and 5 enrolled photos: everybody else with that many photos is enrolled
from a random choice of them, and every photo of all others is held before the door.

    python -m mien.lab.calibrate MODEL FOLDER NAME_OF_THE_DATA YYYY-MM-DD
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import UsageError
from mien.files import write_whole
from mien.lab.evaluate.embeddings import FaceChoice, embed_photos
from mien.lab.evaluate.protocols import read_people
from mien.matching.calibration import Calibration
from mien.matching.cohort import NEAREST, Cohort
from mien.metrics import ImpostorTally, StrangerOdds, stranger_odds
from mien.results import FloatArray, ModelId
from mien.settings import Settings, load_settings, usable_cores
from mien.vectors import centre_of

PHOTOS = (1, 2, 3, 5)
SEED = 20071001  # LFW's technical report
COHORT = 400  # 200 to 1200 do the same within the noise
MIN_COHORT = 30  # fewer people are no sample of strangers: no cohort is drawn
MIN_PEOPLE = 30  # with fewer, nothing below an FMR of 1 % could be said
LEAST_PERCENTILE = 1.0  # nearness counts as no less than that of all but this share of photos


def draw_cohort(
    vectors: FloatArray, person: npt.NDArray[np.int64], size: int, rng: np.random.Generator
) -> tuple[Cohort | None, npt.NDArray[np.bool_]]:
    """People with a single photo, in an order of chance, and which rows are not of the cohort.

    vectors: (n, d) unit rows; person: (n,). At most half of such people are drawn. None
    where those are fewer than `MIN_COHORT`; then all rows are left.
    """
    people, counts = np.unique(person, return_counts=True)
    single = people[counts == 1]
    rows = np.flatnonzero(np.isin(person, single))
    drawn = rng.permutation(rows)[: min(size, len(rows) // 2)]
    rest = np.ones(len(person), bool)
    if len(drawn) < MIN_COHORT:
        return None, rest
    rest[drawn] = False
    # as it will be read again from its file
    members = vectors[drawn].astype(np.float16).astype(np.float32)
    members = members / np.linalg.norm(members, axis=1, keepdims=True)
    unfitted = Cohort(members, min(NEAREST, len(drawn) - 1), typical=0.0, least=-1.0)
    near = unfitted.nearness(vectors[rest])
    typical, least = float(near.mean()), float(np.percentile(near, LEAST_PERCENTILE))
    return replace(unfitted, typical=typical, least=least), rest


def scores_at_door(
    centre: FloatArray, probes: FloatArray, near: FloatArray, cohort: Cohort | None
) -> FloatArray:
    """Cosines of a template's centre (d,) with probes (n, d), less the cohort's shift: (n,).

    near: (n,) the probes' `nearness_of`.
    """
    scores = probes @ centre
    if cohort is None:
        return scores
    shifts = (cohort.nearness(centre[np.newaxis]) + near) / 2 - cohort.typical
    return (scores - shifts).astype(np.float32)


def nearness_of(vectors: FloatArray, cohort: Cohort | None) -> FloatArray:
    """(n,) the nearness of unit rows (n, d) to the cohort, computed once; zeros without one."""
    return np.zeros(len(vectors), np.float32) if cohort is None else cohort.nearness(vectors)


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
    tally, near = ImpostorTally(), nearness_of(vectors, cohort)
    people, counts = np.unique(person, return_counts=True)
    enrolled = people[counts >= photos]
    for who in enrolled:
        rows = rng.permutation(np.flatnonzero(person == who))[:photos]
        others = person != who
        tally.add(scores_at_door(centre_of(vectors[rows]), vectors[others], near[others], cohort))
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
    refused, tries, near = 0, 0, nearness_of(vectors, cohort)
    for who in owners:
        rows = rng.permutation(np.flatnonzero(person == who))
        enrolled, tried = rows[:photos], rows[photos:]
        scores = scores_at_door(centre_of(vectors[enrolled]), vectors[tried], near[tried], cohort)
        refused += int(np.sum(~(scores >= threshold)))
        tries += len(scores)
    return {"refused": refused, "tries": tries, "people": len(owners)}


def calibrate(
    folder: Path, data_name: str, day: str, *, model: str, settings: Settings, choice: FaceChoice
) -> tuple[dict[str, Any], bytes]:
    """The table as plain numbers and the cohort's file, for a folder of people.

    No image and no name is in them. UsageError for an unknown model or too few people.
    """
    people = read_people(folder)
    found = embed_photos(
        people.photos, settings=settings, model=model, choice=choice, workers=usable_cores()
    )
    rows = np.flatnonzero(found.acquired)
    table, packed = calibrate_embeddings(
        found.plain[rows], people.person[rows], found.model, f"{data_name}, {day}"
    )
    return {**table, "failures_to_acquire": len(found.failures)}, packed


def calibrate_embeddings(
    vectors: FloatArray, person: npt.NDArray[np.int64], model: ModelId, source: str
) -> tuple[dict[str, Any], bytes]:
    """The table and the cohort's file. vectors: (n, d) plain unit rows; person: (n,)."""
    n_people = len(np.unique(person))
    if n_people < MIN_PEOPLE:
        raise UsageError(
            f"a calibration needs photos of at least {MIN_PEOPLE} people, here are {n_people}; "
            "add a sub-folder for each of some more"
        )
    rng = np.random.default_rng(SEED)
    cohort, rest = draw_cohort(vectors, person, COHORT, rng)
    vectors, person = vectors[rest], person[rest]
    counts = np.bincount(person)
    tables = {
        k: odds_of_centres(vectors, person, k, rng, cohort)
        for k in PHOTOS
        if k == 1 or np.sum(counts >= k) >= MIN_PEOPLE
    }
    made = Calibration(model.name, "", tables)
    owners = {}
    for k in tables:
        least = made.threshold_among(1, photos=k).value
        draw = np.random.default_rng(SEED)
        found = owners_refused(vectors, person, k, least, draw, cohort)
        if found["people"]:
            owners[str(k)] = found
    packed, of_cohort = cohort.to_files(f"{model.name}.cohort.npy") if cohort else (b"", None)
    table = {
        "model": model.name,
        "weights_sha256": model.sha256,
        "provenance": f"{len(vectors)} photos of {len(np.unique(person))} people of {source}",
        "failures_to_acquire": 0,
        "seed": SEED,
        "cohort": of_cohort,
        "owners": owners,
        "by_photos": {str(k): odds.to_json() for k, odds in tables.items()},
    }
    return table, packed


def write_calibration(folder: Path, table: dict[str, Any], packed: bytes) -> Path:
    """Write the cohort's file, and then the table that names it. Gives the table's path."""
    if packed:
        write_whole(folder / table["cohort"]["file"], packed)
    path = folder / f"{table['model']}.json"
    write_whole(path, (json.dumps(table, indent=1) + "\n").encode())
    return path


def _shipped(arguments: list[str]) -> None:
    """Write a calibration into mien's own source, for everybody."""
    model, folder, data_name, day = arguments
    settings = load_settings()
    table, packed = calibrate(
        Path(folder), data_name, day, model=model, settings=settings, choice="centre"
    )
    path = write_calibration(
        Path(__file__).parent.parent / "matching" / "calibrated", table, packed
    )
    for written in (path, path.parent / table["cohort"]["file"]):
        written.chmod(0o644)


if __name__ == "__main__":
    _shipped(sys.argv[1:])
