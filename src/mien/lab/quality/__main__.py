"""Fit the quality gate of SFace to a folder of people, and report what it lets through.

    python -m mien.lab.quality FOLDER YYYY-MM-DD [--people 360] [--source NAME] [--write]

FOLDER/NAME/*.jpg: each person's first photo is measured as it is and degraded in the ways of
`mien.lab.quality.degrade`. The report is of people whom the gate was not fitted to; the table that
--write puts in the place of the shipped one is fitted to all.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from mien.faces.quality.gate import SHIPPED
from mien.files import write_whole
from mien.lab.quality.fit import MeasuredPhotos, fit_gate, label_samples
from mien.lab.quality.measure import NAMES, measure_folder
from mien.lab.quality.report import report_lines, scores_held_out
from mien.lab.quality.strangers import Alikeness
from mien.matching.matcher import Matcher
from mien.models import SFACE
from mien.settings import load_settings

AT_THE_DOOR = tuple(name for name in NAMES if name != "mirror_cosine")


def main(arguments: list[str]) -> None:
    """Measure, report, and write the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("day")
    parser.add_argument("--people", type=int, default=360)
    parser.add_argument("--source", help="name of the photos; default: that of the folder")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args(arguments)
    samples = measure_folder(args.folder, args.people, load_settings())
    alike = Alikeness(samples.vectors, samples.person, samples.is_clean, Matcher(SFACE))
    for title, names in (("enrollment", NAMES), ("probe", AT_THE_DOOR)):
        print(f"\n{title}")
        print("\n".join(report_lines(samples, alike, scores_held_out(samples, alike, names))))
    if args.write:
        table = gate_table(samples, alike, args.source or args.folder.name, args.day)
        write_whole(SHIPPED / "sface.json", (json.dumps(table, indent=1) + "\n").encode())


def gate_table(
    samples: MeasuredPhotos, alike: Alikeness, source: str, day: str
) -> dict[str, object]:
    """What `mien.faces.quality.gate.load_gates` reads, fitted to all samples."""
    labels = label_samples(samples, alike)
    rows = np.arange(len(samples.kind))
    people, kinds = len(np.unique(samples.person)), len(np.unique(samples.kind))
    return {
        "model": SFACE.model.name,
        "weights_sha256": SFACE.id.sha256,
        "provenance": f"{people:,} people of {source} in {kinds} kinds of photo, {day}",
        "enrollment": fit_gate(samples, labels, NAMES, rows),
        "probe": fit_gate(samples, labels, AT_THE_DOOR, rows),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
