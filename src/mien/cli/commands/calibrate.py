"""`mien calibrate`."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path

from mien.cli.output import CommandResult
from mien.errors import ExitCode, UsageError, install_hint
from mien.lab.calibrate import calibrate as calibrate_folder
from mien.lab.calibrate import write_calibration
from mien.lab.calibration_report import write_calibration_report
from mien.lab.local_calibration import calibrate_own_people, describe_local_calibration
from mien.lab.people_layout import people_root
from mien.matching.calibration import is_calibrated_by_mien, load_calibration
from mien.matching.local_calibration import LocalCalibration
from mien.models import EmbedderRow, find_embedder
from mien.settings import Settings, load_settings


def calibrate(args: Namespace) -> CommandResult:
    """args.folder: Path of a folder of people. args.model, args.face: which. args.name: its own."""
    settings = load_settings()
    args.folder, notes = people_root(args.folder)
    row = find_embedder(args.model, settings.data_dir)
    folder = row.calibration_dir
    day = datetime.now(timezone.utc).date().isoformat()
    if is_calibrated_by_mien(args.model) and getattr(args, "name", None) is not None:
        return _calibrate_own_people(args, row, settings, day, notes)
    if folder is None or is_calibrated_by_mien(args.model):
        raise UsageError(
            f"{args.model} comes with a calibration; give --name NAME for one of your own people,"
            " or --model a model that you added"
        )
    table, packed = calibrate_folder(
        args.folder, args.folder.name, day, model=args.model, settings=settings, choice=args.face
    )
    path = write_calibration(folder, table, packed)
    made = load_calibration(row)
    assert made is not None  # it was written just now
    lines = [f"calibrated {args.model} on {made.provenance}", *notes]
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
        "notes": notes,
        "thresholds": {
            str(k): made.threshold_among(1, photos=k).value for k in sorted(made.by_photos)
        },
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)


def _calibrate_own_people(
    args: Namespace, row: EmbedderRow, settings: Settings, day: str, notes: list[str]
) -> CommandResult:
    """A calibration beside the shipped one, and never laxer."""
    shipped = load_calibration(row)
    assert shipped is not None  # the model comes with it
    made = calibrate_own_people(
        args.folder,
        args.name,
        day,
        row=row,
        shipped=shipped,
        settings=settings,
        choice=args.face,
        warn=notes.append,
    )
    lines = [*describe_local_calibration(made), *notes]
    lines.append(f"  use it with --calibration {made.name}, or set MIEN_CALIBRATION={made.name}")
    report = _write_report(made, args.out)
    lines.append(f"report: {report}" if report else f"for a report, {install_hint('lab')}")
    data: dict[str, object] = {
        "outcome": "calibrated",
        "exit_code": 0,
        "model": args.model,
        "calibration": made.name,
        "report": str(report) if report else None,
        "provenance": made.provenance,
        "notes": notes,
        "thresholds": {
            str(k): made.threshold_among(1, photos=k).value for k in sorted(made.by_photos)
        },
        "supported_fmr": {str(k): odds.supported_fmr for k, odds in made.by_photos.items()},
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)


def _write_report(made: LocalCalibration, out: Path) -> Path | None:
    """The path of the report; None without the packages that draw it: the calibration is kept."""
    if find_spec("matplotlib") is None or find_spec("jinja2") is None:
        return None
    return write_calibration_report(made, out, now=datetime.now(timezone.utc))
