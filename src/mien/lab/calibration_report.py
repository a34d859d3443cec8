"""The report of a calibration on the user's own people: thresholds, evidence and refusals."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mien import __version__
from mien.lab.plots.thresholds import draw_thresholds
from mien.lab.report.html import Picture, ReportSection, Table, write_report
from mien.lab.report.output import make_folder
from mien.matching.local_calibration import LocalCalibration
from mien.metrics.evidence import format_rate

PICTURE = "thresholds.png"
READ = (
    "A threshold is the least score that unlocks. It is the higher one of what was measured on "
    "these people and of what comes with mien, so nobody is let in with a lower score than with "
    "the shipped calibration.\n\n"
    "Evidence says down to which false match rate (FMR) these people are enough: with n "
    "comparisons of strangers and no error, a rate under 3/n is not excluded. Thresholds beyond "
    "the evidence are estimates on the strict side."
)


def write_calibration_report(made: LocalCalibration, out: Path, *, now: datetime) -> Path:
    """Write the folder and give the path of report.html. UsageError if it cannot be written."""
    photos = sorted(made.by_photos)
    own = [made.threshold_among(1, photos=k).value for k in photos]
    shipped = [made.shipped.threshold_among(1, photos=k).value for k in photos]
    picture = draw_thresholds(
        photos, {made.name: own, "shipped": shipped}, make_folder(out) / PICTURE
    )
    header = ("photos", "threshold", "shipped", "evidence down to FMR", "owners refused")
    rows = tuple(
        (
            str(k),
            f"{mine:.3f}",
            f"{usual:.3f}",
            format_rate(made.by_photos[k].supported_fmr),
            _describe_owners(made, k),
        )
        for k, mine, usual in zip(photos, own, shipped, strict=True)
    )
    sections = [
        ReportSection("How to read this", READ),
        ReportSection(
            "By the number of enrolled photos",
            "",
            Table(header, rows),
            (Picture(picture, "Thresholds of this calibration and of the shipped one"),),
        ),
    ]
    footer = f"mien {__version__}, {made.model}, {now:%Y-%m-%d %H:%M} UTC"
    title = f"mien calibrate: {made.name}"
    return write_report(out, title, sections, note=made.provenance, footer=footer)


def _describe_owners(made: LocalCalibration, photos: int) -> str:
    trials = made.measured.owners.get(photos)
    if trials is None:
        return "not measured"
    return f"{trials.refused:,} of {trials.tries:,} photos of {trials.people:,} people"
