"""Calibrate a model on the user's own people: a cohort of half of them, thresholds of the others.

The cohort (one photo of each, drawn) joins the shipped one. The others are enrolled from 1, 2, 3
and 5 photos and compared with all photos of each other, at scores with both cohorts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import NotEnoughEvidence, UsageError, quote
from mien.lab.calibrate import PHOTOS, SEED, write_calibration
from mien.lab.evaluate.embeddings import FaceChoice, embed_photos
from mien.lab.evaluate.protocols import read_people
from mien.lab.people_layout import warn_of_mixed
from mien.matching.calibration import Calibration, OwnerTrials
from mien.matching.cohort import Cohort
from mien.matching.joint_cohort import JointCohort, join_cohorts
from mien.matching.local_calibration import LocalCalibration, local_calibration_dir
from mien.matching.matcher import Matcher
from mien.matching.policy import NEAR_DUPLICATE
from mien.metrics import ImpostorTally, StrangerOdds, stranger_odds
from mien.models import EmbedderRow
from mien.results import FloatArray, ModelId
from mien.settings import Settings, usable_cores
from mien.vectors import centre_of

MAX_COHORT = 500  # people; the file stays small, and more gained nothing on LFW
MIN_PEOPLE = 60  # half of them the cohort; 30 others are 435 pairs of strangers

PersonArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PeopleVectors:
    """vectors: (n, d) float32 plain unit rows. person: (n,) row numbers of `names`."""

    vectors: FloatArray = field(repr=False)
    person: PersonArray = field(repr=False)
    names: Sequence[str] = field(repr=False)


def calibrate_own_people(
    folder: Path,
    name: str,
    day: str,
    *,
    row: EmbedderRow,
    shipped: Calibration,
    settings: Settings,
    choice: FaceChoice,
    warn: Callable[[str], object] = lambda line: None,
) -> LocalCalibration:
    """Measure, and write the calibration of this name. Raises UsageError for too few people.

    warn: gets a line for each folder that may hold several people.
    """
    local_calibration_dir(name, settings.data_dir)  # a wrong name is refused before the work
    found = read_people(folder)
    embedded = embed_photos(
        found.photos,
        settings=settings,
        model=row.model.name,
        choice=choice,
        workers=usable_cores(),
        use_cache=False,  # the cache would keep the embeddings of these people
    )
    rows = np.flatnonzero(embedded.acquired)
    people = PeopleVectors(embedded.plain[rows], found.person[rows], found.names)
    who = [people.names[int(one)] for one in people.person]
    for line in warn_of_mixed(who, people.vectors, Matcher(row)):
        warn(line)
    made = measure_people(people, name, f"{folder.name}, {day}", row.id, shipped)
    store_local_calibration(made, row.id, settings.data_dir)
    return made


def store_local_calibration(made: LocalCalibration, model: ModelId, data_dir: Path) -> Path:
    """Write the files of a calibration, mode 0600; gives the table's path. Raises OSError."""
    cohort = made.measured.cohort
    assert isinstance(cohort, Cohort)  # `measure_people` made it
    packed, of_cohort = cohort.to_files(f"{model.name}.cohort.npy")
    place = local_calibration_dir(made.name, data_dir)
    return write_calibration(place, _to_table(made, model, of_cohort), packed)


def measure_people(
    people: PeopleVectors, name: str, source: str, model: ModelId, shipped: Calibration
) -> LocalCalibration:
    """The calibration of these people, not stored. UsageError for too few, or one named twice."""
    if not isinstance(shipped.cohort, Cohort):
        raise UsageError(f"{model.name} comes without a cohort, so there is none to add people to")
    check_people(people)
    rng = np.random.default_rng(SEED)
    members, others = _split(people.person, rng)
    own = _as_stored(people.vectors[members])
    cohort = join_cohorts(shipped.cohort, own)
    vectors, person = people.vectors[others], people.person[others]
    counts = np.bincount(person)
    n_people = len(np.unique(person))
    by_photos = {
        k: _odds(vectors, person, k, cohort)
        for k in PHOTOS
        if k == 1 or np.sum(counts >= k) >= MIN_PEOPLE // 2
    }
    words = (
        f"{len(vectors)} photos of {n_people} people of {source}, and {len(own)} more people in"
        " the cohort"
    )
    stored = Cohort(own, min(30, len(own) - 1), 0.0, -1.0)
    measured = Calibration(model.name, words, by_photos, cohort=stored)
    found = LocalCalibration(name, measured, shipped, cohort)
    owners = {k: trials for k in by_photos if (trials := _owner_trials(vectors, person, k, found))}
    return LocalCalibration(
        name, Calibration(model.name, words, by_photos, owners, stored), shipped, cohort
    )


def check_people(people: PeopleVectors) -> None:
    """Raises UsageError where they are too few, or where two names have the same photo."""
    n_people = len(np.unique(people.person))
    if n_people < MIN_PEOPLE:
        half = max(0, n_people - n_people // 2)
        pairs = half * (half - 1) // 2
        claim = f"no rate of strangers below {3 / pairs:.0%} could be claimed" if pairs > 3 else ""
        raise UsageError(
            f"a calibration needs a face of at least {MIN_PEOPLE} people, here are {n_people}"
            + (f": half of them make {pairs} pairs of strangers, so {claim}" if claim else "")
            + "; add a sub-folder for each of some more"
        )
    twin = _same_photo(people)
    if twin is not None:
        one, other = (quote(people.names[int(people.person[at])]) for at in twin)
        raise UsageError(
            f"{one} and {other} have nearly the same photo; if they are one person, put the photos"
            " into one folder, otherwise remove the photo that is wrong"
        )


def _same_photo(people: PeopleVectors) -> tuple[int, int] | None:
    for row in range(len(people.vectors)):
        alike = people.vectors @ people.vectors[row] > NEAR_DUPLICATE
        rows = np.flatnonzero(alike & (people.person != people.person[row]))
        if len(rows):
            return row, int(rows[0])
    return None


def _split(
    person: PersonArray, rng: np.random.Generator
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows of the cohort, one of each of its people, and all rows of everybody else."""
    everybody = rng.permutation(np.unique(person))
    drawn = everybody[: min(MAX_COHORT, len(everybody) // 2)]
    members = np.array([rng.choice(np.flatnonzero(person == who)) for who in drawn], np.intp)
    return members, np.flatnonzero(~np.isin(person, drawn))


def _as_stored(vectors: FloatArray) -> FloatArray:
    stored = vectors.astype(np.float16).astype(np.float32)
    rows: FloatArray = (stored / np.linalg.norm(stored, axis=1, keepdims=True)).astype(np.float32)
    return rows


def _scores(centre: FloatArray, probes: FloatArray, cohort: JointCohort) -> FloatArray:
    """Normalised scores of a template's centre (d,) with probes (n, d): (n,) float32."""
    shifts = cohort.shifts(centre[np.newaxis]) + cohort.shifts(probes)
    return (probes @ centre - shifts).astype(np.float32)


def _odds(
    vectors: FloatArray, person: PersonArray, photos: int, cohort: JointCohort
) -> StrangerOdds:
    """Scores of strangers against templates of so many photos; a pair of people is one trial."""
    rng = np.random.default_rng(SEED)
    people, counts = np.unique(person, return_counts=True)
    enrolled = people[counts >= photos]
    tally = ImpostorTally()
    for who in enrolled:
        rows = rng.permutation(np.flatnonzero(person == who))[:photos]
        tally.add(_scores(centre_of(vectors[rows]), vectors[person != who], cohort))
    e, n = len(enrolled), len(people)
    return stranger_odds(tally.scores(), n_independent=e * (n - e) + e * (e - 1) // 2)


def _owner_trials(
    vectors: FloatArray, person: PersonArray, photos: int, calibration: LocalCalibration
) -> OwnerTrials | None:
    """How many photos of owners are refused at the thresholds; None if nobody has one to spare."""
    rng = np.random.default_rng(SEED)
    people, counts = np.unique(person, return_counts=True)
    least = calibration.threshold_among(1, photos=photos).value
    refused = tries = 0
    owners = people[counts > photos]
    for who in owners:
        rows = rng.permutation(np.flatnonzero(person == who))
        centre = centre_of(vectors[rows[:photos]])
        scores = _scores(centre, vectors[rows[photos:]], calibration.cohort)
        refused += int(np.sum(~(scores >= least)))
        tries += len(scores)
    return OwnerTrials(refused, tries, len(owners)) if len(owners) else None


def _to_table(made: LocalCalibration, model: ModelId, of_cohort: dict[str, Any]) -> dict[str, Any]:
    measured = made.measured
    return {
        "model": model.name,
        "weights_sha256": model.sha256,
        "name": made.name,
        "provenance": measured.provenance,
        "seed": SEED,
        "cohort": of_cohort,
        "owners": {
            str(k): {"refused": one.refused, "tries": one.tries, "people": one.people}
            for k, one in measured.owners.items()
        },
        "by_photos": {str(k): odds.to_json() for k, odds in measured.by_photos.items()},
    }


def describe_local_calibration(made: LocalCalibration) -> list[str]:
    """What was measured, a line each: thresholds, how many strangers passed before, refusals."""
    lines = [f"calibration {made.name}: {made.provenance}"]
    for k in sorted(made.by_photos):
        threshold = made.threshold_among(1, photos=k)
        odds = made.by_photos[k]
        lines.append(
            f"  {k} enrolled: threshold {threshold.value:.3f}"
            f" (shipped {made.shipped.threshold_among(1, photos=k).value:.3f}),"
            f" evidence down to a false match rate of {odds.supported_fmr:.1e}"
        )
        trials = made.owner_trials(k)
        if trials is not None and k in made.measured.owners:
            lines.append(f"    {trials}")
    try:
        made.threshold(1e-4, photos=1)
    except NotEnoughEvidence:
        lines.append(
            "  these people are too few to promise one stranger in 10,000; the thresholds beyond"
            " the evidence are estimates on the strict side"
        )
    return lines
