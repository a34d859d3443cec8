"""`mien explore`."""

from __future__ import annotations

from argparse import Namespace

from mien.app.messages import left_out_lines
from mien.app.pipeline import open_pipeline
from mien.cli.output import CommandResult
from mien.cli.progress import photo_bar
from mien.errors import ExitCode
from mien.lab.explore.report import explore_folder
from mien.lab.people_layout import people_root, warn_of_mixed
from mien.lab.report.html import expect_report_packages
from mien.settings import load_settings


def explore(args: Namespace) -> CommandResult:
    """Write the report of a folder of people. args: folder, out, model, engine."""
    expect_report_packages()
    root, notes = people_root(args.folder)
    pipeline = open_pipeline(load_settings(engine=args.engine), args.model)
    analysed, report = explore_folder(root, args.out, pipeline, progress=photo_bar)
    notes += warn_of_mixed(analysed.people, analysed.vectors, pipeline.matcher)
    count = len(set(analysed.people))
    faces = len(analysed.crops)
    lines = [f"{faces} face{'s' * (faces != 1)} of {count} {'person' if count == 1 else 'people'}"]
    lines += [*left_out_lines([why for _, why in analysed.left_out]), *notes]
    lines.append(f"report: {report}")
    data: dict[str, object] = {
        "outcome": "explored",
        "exit_code": 0,
        "faces": len(analysed.crops),
        "people": count,
        "left_out": [{"photo": str(path), "why": why} for path, why in analysed.left_out],
        "notes": notes,
        "report": str(report),
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)
