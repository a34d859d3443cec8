"""`mien unlock`. What is imported inside its functions is not needed by every unlock, or may come
later than the models, which load on threads of their own meanwhile.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mien.app.pipeline import Pipeline, open_pipeline
from mien.cli.commands.frames import frames_of
from mien.cli.output import CommandResult
from mien.models import known_embedders
from mien.settings import DEFAULT_MODEL, load_settings
from mien.vault import check_user_name

if TYPE_CHECKING:
    from mien.app.verify import Verifier
    from mien.media.frame import Frame
    from mien.results import ByteArray, Decision, ModelId


def unlock(args: Namespace) -> CommandResult:
    settings = load_settings(engine=args.engine)
    usual = open_pipeline(settings, args.model or DEFAULT_MODEL)
    from mien.app.messages import describe_decision
    from mien.app.verify import Verifier
    from mien.cli.user_vault import open_user_vault

    def pipeline_of(enrolled_with: ModelId | None) -> Pipeline:
        name = DEFAULT_MODEL if enrolled_with is None else enrolled_with.name
        if args.model is not None or name == DEFAULT_MODEL:
            return usual
        is_known = name in known_embedders(settings.data_dir)
        return open_pipeline(settings, name) if is_known else usual

    user = check_user_name(args.name)
    frames = frames_of(args, args.photo is not None)
    shown = _read_photo(args.photo) if frames is None else frames
    if args.target_fmr is not None:  # no more is supported for more photos: not worth an attempt
        usual.matcher.threshold_for(photos=1, target_fmr=args.target_fmr)
    with open_user_vault(settings, create=False) as vault:
        verifier = Verifier(
            user,
            vault=vault,
            pipeline_of=pipeline_of,
            target_fmr=args.target_fmr,
            tell_unknown=True,  # whoever runs this can read the list of people anyway
        )
        with verifier:
            decision = verifier.conclude(_decide(verifier, shown))
    word = "unlocked" if decision else "locked"
    return CommandResult(
        decision.outcome.exit_code,
        (f"{word}: {user}, {describe_decision(decision)}",),
        {"user": user, **decision.to_dict()},
    )


def _read_photo(path: str) -> ByteArray:
    from mien.media.image_file import read_image

    return read_image(path)


def _decide(verifier: Verifier, shown: ByteArray | Iterator[Frame]) -> Decision:
    """On the photo, or by a vote of the frames."""
    if not isinstance(shown, Iterator):
        return verifier(shown)
    from mien.app.voting import vote

    return vote(shown, verifier)
