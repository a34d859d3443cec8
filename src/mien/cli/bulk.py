"""The arguments of `mien bulk`."""

from __future__ import annotations

from argparse import Namespace

from mien.cli.arguments import (
    Commands,
    add_calibration_option,
    add_command,
    add_group,
    add_model_options,
)
from mien.cli.output import CommandResult

GO_ON = "; what is complete is kept: run again with --resume"


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    group = add_group(commands, "bulk", "Embed and enroll many photos, on one machine or several.")
    _add_embed(group)
    _add_enroll(group)


def _add_embed(group: Commands) -> None:
    embed = add_command(
        group,
        "embed",
        _run,
        "Embed all photos of a folder into sealed shards.",
        interrupted=GO_ON,
    )
    embed.add_argument(
        "source", metavar="SOURCE", help="A folder or a URL such as s3://bucket/photos."
    )
    embed.add_argument("--out", required=True, metavar="DEST", help="Folder or URL of the shards.")
    add_model_options(embed)
    embed.add_argument(
        "--workers", type=int, metavar="N", help="Number of processes; default: one for each core."
    )
    embed.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="Use the workers of this Dask scheduler, such as tls://head:8786.",
    )
    embed.add_argument(
        "--resume", action="store_true", help="Go on with the run in DEST, if there is one."
    )
    embed.add_argument(
        "--plain",
        action="store_true",
        help="Do not encrypt the shards: whoever can read them can recognise the people.",
    )
    embed.add_argument(
        "--quick",
        action="store_true",
        help="Look at photos as an unlock does; such shards cannot be enrolled.",
    )
    embed.add_argument(
        "--photo-limit", type=float, default=60.0, metavar="S", help="For one photo; default: 60."
    )


def _add_enroll(group: Commands) -> None:
    enroll = add_command(
        group,
        "enroll",
        _run,
        "Enroll the people of a folder of shards.",
        interrupted="; mien list shows who is enrolled",
    )
    enroll.add_argument("shards", metavar="SHARDS", help="DEST of mien bulk embed.")
    add_model_options(enroll)
    add_calibration_option(enroll)
    existing = enroll.add_mutually_exclusive_group()
    existing.add_argument(
        "--keep", action="store_true", help="Who is enrolled already is no failure, and stays."
    )
    existing.add_argument(
        "--replace", action="store_true", help="Replace the template of who is enrolled."
    )
    enroll.add_argument("--plain", action="store_true", help="Accept shards that are not sealed.")


def _run(args: Namespace) -> CommandResult:
    from mien.cli.commands import bulk

    return bulk.embed(args) if args.command == "embed" else bulk.enroll(args)
