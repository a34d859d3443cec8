"""A calibration of the user's own people, which can only be stricter than the shipped one.

The file `calibrations/NAME/MODEL.json` in the data folder holds counts and thresholds, and the
`.npy` file beside it one embedding of each person of the cohort, without names. Both have mode
0600 and are refused if anybody else may write them. They are not encrypted: `mien compare` and
the service read them without the key of the vault. Whoever alters them cannot open a door,
because the shipped thresholds stay the least ones.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mien.errors import ModelAltered, UsageError, quote
from mien.matching.calibration import Calibration, OwnerTrials, load_calibration, read_calibration
from mien.matching.joint_cohort import JointCohort, join_cohorts
from mien.metrics.odds import StrangerOdds, StrangerReading
from mien.models.table import EmbedderRow
from mien.records import dataclass, field, replace
from mien.results import Threshold
from mien.settings import SHIPPED_CALIBRATION
from mien.system.ownership import is_of_another, others_may_write


@dataclass(frozen=True, slots=True, eq=False)
class LocalCalibration:
    """measured: on the user's own people, with `cohort`. shipped: the least thresholds."""

    name: str
    measured: Calibration
    shipped: Calibration
    cohort: JointCohort = field(repr=False)

    @property
    def model(self) -> str:
        return self.measured.model

    @property
    def provenance(self) -> str:
        return self.measured.provenance

    @property
    def is_own(self) -> bool:
        return True

    @property
    def by_photos(self) -> dict[int, StrangerOdds]:
        return self.measured.by_photos

    def owner_trials(self, photos: int) -> OwnerTrials | None:
        """How often the user's own people were refused; see `Calibration`."""
        return self.measured.owner_trials(photos)

    def threshold(self, target_fmr: float, *, photos: int) -> Threshold:
        """The higher of both thresholds. NotEnoughEvidence if one of them has too little."""
        return self._stricter(
            self.measured.threshold(target_fmr, photos=photos),
            self.shipped.threshold(target_fmr, photos=photos),
        )

    def threshold_among(self, enrolled: int, *, photos: int) -> Threshold:
        """The higher of both thresholds for the best of so many comparisons."""
        return self._stricter(
            self.measured.threshold_among(enrolled, photos=photos),
            self.shipped.threshold_among(enrolled, photos=photos),
        )

    def read(self, similarity: float, *, photos: int, among: int = 1) -> StrangerReading:
        """About once in how many one of these people would score this high."""
        return self.measured.read(similarity, photos=photos, among=among)

    def _stricter(self, measured: Threshold, shipped: Threshold) -> Threshold:
        words = f"calibration {self.name}: {measured.provenance}"
        if measured.value < shipped.value:
            words += "; raised to the shipped threshold"
        value = max(measured.value, shipped.value)
        return replace(measured, value=value, provenance=words, calibration=self.name)


def check_calibration_name(name: str) -> str:
    """Raises UsageError for a name that no calibration of one's own can have."""
    if name == SHIPPED_CALIBRATION or not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise UsageError(
            f"{quote(name)} cannot be the name of a calibration; use up to 40 of a-z, 0-9, - and _,"
            f" and not {SHIPPED_CALIBRATION}"
        )
    return name


def local_calibration_dir(name: str, data_dir: Path) -> Path:
    """The folder of a calibration. Raises UsageError for a name that it cannot have."""
    return data_dir / "calibrations" / check_calibration_name(name)


def load_named_calibration(
    row: EmbedderRow, name: str, data_dir: Path | None
) -> Calibration | LocalCalibration | None:
    """The shipped calibration, or the user's own of this name; None for a model without one.

    Raises what `load_calibration` and `load_local_calibration` raise.
    """
    shipped = load_calibration(row)
    if name == SHIPPED_CALIBRATION or data_dir is None:
        return shipped
    return load_local_calibration(row, shipped, name, data_dir)


def load_local_calibration(
    row: EmbedderRow, shipped: Calibration | None, name: str, data_dir: Path
) -> LocalCalibration:
    """Raises UsageError if there is none for this model, and ModelAltered if it is unusable."""
    path = local_calibration_dir(name, data_dir) / f"{row.model.name}.json"
    if shipped is None or shipped.cohort is None or not path.is_file():
        raise UsageError(
            f"there is no calibration {name} for {row.model.name}; run: mien calibrate DIR --name"
            f" {name} --model {row.model.name}, or give --calibration {SHIPPED_CALIBRATION}"
        )
    repair = f"run: mien calibrate DIR --name {name} --model {row.model.name}"
    measured = read_calibration(path, row, repair=repair, expect=_check_owner)
    if measured.cohort is None or isinstance(shipped.cohort, JointCohort):
        raise ModelAltered(f"the calibration {name} has no cohort; {repair}")
    return LocalCalibration(
        name, measured, shipped, join_cohorts(shipped.cohort, measured.cohort.vectors)
    )


def _check_owner(status: os.stat_result) -> None:
    if is_of_another(status) or others_may_write(status):
        raise ValueError("somebody else may write it; set its mode to 600")
