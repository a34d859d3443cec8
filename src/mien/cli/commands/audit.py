"""`mien audit DIR`: how far a photo can be changed, and whether a mirror image matters."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from mien.app.messages import left_out_lines
from mien.app.pipeline import Pipeline, open_pipeline
from mien.cli.output import CommandResult
from mien.cli.progress import bar, estimated, print_progress
from mien.errors import ExitCode, ModelMissing, UnreadableImage, quote_path
from mien.lab.audit.conclusion import conclusion
from mien.lab.audit.report import (
    JSON_NAME,
    NONE,
    audit_data,
    mirror_findings,
    table_rows,
    write_audit,
)
from mien.lab.audit.run import Audit, ModelAudit, limit_size, run_audit
from mien.lab.audit.simulated_attacks import measure_simulated
from mien.lab.audit.steps import STEPS
from mien.lab.explore.folder import NamedPhoto
from mien.lab.labels import display_name
from mien.lab.people_layout import people_root
from mien.lab.report.html import expect_report_packages
from mien.liveness.passive import ScoreFace, open_scorer
from mien.media.image_file import read_image
from mien.media.photo_paths import find_people_photos
from mien.metrics import ErrorRate
from mien.models import ADDED_ROWS, find_embedder
from mien.results import ByteArray
from mien.settings import DEFAULT_MODEL, Settings, load_settings

QUESTION = (
    "question: how far may a photo change before its owner is refused or a stranger accepted,"
    " and is a mirrored face the same face?"
)
SEED = 20201013  # of what is drawn: noise, where a bar lies, what is cut off


def audit(args: Namespace) -> CommandResult:
    """args.folder, args.out: Paths. args.model: names of embedders, or None for the default.

    args.attacks: also simulate attacks on the liveness check. Raises ModelMissing without it.
    """

    expect_report_packages()
    settings = load_settings()
    root, notes = people_root(args.folder)
    scorer = open_scorer(settings) if args.attacks else None  # missing models are said at once
    pipelines, skipped = _pipelines(args.model or [], settings)
    found = run_audit(
        root,
        pipelines,
        np.random.default_rng(SEED),
        progress=_announced,
    )
    notes += found.mixed
    title = f"mien audit {display_name(args.folder.resolve().name)}"
    report = write_audit(args.out, found, title=title, seed=SEED)
    simulated = {} if scorer is None else _simulated(root, pipelines[0], scorer)
    lines = [*_lines(found), *_simulated_lines(simulated), *notes]
    lines += [*(f"skipped: {why}" for why in skipped), f"report: {report}"]
    lines.append(conclusion(found))
    data: dict[str, object] = {
        "outcome": "audited",
        "exit_code": 0,
        **audit_data(found, seed=SEED),
        "skipped": list(skipped),
        "notes": notes,
        "conclusion": conclusion(found),
        "simulated_attacks": {
            name: {"passed": rate.errors, "of": rate.trials} for name, rate in simulated.items()
        },
        "report": str(report),
        "figures": str(args.out / JSON_NAME),
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)


def _announced(photos: Sequence[NamedPhoto]) -> Iterable[NamedPhoto]:
    """The photos; says the question, and after the first photo how long all will take."""
    print_progress(QUESTION)
    return estimated(bar(photos, "changing photos"), len(photos))


def _simulated(folder: Path, pipeline: Pipeline, scorer: ScoreFace) -> dict[str, ErrorRate]:
    paths = [path for path, _ in find_people_photos(folder)]

    def readable() -> Iterator[ByteArray]:
        for path in bar(paths, "simulating attacks"):
            with suppress(UnreadableImage):  # the audit has listed it
                yield limit_size(read_image(path))

    return measure_simulated(readable(), pipeline, scorer, np.random.default_rng(SEED))


def _simulated_lines(simulated: Mapping[str, ErrorRate]) -> list[str]:
    if not simulated:
        return []
    lines = ["simulated attacks that pass the passive check (a simulation, not a recording):"]
    return lines + [f"  {name} {rate}" for name, rate in simulated.items()]


def _pipelines(asked: Sequence[str], settings: Settings) -> tuple[list[Pipeline], list[str]]:
    """Those that can be opened, and why others cannot. ModelMissing if none can be.

    With no name asked for, the table's other rows that were not added are mentioned.
    """

    pipelines: list[Pipeline] = []
    skipped: list[str] = []
    for name in dict.fromkeys(asked or [DEFAULT_MODEL]):
        try:
            pipelines.append(open_pipeline(settings, name))
        except ModelMissing as error:
            skipped.append(str(error))
            last = error
    if not pipelines:
        raise last
    return pipelines, skipped if asked else _not_added(settings)


def _not_added(settings: Settings) -> list[str]:

    missing = []
    for name in ADDED_ROWS:
        try:
            find_embedder(name, settings.data_dir)
        except ModelMissing as error:
            missing.append(str(error))
    return missing


def _lines(found: Audit) -> list[str]:

    photos = "1 photo" if found.photos == 1 else f"{found.photos} photos"
    people = "1 person" if found.people == 1 else f"{found.people} people"
    lines = [f"{photos} of {people}"]
    lines += left_out_lines(
        [f"{quote_path(name)}: {why.replace('_', ' ')}" for name, why in found.left_out]
    )
    lines += mirror_findings(found)
    for one in found.models:
        lines += _table(one)
    return lines


def _table(one: ModelAudit) -> list[str]:
    """A row for each change at its strongest, either way."""

    rows = table_rows(one)
    strongest = [row for row, step in zip(rows[1:], STEPS, strict=True) if abs(step.strength) == 1]
    itself = not one.unchanged.genuine.tried
    header = ("change", "amount", "found", "mean", "owner accepted", "strangers accepted")
    kept = (0, 1, 2, 3, 7 if itself else 6, 8)
    table = [
        header,
        *([row[at].replace(NONE, "-") for at in kept] for row in [rows[0], *strongest]),
    ]
    widths = [max(len(row[at]) for row in table) for at in range(len(header))]
    title = f"{one.model}, threshold {one.threshold.value:.3f}, each change at its strongest"
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in table]
    return [f"{title}:", *(f"  {line.rstrip()}" for line in lines)]
