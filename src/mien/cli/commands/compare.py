"""`mien compare`."""

from __future__ import annotations

from argparse import Namespace

from mien.app.messages import describe_decision, describe_scores
from mien.app.pipeline import open_pipeline
from mien.app.verify import compare_images
from mien.cli.output import CommandResult
from mien.media.image_file import read_image
from mien.settings import load_settings


def compare(args: Namespace) -> CommandResult:
    a_rgb, b_rgb = read_image(args.a), read_image(args.b)
    decision, _, _ = compare_images(
        a_rgb,
        b_rgb,
        open_pipeline(load_settings(engine=args.engine, calibration=args.calibration), args.model),
    )
    word = "same person" if decision else "different people"
    scores = describe_scores(decision, verbose=args.verbose)
    words = f"{word}: {scores}" if scores else word
    if decision.faults:
        words = describe_decision(decision, verbose=args.verbose)
    data = decision.to_dict()
    if decision or not decision.faults:  # nobody was let in, and no owner was refused
        data["outcome"] = word.replace(" ", "_")
    return CommandResult(decision.outcome.exit_code, (words,), data)
