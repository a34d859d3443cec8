"""The arguments of `mien demo`, `explore`, `audit` and `evaluate`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mien.cli.arguments import (
    CommandParser,
    Commands,
    add_command,
    add_engine_option,
    add_frame_options,
    add_group,
    add_model_options,
    add_out_option,
)
from mien.cli.output import CommandResult
from mien.settings import DEFAULT_MODEL

LABELS, SPLITS = ("live", "attack"), ("enroll", "devel", "test")  # as in the manifest of attacks
A_FOLDER_PER_PERSON = "A folder with one subfolder of photos per person."


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    demo = add_command(commands, "demo", _run_demo, "Run every step on a folder of people.")
    add_model_options(demo)
    demo.add_argument("--photos", type=Path, metavar="DIR", help=A_FOLDER_PER_PERSON)
    demo.add_argument("--owner", metavar="NAME", help="The person to enroll.")
    add_out_option(demo, "mien-report")

    explore = add_command(
        commands,
        "explore",
        _run_explore,
        "Show the faces of a folder, their similarities and a map.",
    )
    add_model_options(explore)
    explore.add_argument("folder", type=Path, metavar="DIR", help=A_FOLDER_PER_PERSON)
    add_out_option(explore, "mien-explore")

    audit = add_command(
        commands, "audit", _run_audit, "Measure how changes of a photo move similarities."
    )
    audit.add_argument("folder", type=Path, metavar="DIR", help=A_FOLDER_PER_PERSON)
    audit.add_argument(
        "--model", action="append", metavar="MODEL", help="Audit this model; may be repeated."
    )
    audit.add_argument(
        "--attacks",
        action="store_true",
        help="Also show prints and screens, as a simulation, to the liveness check.",
    )
    add_out_option(audit, "mien-audit")
    _add_calibrate(commands)
    _add_evaluate(commands)


def _add_calibrate(commands: Commands) -> None:
    calibrate = add_command(
        commands,
        "calibrate",
        _run_measurement,
        "Measure the thresholds of a model on a folder of your own people.",
    )
    calibrate.add_argument("folder", type=Path, metavar="DIR", help=A_FOLDER_PER_PERSON)
    calibrate.add_argument(
        "--name",
        default="local",
        metavar="NAME",
        help="Keep it beside the shipped calibration under this name; default: local.",
    )
    calibrate.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help=f"A model of mien models; default: {DEFAULT_MODEL}.",
    )
    calibrate.add_argument(
        "--face",
        choices=("largest", "centre"),
        default="largest",
        help="Which face of each photo to use.",
    )
    calibrate.add_argument(
        "--out",
        type=Path,
        default=Path("calibration"),
        metavar="DIR",
        help="Folder for the report on your own people; default: calibration.",
    )


def _add_evaluate(commands: Commands) -> None:
    group = add_group(commands, "evaluate", "Measure the error rates of a model on your photos.")
    pairs = add_command(
        group, "pairs", _run_measurement, "Evaluate the pairs of an LFW-style protocol."
    )
    pairs.add_argument(
        "--pairs", type=Path, required=True, metavar="FILE", help="Pairs file of the protocol."
    )
    pairs.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help=A_FOLDER_PER_PERSON
    )
    folder = add_command(
        group, "folder", _run_measurement, "Evaluate all pairs of the photos in a folder of people."
    )
    folder.add_argument("folder", type=Path, metavar="DIR", help=A_FOLDER_PER_PERSON)
    folder.add_argument(
        "--face",
        choices=("largest", "centre"),
        default="largest",
        help="Use this face of each photo; default: largest.",
    )
    for parser in (pairs, folder):
        _add_evaluate_options(parser)
    attacks = add_command(
        group,
        "attacks",
        _run_measurement,
        "Evaluate the liveness check on clips of people and attacks.",
    )
    add_engine_option(attacks)
    attacks.add_argument(
        "manifest", type=Path, metavar="MANIFEST", help="A CSV file with a line for each clip."
    )
    add_out_option(attacks, "mien-attacks")
    _add_record(group)


def _add_record(group: Commands) -> None:
    record = add_command(
        group, "record", _run_measurement, "Record a clip for `mien evaluate attacks`."
    )
    record.add_argument("folder", type=Path, metavar="DIR", help="Gets clips and manifest.csv.")
    add_frame_options(record)
    record.add_argument("--seconds", type=float, default=8.0, metavar="S", help="Default: 8.")
    record.add_argument("--label", choices=LABELS, required=True)
    record.add_argument("--split", choices=SPLITS, default="test", help="Default: test.")
    record.add_argument("--subject", required=True, metavar="NAME", help="Whose face it is.")
    record.add_argument("--species", default="", help="Kind of attack, such as print.")
    for name, what in (("instrument", "Such as the printer."), ("support", "Hand or fixed.")):
        record.add_argument(f"--{name}", default="", help=what)
    record.add_argument("--light", default="", help="Such as daylight.")


def _add_evaluate_options(parser: CommandParser) -> None:
    add_model_options(parser)
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="Number of processes; default: the number of cores.",
    )
    parser.add_argument(
        "--flip-average",
        choices=("both", "yes", "no"),
        default="both",
        help="Average each embedding with that of the mirrored crop; default: evaluate both ways.",
    )
    parser.add_argument(
        "--centre",
        action="store_true",
        help="Also evaluate embeddings minus the mean embedding of the cohort.",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="Do not use the cache of embeddings."
    )
    add_out_option(parser, "mien-evaluation")


def _run_demo(args: Namespace) -> CommandResult:
    from mien.cli.commands.demo import demo

    return demo(args)


def _run_explore(args: Namespace) -> CommandResult:
    from mien.cli.commands.explore import explore

    return explore(args)


def _run_audit(args: Namespace) -> CommandResult:
    from mien.cli.commands.audit import audit

    return audit(args)


def _run_measurement(args: Namespace) -> CommandResult:
    from mien.cli.commands import calibrate, evaluate

    runs = {
        "calibrate": calibrate.calibrate,
        "pairs": evaluate.evaluate_pairs,
        "folder": evaluate.evaluate_folder,
        "attacks": evaluate.evaluate_attacks,
        "record": evaluate.record,
    }
    return runs[args.command](args)
