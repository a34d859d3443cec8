"""One function per command: open the parts, call one use case, put the answer into words.

An `CommandResult` carries no picture and no embedding, so neither can reach a log.
Imports of the parts lie inside the functions: `mien forget` loads no model.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import ExitCode, UsageError
from mien.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mien.app.pipeline import Pipeline
    from mien.app.verify import Look
    from mien.lab.demo.run import DemoResult
    from mien.media.frame import Frame
    from mien.media.image_file import Source
    from mien.results import Decision, ModelId
    from mien.vault.vault import Vault

DEFAULT_MODEL = "sface"
SEED = 20201013  # of the small demo's variants; the day of the article's first commit


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command says: lines for people, data for programs, a code for both."""

    exit_code: ExitCode
    lines: tuple[str, ...]
    data: dict[str, object]


def enroll(args: Namespace) -> CommandResult:
    from mien.app.messages import enrollment_data, enrollment_lines
    from mien.app.pipeline import open_pipeline
    from mien.app.verify import enroll
    from mien.cli.progress import photo_bar
    from mien.media.image_file import photo_paths
    from mien.vault import check_user_name

    user = check_user_name(args.name)
    frames = frames_of(args, bool(args.photos))
    photos: Sequence[Source] = [] if frames else photo_paths(args.photos)
    settings = load_settings(engine=args.engine)
    with open_vault_of(settings, create=True) as vault:
        pipeline = open_pipeline(settings, args.model)
        if frames is not None:
            from mien.app.voting import choose_frames

            photos = choose_frames(frames, pipeline)
        enrollment = enroll(
            user,
            photos,
            pipeline=pipeline,
            vault=vault,
            mode="add" if args.add else "replace" if args.replace else "new",
            clock=lambda: datetime.now(timezone.utc),
            progress=photo_bar,
        )
    return CommandResult(
        ExitCode.UNLOCKED, enrollment_lines(user, enrollment), enrollment_data(user, enrollment)
    )


def unlock(args: Namespace) -> CommandResult:
    settings = load_settings(engine=args.engine)
    usual = _start_pipeline(settings, args.model or DEFAULT_MODEL)
    from mien.app import verify as use_cases
    from mien.app.messages import decision_data, describe_decision
    from mien.models import EMBEDDERS
    from mien.vault import check_user_name

    def pipeline_of(enrolled_with: ModelId | None) -> Pipeline:
        name = DEFAULT_MODEL if enrolled_with is None else enrolled_with.name
        if args.model is None and name in EMBEDDERS and name != DEFAULT_MODEL:
            return _start_pipeline(settings, name)
        return usual

    user = check_user_name(args.name)
    show = _what_is_shown(args)
    if args.target_fmr is not None:  # no more is supported for more photos: not worth an attempt
        usual.threshold_for(photos=1, target_fmr=args.target_fmr)
    with open_vault_of(settings, create=False) as vault:
        decision = use_cases.try_door(
            user,
            show,
            vault=vault,
            pipeline_of=pipeline_of,
            target_fmr=args.target_fmr,
            tell_unknown=True,  # whoever runs this can read the list of people anyway
        )
    word = "unlocked" if decision else "locked"
    return CommandResult(
        decision.outcome,
        (f"{word}: {user}, {describe_decision(decision)}",),
        {"user": user, **decision_data(decision)},
    )


def _what_is_shown(args: Namespace) -> Callable[[Look], Decision]:
    """The photo, read now, or the frames that are to vote."""
    frames = frames_of(args, args.photo is not None)
    if frames is not None:
        from mien.app.voting import vote

        return lambda look: vote(frames, look)
    from mien.media.image_file import read_image

    image = read_image(args.photo)
    return lambda look: look(image)


def identify(args: Namespace) -> CommandResult:
    from mien.app import verify as use_cases
    from mien.app.messages import decision_data, describe_decision
    from mien.app.pipeline import open_pipeline
    from mien.media.image_file import read_image

    settings = load_settings(engine=args.engine)
    image = read_image(args.photo)
    with open_vault_of(settings, create=False) as vault:
        found = use_cases.identify(image, vault=vault, pipeline=open_pipeline(settings, args.model))
    who = found.user or "nobody enrolled"
    return CommandResult(
        found.decision.outcome,
        (f"{who}: {describe_decision(found.decision)}",),
        {"user": found.user, **decision_data(found.decision)},
    )


def compare(args: Namespace) -> CommandResult:
    from mien.app import verify as use_cases
    from mien.app.messages import decision_data, describe_scores
    from mien.app.pipeline import open_pipeline
    from mien.media.image_file import read_image

    a_rgb, b_rgb = read_image(args.a), read_image(args.b)
    decision, _, _ = use_cases.compare(
        a_rgb, b_rgb, open_pipeline(load_settings(engine=args.engine), args.model)
    )
    word = "one person" if decision else "two people"
    return CommandResult(
        decision.outcome,
        (f"{word}: {describe_scores(decision)}",),
        decision_data(decision),
    )


def people(args: Namespace) -> CommandResult:
    with open_vault_of(load_settings(), create=False) as vault:
        heads = vault.heads()
    lines = [f"{head.user}  enrolled {head.created_at}  with {head.model.name}" for head in heads]
    data: dict[str, object] = {
        "outcome": "listed",
        "exit_code": 0,
        "people": [
            {"user": head.user, "enrolled": head.created_at, "model": head.model.name}
            for head in heads
        ],
    }
    nobody = ("nobody is enrolled; run: mien enroll NAME PHOTO...",)
    return CommandResult(ExitCode.UNLOCKED, tuple(lines) or nobody, data)


def forget(args: Namespace) -> CommandResult:
    from mien.app import verify as use_cases

    with open_vault_of(load_settings(), create=False) as vault:
        user = use_cases.forget(args.name, vault)
    data: dict[str, object] = {"outcome": "forgotten", "exit_code": 0, "user": user}
    return CommandResult(ExitCode.UNLOCKED, (f"forgot {user}",), data)


def explore(args: Namespace) -> CommandResult:
    from mien.app.pipeline import open_pipeline
    from mien.cli.progress import photo_bar
    from mien.lab.gallery import explore_folder

    gallery, report = explore_folder(
        args.folder,
        args.out,
        open_pipeline(load_settings(engine=args.engine), args.model),
        progress=photo_bar,
    )
    count = len(set(gallery.people))
    lines = [f"{len(gallery.crops)} faces of {count} people"]
    lines += [f"  left out: {why}" for _, why in gallery.left_out]
    lines.append(f"report: {report}")
    data: dict[str, object] = {
        "outcome": "explored",
        "exit_code": 0,
        "faces": len(gallery.crops),
        "people": count,
        "left_out": [{"photo": str(path), "why": why} for path, why in gallery.left_out],
        "report": str(report),
    }
    return CommandResult(ExitCode.UNLOCKED, tuple(lines), data)


def demo(args: Namespace) -> CommandResult:
    import numpy as np

    from mien.app.pipeline import open_pipeline
    from mien.cli.progress import bar, photo_bar
    from mien.lab.demo.article_photos import fetch_url, find_article_photos
    from mien.lab.demo.run import run_demo, run_small_demo

    settings = load_settings(engine=args.engine)
    photos = args.photos or settings.photos_dir
    if photos is None:
        photos = find_article_photos(
            nearby=Path("../shared/photos"),
            cache_dir=settings.cache_dir,
            fetch=fetch_url,
            progress=lambda names: bar(names, "fetching the article's photos"),
        )
    pipeline = open_pipeline(settings, args.model)
    if photos is None:
        rng = np.random.default_rng(SEED)
        return _demo_answer(run_small_demo(args.out, pipeline, rng, progress=photo_bar))
    result = run_demo(photos, args.out, pipeline, owner=args.owner, progress=photo_bar)
    return _demo_answer(result)


def models(args: Namespace) -> CommandResult:
    from mien.app.health import model_states

    states = model_states(load_settings())
    lines = [f"{'model':12} {'licence':11} {'sha256':13} {'state':9} where"]
    lines += [
        f"{s.row.name:12} {s.row.licence:11} {s.row.sha256[:12]:13} {s.state:9} {s.where}"
        for s in states
    ]
    bad = any(s.state != "ok" for s in states)
    data: dict[str, object] = {
        "outcome": "model_unavailable" if bad else "listed",
        "exit_code": int(ExitCode.MODEL_UNAVAILABLE if bad else ExitCode.UNLOCKED),
        "models": [
            {
                "name": s.row.name,
                "purpose": s.row.purpose,
                "licence": s.row.licence,
                "sha256": s.row.sha256,
                "state": s.state,
                "where": s.where,
            }
            for s in states
        ],
    }
    return CommandResult(
        ExitCode.MODEL_UNAVAILABLE if bad else ExitCode.UNLOCKED, tuple(lines), data
    )


def doctor(args: Namespace) -> CommandResult:
    from mien.app.health import check_all

    checks = check_all(load_settings())
    marks = {"ok": "ok  ", "advice": "note", "broken": "FAIL"}
    lines = tuple(f"{marks[c.state]} {c.what}: {c.found}" for c in checks)
    code = next((c.exit_code for c in checks if c.state == "broken"), ExitCode.UNLOCKED)
    data: dict[str, object] = {
        "outcome": "healthy" if code == 0 else code.name.lower(),
        "exit_code": int(code),
        "checks": [{"what": c.what, "state": c.state, "found": c.found} for c in checks],
    }
    return CommandResult(code, lines, data)


def _start_pipeline(settings: Settings, model: str) -> Pipeline:
    """Called first, imported first: its nets load on threads while the rest gets ready."""
    from mien.app.pipeline import open_pipeline

    return open_pipeline(settings, model)


def frames_of(args: Namespace, photo: bool) -> Iterator[Frame] | None:
    """The frames of --camera or --frames; None where a photo was given. UsageError for two."""
    given = [photo, args.camera is not None, args.frames is not None]
    if sum(given) != 1:
        raise UsageError(
            f"give a photo, --camera or --frames, and one of them only; see: {args.prog} --help"
        )
    if photo:
        return None
    from time import monotonic

    from mien.media.camera import device_frames
    from mien.media.video import film_frames

    if not 0 < args.timeout <= 600:
        raise UsageError("--timeout is in seconds, more than 0 and at most 600")
    if args.frames is not None:
        return film_frames(args.frames, clock=monotonic, timeout_s=args.timeout)
    return device_frames(args.camera, clock=monotonic, timeout_s=args.timeout)


def open_vault_of(settings: Settings, *, create: bool, surface: str = "command") -> Vault:
    """The vault of these settings, for a command; asks for its passphrase where it has one."""
    from mien.vault.crypto.passphrase import passphrase_prompt
    from mien.vault.open import open_vault

    ask = passphrase_prompt(settings.passphrase_file, "passphrase of the vault")
    return open_vault(settings, create=create, surface=surface, ask=ask)


def _demo_answer(result: DemoResult) -> CommandResult:
    from mien.app.messages import decision_data
    from mien.lab.demo.run import probe_rows
    from mien.lab.names import shown_name

    rows = probe_rows(result.probes)
    width = max(len(row[0]) for row in rows)
    lines = [result.note] if result.note else []
    lines += [f"door of {shown_name(result.owner)}, {result.faces} faces found"]
    lines += [f"  left out: {why}" for _, why in result.left_out]
    lines += [f"  {'probe':{width}}  decision  similarity  threshold"]
    lines += [f"  {r[0]:{width}}  {r[1]:8}  {r[2]:>10}  {r[3]:>9}" for r in rows]
    lines += [f"report: {result.report}"]
    data: dict[str, object] = {
        "outcome": "shown",
        "exit_code": 0,
        "owner": result.owner,
        "note": result.note,
        "probes": [
            {"probe": probe.name, **decision_data(probe.decision)} for probe in result.probes
        ],
        "report": str(result.report),
    }
    return CommandResult(ExitCode.UNLOCKED, tuple(lines), data)
