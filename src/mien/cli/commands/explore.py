"""`mien explore`."""

from __future__ import annotations

from argparse import Namespace

from mien.app.pipeline import open_pipeline
from mien.cli.output import CommandResult
from mien.cli.progress import photo_bar
from mien.errors import ExitCode
from mien.lab.explore.report import explore_folder
from mien.settings import load_settings


def explore(args: Namespace) -> CommandResult:
    """Write the report of a folder of people. args: folder, out, model, engine."""
    analysed, report = explore_folder(
        args.folder,
        args.out,
        open_pipeline(load_settings(engine=args.engine), args.model),
        progress=photo_bar,
    )
    count = len(set(analysed.people))
    lines = [f"{len(analysed.crops)} faces of {count} people"]
    lines += [f"  left out: {why}" for _, why in analysed.left_out]
    lines.append(f"report: {report}")
    data: dict[str, object] = {
        "outcome": "explored",
        "exit_code": 0,
        "faces": len(analysed.crops),
        "people": count,
        "left_out": [{"photo": str(path), "why": why} for path, why in analysed.left_out],
        "report": str(report),
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)
