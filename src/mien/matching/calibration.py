"""What a similarity is worth: how often a stranger reaches it, by the number of enrolled photos.

A table per embedder lies in `calibrated/`, made by `mien.lab.calibrate` from a run
over people who are not enrolled anywhere. The more photos a template is made of,
the nearer strangers come to its centre too, so each count has a table of its own.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import ModelAltered, NotEnoughEvidence
from mien.files import read_regular
from mien.matching.cohort import Cohort, load_cohort
from mien.metrics.odds import StrangerOdds, StrangerReading
from mien.models.table import EmbedderRow
from mien.results import Threshold

SHIPPED = Path(__file__).parent / "calibrated"
TARGET_FMR = 1e-4  # the default door: one stranger in ten thousand
MAX_TARGET_FMR = 0.1  # a laxer threshold lets anybody in who tries a few photos
FIRM_COUNT = 30  # fewer refusals give an order of magnitude and no rate
MAX_TABLE_BYTES = 1 << 20  # SFace's has 40,000
MIN_OWNERS = 30  # with fewer, none refused says too little to be put as a rate


@dataclass(frozen=True, slots=True)
class OwnerTrials:
    """Owners at their own door, at the default threshold.

    refused of tries photos were locked out; people: how many owners they are of.
    """

    refused: int
    tries: int
    people: int

    def __post_init__(self) -> None:
        if not (0 <= self.refused <= self.tries and 1 <= self.people <= self.tries):
            raise ValueError("owners were refused more often than they tried, or nobody tried")

    def __str__(self) -> str:
        seen = f"{self.refused:,} of {self.tries:,} photos of {self.people:,} owners were refused"
        if self.refused:
            words = f"expect to be refused about once in {max(1, self.tries // self.refused):,}"
            if self.refused < FIRM_COUNT:
                words += ", an order of magnitude"
        elif self.people < MIN_OWNERS:
            words = "too few owners to say how often you will be refused"
        else:  # photos of one owner hang together: people are the trials of the rule of three
            words = f"expect to be refused less than once in {self.people // 3:,}"
        return f"{words} (in the calibration {seen})"


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Stranger odds of one embedder. by_photos: enrolled photos -> table, at least for 1.

    owners: enrolled photos -> how often owners were refused at `TARGET_FMR`; may be empty.
    cohort: the tables are of cosine less its `shift`; None where they are of the bare cosine.
    """

    model: str
    provenance: str
    by_photos: dict[int, StrangerOdds] = field(repr=False)
    owners: dict[int, OwnerTrials] = field(default_factory=dict, repr=False)
    cohort: Cohort | None = None

    def owner_trials(self, photos: int) -> OwnerTrials | None:
        """Of the largest count measured that is not above `photos`; None if there is none."""
        fitting = [count for count in self.owners if count <= photos]
        return self.owners[max(fitting)] if fitting else None

    def odds(self, photos: int) -> StrangerOdds:
        """The table for that many photos; between two counts the stricter, larger one."""
        counts = sorted(self.by_photos)
        fitting = [count for count in counts if count >= photos]
        return self.by_photos[fitting[0] if fitting else counts[-1]]

    def threshold(self, target_fmr: float, *, photos: int) -> Threshold:
        """Least similarity that at most `target_fmr` of the strangers reached, 0..1, for two
        faces as near to the cohort as most; `Threshold.moved` fits it to others.

        Raises NotEnoughEvidence below what the data supports, and above `MAX_TARGET_FMR`.
        """
        supported = self.odds(photos).supported_fmr
        if not supported <= target_fmr <= max(supported, MAX_TARGET_FMR):  # also refuses NaN
            raise NotEnoughEvidence(
                f"the evidence for {self.model} with {photos} enrolled says nothing of FMR "
                f"{target_fmr:g}; ask for {supported:.1e} to {MAX_TARGET_FMR:g}"
            )
        odds = self.odds(photos)
        row = int(np.flatnonzero(odds.fmr <= target_fmr)[0])
        words = f"FMR {target_fmr:g} with {photos} enrolled photo{'s' * (photos != 1)}"
        return Threshold(float(odds.similarity[row]), self.model, f"{words}, {self.provenance}")

    def threshold_among(self, enrolled: int, *, photos: int) -> Threshold:
        """For the best of so many comparisons: by Boole's inequality a stranger passes one of
        them once in 1 / `TARGET_FMR` at most, if each passes so many times more rarely.

        Where the evidence ends, the line through its last two whole decades is drawn on,
        and at least the strictest supported threshold is taken. A decade of FMR costs
        strangers less similarity the further down it lies, so that the line is on the safe
        side; it is only stricter, and nothing is claimed for it.
        """
        supported, wanted = self.odds(photos).supported_fmr, TARGET_FMR / enrolled
        if wanted >= supported:
            return self.threshold(wanted, photos=photos)
        strictest = self.threshold(supported, photos=photos)
        decade = 10.0 ** math.ceil(math.log10(supported))
        if 10 * decade >= 1.0:  # no two decades to draw a line through
            return strictest
        last = self.threshold(decade, photos=photos).value
        step = last - self.threshold(10 * decade, photos=photos).value
        drawn_on = last + step * math.log10(decade / wanted)
        words = f"{strictest.provenance}; for {enrolled:,} enrolled, beyond the evidence"
        return Threshold(min(1.0, max(strictest.value, drawn_on)), self.model, words)

    def read(self, similarity: float, *, photos: int, among: int = 1) -> StrangerReading:
        """About once in how many a stranger would score this high. ValueError for NaN.

        similarity: cosine, less the cohort's shift. among: templates compared with.
        """
        return self.odds(photos).read(similarity, among=among)


def is_calibrated_by_mien(name: str) -> bool:
    """Whether a table for this embedder comes with mien."""
    return (SHIPPED / f"{name}.json").is_file()


def load_calibration(row: EmbedderRow) -> Calibration | None:
    """The table that comes with mien for this embedder, or that the user measured, or None.

    Raises ModelAltered if the file is not such a table, or is one for other weights or
    with another cohort.
    """
    folder, repair = SHIPPED, "reinstall mien"
    if not is_calibrated_by_mien(row.model.name):
        if row.calibration_dir is None:
            return None
        folder = row.calibration_dir
        repair = f"run: mien calibrate FOLDER --model {row.model.name}"
    path = folder / f"{row.model.name}.json"
    if not path.is_file():
        return None
    try:
        table: dict[str, Any] = json.loads(read_regular(path, MAX_TABLE_BYTES))
        if table["weights_sha256"] != row.id.sha256:
            raise ValueError("it was made with other weights")
        by_photos = {int(k): StrangerOdds.from_json(v) for k, v in table["by_photos"].items()}
        owners = {int(k): OwnerTrials(**v) for k, v in table.get("owners", {}).items()}
        cohort = None if table["cohort"] is None else load_cohort(folder, table["cohort"])
        if cohort is not None and cohort.vectors.shape[1] != row.dims:
            raise ValueError("its cohort is of another length")
        return Calibration(row.model.name, str(table["provenance"]), by_photos, owners, cohort)
    except (AttributeError, KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        raise ModelAltered(
            f"the calibration of {row.model.name} is unusable: {error}; {repair}"
        ) from error
