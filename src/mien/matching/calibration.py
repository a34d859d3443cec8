"""Thresholds and odds of an embedder, from the measured scores of impostors.

`mien.lab.calibrate` measures the scores of people who are not enrolled anywhere, and writes a
table for each embedder to `calibrated/`. The more photos a template has, the more similar
impostors are to its centre, so each number of photos has its own table.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import ModelAltered, NotEnoughEvidence
from mien.files import read_regular
from mien.matching.cohort import Cohort, load_cohort
from mien.metrics.odds import StrangerOdds, StrangerReading
from mien.models.table import EmbedderRow
from mien.records import dataclass, field
from mien.results import Threshold

SHIPPED = Path(__file__).parent / "calibrated"
TARGET_FMR = 1e-4  # by default: one stranger in ten thousand
MAX_TARGET_FMR = 0.1  # a laxer threshold lets anybody in who tries a few photos
FIRM_COUNT = 30  # with fewer refusals, only an order of magnitude is stated
MAX_TABLE_BYTES = 1 << 20  # that of SFace has 40,000
MIN_OWNERS = 30  # with fewer, no rate is stated where none was refused


@dataclass(frozen=True, slots=True)
class OwnerTrials:
    """How often owners were refused at the default threshold.

    refused: how many of the photos; tries: number of photos; people: number of owners.
    """

    refused: int
    tries: int
    people: int

    def __post_init__(self) -> None:
        if not (0 <= self.refused <= self.tries and 1 <= self.people <= self.tries):
            raise ValueError(
                "owners were refused more often than they attempted, or there was no attempt"
            )

    @property
    def once_in(self) -> int:
        """So many tries for one refusal, at least; 0 where too few owners were seen to say."""
        if self.refused:
            return max(1, self.tries // self.refused)
        # photos of one owner are correlated, so the rule of three counts people
        return self.people // 3 if self.people >= MIN_OWNERS else 0

    def joined(self, other: OwnerTrials) -> OwnerTrials:
        """Both together; the same owners may be in both, so people are not added."""
        refused, tries = self.refused + other.refused, self.tries + other.tries
        return OwnerTrials(refused, tries, max(self.people, other.people))

    def __str__(self) -> str:
        seen = f"{self.refused:,} of {self.tries:,} photos of {self.people:,} owners were refused"
        if self.refused:
            words = f"expect to be refused about once in {self.once_in:,}"
            if self.refused < FIRM_COUNT:
                words += ", an order of magnitude"
        elif not self.once_in:
            words = "too few owners to say how often you will be refused"
        else:
            words = f"expect to be refused less than once in {self.once_in:,}"
        return f"{words} (in the calibration {seen})"


def pool_owner_trials(trials: Sequence[OwnerTrials]) -> list[OwnerTrials]:
    """The same number of trials, joined where `once_in` would fall. trials: by number of photos."""
    groups: list[tuple[OwnerTrials, int]] = []
    for one in trials:
        groups.append((one, 1))
        while len(groups) > 1 and groups[-2][0].once_in > groups[-1][0].once_in:
            (last, n_last), (before, n_before) = groups.pop(), groups.pop()
            groups.append((before.joined(last), n_before + n_last))
    return [one for one, count in groups for _ in range(count)]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The tables of one embedder. by_photos: number of enrolled photos -> table, at least for 1.

    owners: number of enrolled photos -> how often owners were refused at `TARGET_FMR`; may be
    empty. cohort: the tables are of the cosine less its `shift`; None if of the cosine itself.
    """

    model: str
    provenance: str
    by_photos: dict[int, StrangerOdds] = field(repr=False)
    owners: dict[int, OwnerTrials] = field(default_factory=dict, repr=False)
    cohort: Cohort | None = None

    @property
    def is_own(self) -> bool:
        """Whether the user measured it, on people of the user's choice."""
        return not is_calibrated_by_mien(self.model)

    def owner_trials(self, photos: int) -> OwnerTrials | None:
        """The trials with the most photos up to `photos`; None if there are none.

        More photos refuse an owner less often. Where fewer trials say otherwise by chance, they are
        joined with those of fewer photos until they no longer do (pool adjacent violators).
        """
        fitting = sorted(count for count in self.owners if count <= photos)
        pooled = pool_owner_trials([self.owners[count] for count in sorted(self.owners)])
        return pooled[len(fitting) - 1] if fitting else None

    def odds(self, photos: int) -> StrangerOdds:
        """The table for that many photos; between two tables the stricter, of more photos."""
        counts = sorted(self.by_photos)
        fitting = [count for count in counts if count >= photos]
        return self.by_photos[fitting[0] if fitting else counts[-1]]

    def threshold(self, target_fmr: float, *, photos: int) -> Threshold:
        """The lowest similarity that at most `target_fmr` of the strangers reached, 0..1.

        It is for two faces of typical nearness to the cohort; `Threshold.moved` fits it to
        others. Raises NotEnoughEvidence below what the data supports, and above `MAX_TARGET_FMR`.
        """
        supported = self.odds(photos).supported_fmr
        if not supported <= target_fmr <= max(supported, MAX_TARGET_FMR):  # also refuses NaN
            raise NotEnoughEvidence(
                f"the evidence for {self.model} with {photos} enrolled does not support FMR "
                f"{target_fmr:g}; ask for {supported:.1e} to {MAX_TARGET_FMR:g}"
            )
        odds = self.odds(photos)
        row = int(np.flatnonzero(odds.fmr <= target_fmr)[0])
        words = f"FMR {target_fmr:g} with {photos} enrolled photo{'s' * (photos != 1)}"
        return Threshold(float(odds.similarity[row]), self.model, f"{words}, {self.provenance}")

    def threshold_among(self, enrolled: int, *, photos: int) -> Threshold:
        """The threshold where a face is compared with so many people, and the best counts.

        If each comparison has the FMR `TARGET_FMR` / enrolled, all together have at most
        `TARGET_FMR` (Boole's inequality). Where the evidence does not support so low an FMR,
        the threshold is extrapolated on the line through the last two whole decades of FMR,
        and is at least the strictest supported one. Measured thresholds rise less with each
        decade, so the line is too strict rather than too lax; no FMR is claimed for it.
        """
        supported, wanted = self.odds(photos).supported_fmr, TARGET_FMR / enrolled
        if wanted >= supported:
            return self.threshold(wanted, photos=photos)
        strictest = self.threshold(supported, photos=photos)
        decade = 10.0 ** math.ceil(math.log10(supported))
        if 10 * decade >= 1.0:  # there are no two decades for a line
            return strictest
        last = self.threshold(decade, photos=photos).value
        step = last - self.threshold(10 * decade, photos=photos).value
        extrapolated = last + step * math.log10(decade / wanted)
        words = f"{strictest.provenance}; for {enrolled:,} enrolled, beyond the evidence"
        return Threshold(min(1.0, max(strictest.value, extrapolated)), self.model, words)

    def read(self, similarity: float, *, photos: int, among: int = 1) -> StrangerReading:
        """The odds that a stranger scores this high. Raises ValueError for NaN.

        similarity: cosine, less the cohort's shift. among: templates compared with.
        """
        return self.odds(photos).read(similarity, among=among)


def is_calibrated_by_mien(name: str) -> bool:
    """Whether a table for this embedder comes with mien."""
    return (SHIPPED / f"{name}.json").is_file()


def load_calibration(row: EmbedderRow) -> Calibration | None:
    """The calibration of an embedder that comes with mien, or that the user measured, or None.

    Raises ModelAltered if the file is not a calibration, or belongs to other weights or
    to another cohort.
    """
    folder, repair = SHIPPED, "reinstall mien"
    if not is_calibrated_by_mien(row.model.name):
        if row.calibration_dir is None:
            return None
        folder = row.calibration_dir
        repair = f"run: mien calibrate FOLDER --model {row.model.name}"
    path = folder / f"{row.model.name}.json"
    return read_calibration(path, row, repair=repair) if path.is_file() else None


def read_calibration(
    path: Path,
    row: EmbedderRow,
    *,
    repair: str,
    expect: Callable[[os.stat_result], None] = lambda status: None,
) -> Calibration:
    """The table in a file, and the cohort that it names. repair: what to do, in the message.

    expect: raises ValueError for a file that is not to be trusted. Raises ModelAltered for that,
    and as `load_calibration` does.
    """
    try:
        table: dict[str, Any] = json.loads(read_regular(path, MAX_TABLE_BYTES, expect=expect))
        if table["weights_sha256"] != row.id.sha256:
            raise ValueError("it was made with other weights")
        by_photos = {int(k): StrangerOdds.from_json(v) for k, v in table["by_photos"].items()}
        owners = {int(k): OwnerTrials(**v) for k, v in table.get("owners", {}).items()}
        cohort = None if table["cohort"] is None else load_cohort(path.parent, table["cohort"])
        if cohort is not None and cohort.vectors.shape[1] != row.dims:
            raise ValueError("its cohort has another vector length")
        return Calibration(row.model.name, str(table["provenance"]), by_photos, owners, cohort)
    except (AttributeError, KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        raise ModelAltered(
            f"the calibration of {row.model.name} is unusable: {error}; {repair}"
        ) from error
