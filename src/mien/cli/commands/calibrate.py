"""`mien calibrate`."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, timezone

from mien.cli.output import CommandResult
from mien.errors import ExitCode, UsageError
from mien.lab.calibrate import calibrate as calibrate_folder
from mien.lab.calibrate import write_calibration
from mien.matching.calibration import is_calibrated_by_mien, load_calibration
from mien.models import find_embedder
from mien.settings import load_settings


def calibrate(args: Namespace) -> CommandResult:
    """args.folder: Path of a folder of people. args.model: its name. args.face: which counts."""
    settings = load_settings()
    row = find_embedder(args.model, settings.data_dir)
    folder = row.calibration_dir
    if folder is None or is_calibrated_by_mien(args.model):
        raise UsageError(
            f"{args.model} comes with a calibration; give --model a model that you added"
        )
    day = datetime.now(timezone.utc).date().isoformat()
    table, packed = calibrate_folder(
        args.folder, args.folder.name, day, model=args.model, settings=settings, choice=args.face
    )
    path = write_calibration(folder, table, packed)
    made = load_calibration(row)
    assert made is not None  # it was written just now
    lines = [f"calibrated {args.model} on {made.provenance}"]
    lines += [
        f"  {made.threshold_among(1, photos=k).value:.4f} with {k} enrolled: "
        f"{made.threshold_among(1, photos=k).provenance}"
        for k in sorted(made.by_photos)
    ]
    data: dict[str, object] = {
        "outcome": "calibrated",
        "exit_code": 0,
        "model": args.model,
        "calibration": str(path),
        "provenance": made.provenance,
        "thresholds": {
            str(k): made.threshold_among(1, photos=k).value for k in sorted(made.by_photos)
        },
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)
