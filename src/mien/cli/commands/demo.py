"""`mien demo`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np

from mien.app.messages import left_out_lines
from mien.app.pipeline import open_pipeline
from mien.cli.output import CommandResult
from mien.cli.progress import bar, photo_bar, print_progress
from mien.errors import ExitCode
from mien.lab.demo.article_photos import fetch_url, find_article_photos
from mien.lab.demo.run import DemoResult, probe_rows, run_demo, run_small_demo
from mien.lab.labels import display_name
from mien.lab.report.html import expect_report_packages
from mien.liveness.passive import open_scorer
from mien.models.added import liveness_is_added
from mien.settings import load_settings

SEED = 20201013  # of the small demo's variants; the day of the article's first commit


def demo(args: Namespace) -> CommandResult:
    """Run the demo. args: photos (a folder, or None), owner, out, model, engine."""
    expect_report_packages()
    settings = load_settings(engine=args.engine)
    if sys.stderr is not None and sys.stderr.isatty():
        print_progress("mien demo: looking for photos, then finding faces")
    photos = args.photos or settings.photos_dir
    if photos is None:
        photos = find_article_photos(
            nearby=Path("../shared/photos"),
            cache_dir=settings.cache_dir,
            fetch=fetch_url,
            progress=lambda names: bar(names, "downloading the article's photos"),
        )
    pipeline = open_pipeline(settings, args.model)
    if photos is None:
        rng = np.random.default_rng(SEED)
        added = liveness_is_added(settings.engine, settings.data_dir)
        scorer = open_scorer(settings) if added else None
        return _demo_result(
            run_small_demo(args.out, pipeline, rng, score_face=scorer, progress=photo_bar)
        )
    result = run_demo(photos, args.out, pipeline, owner=args.owner, progress=photo_bar)
    return _demo_result(result)


def _demo_result(result: DemoResult) -> CommandResult:
    rows = probe_rows(result.probes)
    width = max(len(row[0]) for row in rows)
    lines = [result.note] if result.note else []
    lines += [f"unlocking for {display_name(result.owner)}, {result.faces} faces found"]
    lines += left_out_lines([why for _, why in result.left_out])
    lines += [f"  {'probe':{width}}  decision  similarity  threshold"]
    lines += [f"  {r[0]:{width}}  {r[1]:8}  {r[2]:>10}  {r[3]:>9}" for r in rows]
    lines += [f"report: {result.report}"]
    data: dict[str, object] = {
        "outcome": "shown",
        "exit_code": 0,
        "owner": result.owner,
        "note": result.note,
        "probes": [{"probe": probe.name, **probe.decision.to_dict()} for probe in result.probes],
        "report": str(result.report),
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)
