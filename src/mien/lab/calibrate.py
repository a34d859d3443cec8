"""Make an embedder's calibration table from a folder of people who are strangers to each other.

For 1, 2, 3 and 5 enrolled photos: everybody with that many photos is enrolled from a
random choice of them, and every photo of everybody else is held before the door.

    python -m mien.lab.calibrate FOLDER NAME_OF_THE_DATA YYYY-MM-DD
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.lab.embedded import embed_photos, embedder_row
from mien.lab.files import write_whole
from mien.lab.protocols import read_people
from mien.metrics import ImpostorTally, StrangerOdds, stranger_odds
from mien.models.calibration import TARGET_FMR, Calibration
from mien.policy import centre_of
from mien.results import FloatArray
from mien.settings import load_settings, usable_cores

PHOTOS = (1, 2, 3, 5)
SEED = 20071001  # LFW's technical report


def odds_of_centres(
    vectors: FloatArray,
    person: npt.NDArray[np.int64],
    photos: int,
    rng: np.random.Generator,
) -> StrangerOdds:
    """Impostor scores of templates of so many photos. vectors: (n, d) unit rows; person: (n,).

    Scores of one pair of people hang together, so they count as one trial: nothing is
    claimed below 3 over the number of pairs of people.
    """
    tally = ImpostorTally()
    people, counts = np.unique(person, return_counts=True)
    enrolled = people[counts >= photos]
    for who in enrolled:
        rows = rng.permutation(np.flatnonzero(person == who))[:photos]
        tally.add(vectors[person != who] @ centre_of(vectors[rows]))
    e, n = len(enrolled), len(people)
    pairs_of_people = e * (n - e) + e * (e - 1) // 2
    return stranger_odds(tally.scores(), n_independent=pairs_of_people)


def owners_refused(
    vectors: FloatArray,
    person: npt.NDArray[np.int64],
    photos: int,
    threshold: float,
    rng: np.random.Generator,
) -> dict[str, int]:
    """Owners with photos to spare, enrolled from so many: how many of the others are refused.

    vectors: (n, d) unit rows; person: (n,); threshold: least cosine to pass.
    """
    people, counts = np.unique(person, return_counts=True)
    owners = people[counts > photos]
    refused = tries = 0
    for who in owners:
        rows = rng.permutation(np.flatnonzero(person == who))
        scores = vectors[rows[photos:]] @ centre_of(vectors[rows[:photos]])
        refused += int(np.sum(~(scores >= threshold)))
        tries += len(scores)
    return {"refused": refused, "tries": tries, "people": len(owners)}


def calibrate(folder: Path, data_name: str, day: str, model: str = "sface") -> dict[str, Any]:
    """The table as plain numbers, for `models/calibrated/`. No image, no name, no embedding."""
    people = read_people(folder)
    settings = load_settings()
    found = embed_photos(
        people.photos, settings=settings, model=model, choice="centre", workers=usable_cores()
    )
    rows = np.flatnonzero(found.acquired)
    person = people.person[rows]
    rng = np.random.default_rng(SEED)
    row = embedder_row(model, settings)
    tables = {k: odds_of_centres(found.plain[rows], person, k, rng) for k in PHOTOS}
    made = Calibration(model, "", tables)
    owners = {}
    for k in PHOTOS:
        least = made.threshold(TARGET_FMR, photos=k).value
        draw = np.random.default_rng(SEED)
        owners[str(k)] = owners_refused(found.plain[rows], person, k, least, draw)
    data = f"{len(rows)} photos of {len(np.unique(person))} people of {data_name}"
    return {
        "model": model,
        "weights_sha256": row.id.sha256,
        "provenance": f"{data}, {day}",
        "failures_to_acquire": len(found.failures),
        "seed": SEED,
        "owners": owners,
        "by_photos": {str(k): table.to_json() for k, table in tables.items()},
    }


if __name__ == "__main__":
    made = calibrate(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    target = Path(__file__).parent.parent / "models" / "calibrated" / f"{made['model']}.json"
    write_whole(target, (json.dumps(made, indent=1) + "\n").encode())
    target.chmod(0o644)
