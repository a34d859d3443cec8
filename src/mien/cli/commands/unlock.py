"""`mien unlock`. What is imported inside its functions is not needed by every unlock, or may come
later than the models, which load on threads of their own meanwhile.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from mien.app.pipeline import Pipeline, open_pipeline
from mien.cli.commands.frames import frames_of
from mien.cli.output import CommandResult
from mien.models import known_embedders
from mien.settings import DEFAULT_MODEL, load_settings
from mien.vault import check_user_name

if TYPE_CHECKING:
    from mien.app.verify import Look
    from mien.results import Decision, ModelId


def unlock(args: Namespace) -> CommandResult:
    settings = load_settings(engine=args.engine)
    usual = open_pipeline(settings, args.model or DEFAULT_MODEL)
    from mien.app import verify as use_cases
    from mien.app.messages import decision_data, describe_decision
    from mien.cli.user_vault import open_user_vault

    def pipeline_of(enrolled_with: ModelId | None) -> Pipeline:
        name = DEFAULT_MODEL if enrolled_with is None else enrolled_with.name
        if args.model is not None or name == DEFAULT_MODEL:
            return usual
        is_known = name in known_embedders(settings.data_dir)
        return open_pipeline(settings, name) if is_known else usual

    user = check_user_name(args.name)
    show = _what_is_shown(args)
    if args.target_fmr is not None:  # no more is supported for more photos: not worth an attempt
        usual.threshold_for(photos=1, target_fmr=args.target_fmr)
    with open_user_vault(settings, create=False) as vault:
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
        decision.outcome.exit_code,
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
