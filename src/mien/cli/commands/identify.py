"""`mien identify`."""

from __future__ import annotations

from argparse import Namespace

from mien.app.identify import Identification, Identifier
from mien.app.messages import describe_decision
from mien.app.pipeline import open_pipeline
from mien.cli.commands.frames import decide_on, frames_to_decide_on, liveness_lines
from mien.cli.output import CommandResult
from mien.cli.user_vault import open_user_vault
from mien.errors import Outcome
from mien.media.image_file import read_door_photo
from mien.settings import Settings, load_settings


def identify(args: Namespace) -> CommandResult:
    settings = load_settings(engine=args.engine, calibration=args.calibration)
    frames = frames_to_decide_on(args, settings)
    shown = read_door_photo(args.photo) if frames is None else frames
    with open_user_vault(settings, create=False) as vault:
        pipeline = open_pipeline(settings, args.model)
        pipeline.search_turns = frames is None or args.rotate == "auto"
        with Identifier(vault=vault, pipeline=pipeline) as identifier:
            decision = decide_on(identifier, shown, settings, args)
            found = identifier.conclude(decision)
    return _result(found, args, settings)


def _result(found: Identification, args: Namespace, settings: Settings) -> CommandResult:
    decision = found.decision
    no_match = "no match" if decision.outcome is Outcome.NOT_THE_OWNER else "not identified"
    words = describe_decision(decision, verbose=args.verbose)
    lines = [f"{found.user or no_match}: {words}"]
    if found.also:
        lines.append(f"  not certain: {', '.join(found.also)} would be accepted as well")
    lines += liveness_lines(decision, args, settings, a_photo_may="be taken for somebody")
    liveness = decision.liveness
    data = {**found.to_dict(), "liveness": None if liveness is None else liveness.to_dict()}
    return CommandResult(decision.outcome.exit_code, tuple(lines), data)
