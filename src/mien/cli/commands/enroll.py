"""`mien enroll`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime, timezone

from mien.app import enroll as use_cases
from mien.app.messages import enrollment_lines
from mien.app.pipeline import open_pipeline
from mien.app.voting import choose_frames
from mien.cli.commands.frames import frames_of
from mien.cli.output import CommandResult
from mien.cli.progress import photo_bar
from mien.cli.user_vault import open_user_vault
from mien.errors import ExitCode
from mien.media.image_file import ImageSource
from mien.media.photo_paths import find_photos
from mien.settings import load_settings
from mien.vault import check_user_name


def enroll(args: Namespace) -> CommandResult:
    user = check_user_name(args.name)
    frames = frames_of(args, bool(args.photos))
    photos: Sequence[ImageSource] = [] if frames else find_photos(args.photos)
    settings = load_settings(engine=args.engine)
    with open_user_vault(settings, create=True) as vault:
        pipeline = open_pipeline(settings, args.model)
        if frames is not None:
            photos = choose_frames(frames, pipeline)
        enrollment = use_cases.enroll(
            user,
            photos,
            pipeline=pipeline,
            vault=vault,
            mode="add" if args.add else "replace" if args.replace else "new",
            clock=lambda: datetime.now(timezone.utc),
            progress=photo_bar,
        )
    return CommandResult(
        ExitCode.OK,
        enrollment_lines(user, enrollment, verbose=args.verbose),
        enrollment.to_dict(user),
    )
