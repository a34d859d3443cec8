"""`mien evaluate pairs`, `folder`, `attacks` and `record`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import date, datetime, timezone

from mien.app.pipeline import open_pipeline
from mien.cli.commands.frames import frames_of
from mien.cli.output import CommandResult
from mien.cli.progress import bar
from mien.errors import ExitCode, UsageError
from mien.lab.evaluate import attacks, recording, run
from mien.lab.evaluate.attack_manifest import read_manifest
from mien.lab.evaluate.attack_report import write_attack_report
from mien.lab.evaluate.embeddings import FaceChoice, open_photo_embedder
from mien.lab.evaluate.json_data import evaluation_data
from mien.lab.evaluate.report import JSON_NAME, summary_lines, write_evaluation
from mien.lab.evaluate.run import Evaluation, EvaluationPlan, EvaluationProgress, Method
from mien.lab.people_layout import describe_mixed, people_root
from mien.lab.report.html import expect_report_packages
from mien.liveness.passive import open_scorer
from mien.matching.calibration import load_calibration
from mien.matching.matcher import Matcher
from mien.models import find_embedder
from mien.settings import Settings, load_settings, usable_cores

MAX_SECONDS = 60.0
STARTING_S = 10.0  # that a camera may take before its first frame
SEED = 20071001  # of the bootstrap; the month in which LFW was published
FLIP: dict[str, tuple[Method, ...]] = {
    "both": ("plain", "flip-averaged"),
    "yes": ("flip-averaged",),
    "no": ("plain",),
}


def evaluate_pairs(args: Namespace) -> CommandResult:
    """args.pairs: Path of the pairs file. args.images: Path of the folder of people.

    And what both commands have: model, engine, workers (or None), flip_average (a key of `FLIP`),
    no_cache, out.
    """

    expect_report_packages()
    settings = load_settings(engine=args.engine)
    plan = _plan(args, "centre", settings)
    evaluation = run.evaluate_pairs(
        args.pairs, args.images, plan, settings=settings, progress=_progress()
    )
    return _answer(args, evaluation, settings)


def evaluate_folder(args: Namespace) -> CommandResult:
    """args.folder: Path of the folder of people. args.face: which face of a photo counts."""

    expect_report_packages()
    settings = load_settings(engine=args.engine)
    plan = _plan(args, args.face, settings)
    root, notes = people_root(args.folder)
    evaluation = run.evaluate_folder(root, plan, settings=settings, progress=_progress())
    return _answer(args, evaluation, settings, notes)


def evaluate_attacks(args: Namespace) -> CommandResult:
    """args.manifest: Path of the list of clips. args.engine, args.out."""
    expect_report_packages()
    settings = load_settings(engine=args.engine)
    clips = read_manifest(args.manifest)
    scorer = open_scorer(settings)
    evaluation = attacks.evaluate_attacks(
        bar(clips, "scoring clips"), pipeline=open_pipeline(settings), score_face=scorer
    )
    data = attacks.evaluation_data(evaluation)
    path = attacks.write_scores(data, args.out)
    title = f"Attacks of {args.manifest.name}"
    report = write_attack_report(evaluation, args.out, title=title)
    lines = (*attacks.summary_lines(evaluation), f"scores: {path}", f"report: {report}")
    files: dict[str, object] = {"json": str(path), "report": str(report)}
    data = {"outcome": "evaluated", "exit_code": 0, **files, **data}
    return CommandResult(ExitCode.OK, lines, data)


def record(args: Namespace) -> CommandResult:
    """args.folder; --camera or --frames; the columns of the manifest."""
    if not 0 < args.seconds <= MAX_SECONDS:
        raise UsageError(f"--seconds must be more than 0 and at most {MAX_SECONDS:.0f}")
    args.timeout = args.timeout or args.seconds + STARTING_S
    frames = frames_of(args, photo=False)
    assert frames is not None
    columns = {
        **{name: getattr(args, name) for name in ("label", "split", "subject", "species")},
        **{name: getattr(args, name) for name in ("instrument", "support", "light")},
        "session_day": date.today().isoformat(),
        "camera": str(args.frames) if args.camera is None else args.camera or "best",
    }
    made = recording.record_clip(frames, args.folder, columns, seconds=args.seconds)
    manifest = args.folder / recording.MANIFEST_NAME
    lines = (
        f"recorded {made.name}: {made.frames} frames, {made.fps:.1f} a second, in {manifest}",
        *recording.what_is_missing(read_manifest(manifest)),
    )
    data: dict[str, object] = {
        "outcome": "recorded",
        "exit_code": 0,
        "clip": made.name,
        "frames": made.frames,
        "fps": round(made.fps, 3),
        "manifest": str(manifest),
    }
    return CommandResult(ExitCode.OK, lines, data)


def _plan(args: Namespace, choice: FaceChoice, settings: Settings) -> EvaluationPlan:
    """With cohort score normalisation last, where the model has a cohort: unlocking uses it."""

    methods = FLIP[args.flip_average]
    row = find_embedder(args.model, settings.data_dir)
    calibration = load_calibration(row)
    cohort = None if calibration is None else calibration.cohort
    if cohort is not None and "plain" in methods:
        methods = (*methods, "normalised")
    if args.centre:
        if cohort is None:
            raise UsageError(
                f"centring needs the mean embedding of at least {run.MIN_CENTRING_PEOPLE} people, "
                f"and {args.model} has no cohort; run: mien calibrate FOLDER --model {args.model}"
            )
        methods = (*methods, "centred")
    return EvaluationPlan(
        model=args.model,
        choice=choice,
        workers=usable_cores() if args.workers is None else args.workers,
        methods=methods,
        use_cache=not args.no_cache,
        seed=SEED,
        cohort=cohort,
        threshold=Matcher(row).threshold_for(photos=1).value,
    )


def _progress() -> EvaluationProgress:

    return EvaluationProgress(
        photos=lambda photos: bar(photos, "embedding photos"),
        blocks=lambda blocks: bar(blocks, "comparing"),
    )


def _answer(
    args: Namespace, evaluation: Evaluation, settings: Settings, notes: Sequence[str] = ()
) -> CommandResult:
    now = datetime.now(timezone.utc)
    plan = evaluation.plan
    embedder = open_photo_embedder(settings, plan.model, plan.choice)
    report = write_evaluation(evaluation, args.out, cut=embedder.crop, now=now)
    n = len(evaluation.people.photos)
    notes = [*notes, *_mixed_folders(evaluation)]
    lines = [*summary_lines(evaluation), *notes]
    if evaluation.cache_was_damaged:
        lines.append("the cache of embeddings was damaged and was created again")
    lines.append(f"{n - evaluation.computed:,} of {n:,} embeddings came from the cache")
    lines.append(f"report: {report}")
    data: dict[str, object] = {
        "outcome": "evaluated",
        "exit_code": 0,
        "report": str(report),
        "json": str(args.out / JSON_NAME),
        "notes": notes,
        **evaluation_data(evaluation, now),
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)


def _mixed_folders(evaluation: Evaluation) -> list[str]:
    """Warnings, by the true pairs as an unlock scores them."""
    plan = evaluation.plan
    found = [one for one in evaluation.methods if one.name == plan.unlock_method]
    if not found or plan.threshold is None:
        return []
    genuine = found[0].genuine
    people = [evaluation.people.name_of(int(row)) for row in genuine.a]
    return describe_mixed(people, genuine.scores >= plan.threshold)
