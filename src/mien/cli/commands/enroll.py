"""`mien enroll`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone

from mien.app import enroll as use_cases
from mien.app.enroll import Mode
from mien.app.enroll_people import OF_ONE_PERSON, PersonResult, enroll_people
from mien.app.enrollment import Enrollment
from mien.app.live_challenge import NOT_PASSED
from mien.app.messages import enrollment_lines
from mien.app.pipeline import Pipeline, open_pipeline
from mien.app.voting import choose_frames
from mien.cli.commands.frames import frames_of, name_of
from mien.cli.commands.live_decision import living_frames
from mien.cli.output import CommandResult
from mien.cli.progress import photo_bar
from mien.cli.questions import ask_yes
from mien.cli.user_vault import open_user_vault
from mien.errors import (
    AnotherFace,
    ExitCode,
    Outcome,
    UsageError,
)
from mien.lab.people_layout import people_root
from mien.media.image_file import ImageSource
from mien.media.photo_paths import find_people_photos, find_photos, named_files
from mien.models.added import liveness_is_added
from mien.settings import Settings, load_settings
from mien.vault import check_user_name
from mien.vault.vault import Vault

NOT_CHECKED = (
    "  warning: not checked for a living person, a photo held to the camera may have been enrolled;"
    " run: mien models add liveness"
)


def enroll(args: Namespace) -> CommandResult:
    user = name_of(args)
    _check_options(args)
    settings = load_settings(engine=args.engine, calibration=args.calibration)
    args.challenge = args.challenge or needs_challenge(args, settings)
    frames = frames_of(args, bool(args.photos), real_camera=args.challenge)
    photos: Sequence[ImageSource] = [] if frames else find_photos(args.photos)
    named: frozenset[ImageSource] = frozenset() if frames else named_files(args.photos)
    with open_user_vault(settings, create=True) as vault:
        pipeline, history = open_pipeline(settings, args.model), None
        if frames is not None:
            pipeline.search_turns = args.rotate == "auto"
            if args.challenge:
                living = living_frames(frames, pipeline, settings)
                if living is None:
                    return _not_living(user)
                frames, history = iter(living.frames), living.history
            photos = choose_frames(frames, pipeline)

        def store(mode: Mode) -> Enrollment:
            return use_cases.enroll(
                user,
                photos,
                pipeline=pipeline,
                vault=vault,
                mode=mode,
                clock=lambda: datetime.now(timezone.utc),
                progress=photo_bar,
                # frames are arrays, which no set can hold
                may_skip=lambda photo: frames is not None or photo not in named,
                liveness=history,
            )

        try:
            enrollment = store(_mode(args))
        except AnotherFace as error:
            if not _is_confirmed(error):
                raise
            enrollment = store("replace_person")
    return _enrolled(user, enrollment, args)


def enroll_folder(args: Namespace) -> CommandResult:
    """Enroll each person of args.folder; whoever cannot be enrolled is named, and the others are.

    The exit code is that of the first who was not enrolled, or 0.
    """
    if args.name is not None or args.photos or args.camera is not None or args.frames is not None:
        raise UsageError("--folder takes the place of NAME, PHOTO, --camera and --frames")
    settings = load_settings(engine=args.engine, calibration=args.calibration)
    root, notes = people_root(args.folder)
    photos: dict[str, list[ImageSource]] = {}
    for path, person in find_people_photos(root):
        photos.setdefault(check_user_name(person), []).append(path)
    lines, results = [*notes], list[dict[str, object]]()
    pipeline = open_pipeline(settings, args.model)
    with open_user_vault(settings, create=True) as vault:
        for found in _enroll_all(photos, args, pipeline, vault):
            if found.enrollment is not None:
                lines += enrollment_lines(found.user, found.enrollment, verbose=args.verbose)
                results.append(found.enrollment.to_dict(found.user))
            elif found.error is not None:
                error = found.error
                lines.append(f"not enrolled: {found.user}: {error}")
                code = int(error.outcome.exit_code)
                failed = {"outcome": error.outcome.value, "user": found.user, "error": str(error)}
                results.append({**failed, "exit_code": code})
    return _enrolled_folder(lines, results)


def _enroll_all(
    photos: Mapping[str, Sequence[ImageSource]], args: Namespace, pipeline: Pipeline, vault: Vault
) -> Iterator[PersonResult]:
    """Together, or one after the other where photos are added to earlier templates."""
    mode = _mode(args)
    if mode != "add":
        yield from enroll_people(
            photos.items(),
            pipeline=pipeline,
            vault=vault,
            mode=mode,
            progress=photo_bar,
            may_skip=lambda photo: True,
        )
        return
    for user, its in photos.items():
        try:
            enrollment = use_cases.enroll(
                user,
                its,
                pipeline=pipeline,
                vault=vault,
                mode=mode,
                clock=lambda: datetime.now(timezone.utc),
                progress=photo_bar,
                may_skip=lambda photo: True,
            )
        except OF_ONE_PERSON as error:
            yield PersonResult(user, error=error)
        else:
            yield PersonResult(user, enrollment)


def _enrolled_folder(lines: list[str], results: list[dict[str, object]]) -> CommandResult:
    failed = [one for one in results if one["outcome"] != "enrolled"]
    first = failed[0] if failed else {"outcome": "enrolled", "exit_code": 0}
    count = len(results) - len(failed)
    lines.append(f"enrolled {count} of {len(results)} people")
    data: dict[str, object] = {
        "outcome": first["outcome"],
        "exit_code": first["exit_code"],
        "people": results,
    }
    return CommandResult(ExitCode(int(str(first["exit_code"]))), tuple(lines), data)


def _check_options(args: Namespace) -> None:
    if args.yes and not args.replace:
        raise UsageError("--yes needs --replace; pass both or neither")
    if args.challenge and args.photos:
        raise UsageError("--challenge needs --camera; a photo cannot do what is asked")


def _enrolled(user: str, enrollment: Enrollment, args: Namespace) -> CommandResult:
    lines = enrollment_lines(user, enrollment, verbose=args.verbose)
    if args.camera is not None and not args.challenge:
        lines = (*lines, NOT_CHECKED)
    return CommandResult(ExitCode.OK, lines, enrollment.to_dict(user))


def needs_challenge(args: Namespace, settings: Settings) -> bool:
    """Whether whoever sits before the camera must show to be alive: if the models were added.

    With a setting that asks for a living person also without them, which is then an error.
    """
    if args.camera is None or settings.liveness == "off":
        return False
    return settings.asks_for_life or liveness_is_added(settings.engine, settings.data_dir)


def _not_living(user: str) -> CommandResult:
    data: dict[str, object] = {
        "outcome": Outcome.NOT_LIVE.value,
        "exit_code": int(ExitCode.NOT_LIVE),
        "user": user,
        "reason": NOT_PASSED,
    }
    return CommandResult(ExitCode.NOT_LIVE, (f"not enrolled: {user}, {NOT_PASSED}",), data)


def _mode(args: Namespace) -> Mode:
    if args.replace:
        return "replace_person" if args.yes else "replace"
    return "add" if args.add else "new"


def _is_confirmed(error: AnotherFace) -> bool:
    """Ask at the terminal whether another face may take the place; no without a terminal."""
    what_happened = str(error).partition(";")[0]
    return ask_yes(f"{what_happened}. Replace that face?", default=False)
