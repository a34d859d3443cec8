"""`mien enroll`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime, timezone

from mien.app import enroll as use_cases
from mien.app.enroll import Mode
from mien.app.enrollment import Enrollment
from mien.app.messages import enrollment_lines
from mien.app.pipeline import open_pipeline
from mien.app.voting import choose_frames
from mien.cli.commands.frames import frames_of
from mien.cli.output import CommandResult
from mien.cli.progress import photo_bar
from mien.cli.questions import ask_yes
from mien.cli.user_vault import open_user_vault
from mien.errors import AnotherFace, ExitCode, UsageError
from mien.media.image_file import ImageSource
from mien.media.photo_paths import find_photos, named_files
from mien.settings import load_settings
from mien.vault import check_user_name


def enroll(args: Namespace) -> CommandResult:
    user = check_user_name(args.name)
    if args.yes and not args.replace:
        raise UsageError("--yes needs --replace; pass both or neither")
    frames = frames_of(args, bool(args.photos))
    photos: Sequence[ImageSource] = [] if frames else find_photos(args.photos)
    named: frozenset[ImageSource] = frozenset() if frames else named_files(args.photos)
    settings = load_settings(engine=args.engine, calibration=args.calibration)
    with open_user_vault(settings, create=True) as vault:
        pipeline = open_pipeline(settings, args.model)
        if frames is not None:
            pipeline.search_turns = args.rotate == "auto"
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
            )

        try:
            enrollment = store(_mode(args))
        except AnotherFace as error:
            if not _is_confirmed(error):
                raise
            enrollment = store("replace_person")
    return CommandResult(
        ExitCode.OK,
        enrollment_lines(user, enrollment, verbose=args.verbose),
        enrollment.to_dict(user),
    )


def _mode(args: Namespace) -> Mode:
    if args.replace:
        return "replace_person" if args.yes else "replace"
    return "add" if args.add else "new"


def _is_confirmed(error: AnotherFace) -> bool:
    """Ask at the terminal whether another face may take the place; no without a terminal."""
    what_happened = str(error).partition(";")[0]
    return ask_yes(f"{what_happened}. Replace that face?", default=False)
