"""`mien unlock`. What is imported inside its functions is not needed by every unlock, or may come
later than the models, which load on threads of their own meanwhile.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from mien.app.pipeline import Pipeline, open_pipeline
from mien.cli.commands.frames import decide_on, frames_to_decide_on, liveness_lines, name_of
from mien.cli.output import CommandResult
from mien.models import known_embedders
from mien.settings import DEFAULT_MODEL, load_settings

if TYPE_CHECKING:
    from mien.media.halved_photo import DoorPhoto
    from mien.results import Decision, ModelId


def unlock(args: Namespace) -> CommandResult:
    settings = load_settings(engine=args.engine, calibration=args.calibration)
    usual = open_pipeline(settings, args.model or DEFAULT_MODEL)
    from mien.app.messages import describe_decision
    from mien.app.verify import Verifier
    from mien.cli.user_vault import open_user_vault

    def pipeline_of(enrolled_with: ModelId | None) -> Pipeline:
        name = DEFAULT_MODEL if enrolled_with is None else enrolled_with.name
        is_usual = args.model is not None or name == DEFAULT_MODEL
        if is_usual or name not in known_embedders(settings.data_dir):
            chosen = usual
        else:
            chosen = open_pipeline(settings, name)
        chosen.search_turns = frames is None or args.rotate == "auto"
        return chosen

    user = name_of(args)
    frames = frames_to_decide_on(args, settings)
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
            from_camera=args.camera is not None,
        )
        with verifier:
            decision = verifier.conclude(decide_on(verifier, shown, settings, args))
    words = describe_decision(decision, verbose=args.verbose)
    return _result(
        user, decision, words, liveness_lines(decision, args, settings, a_photo_may="unlock")
    )


def _result(user: str, decision: Decision, words: str, notes: tuple[str, ...]) -> CommandResult:
    word = "unlocked" if decision else "locked"
    liveness = decision.liveness
    return CommandResult(
        decision.outcome.exit_code,
        (f"{word}: {user}, {words}", *notes),
        {
            "user": user,
            **decision.to_dict(),
            "liveness": None if liveness is None else liveness.to_dict(),
        },
    )


def _read_photo(path: str) -> DoorPhoto:
    from mien.media.image_file import read_door_photo

    return read_door_photo(path)
