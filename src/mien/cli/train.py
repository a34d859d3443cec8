"""The arguments of `mien train byol`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mien.cli.arguments import CommandParser, Commands, add_command, add_group
from mien.cli.output import CommandResult
from mien.cli.progress import print_progress
from mien.errors import quote_path


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    group = add_group(commands, "train", "Train an embedder on your photos: an experiment.")
    byol = add_command(
        group,
        "byol",
        _run_byol,
        "Train an embedder without labels, and keep it if it refuses no more true pairs.",
        interrupted="; go on with --resume",
    )
    byol.add_argument("folder", type=Path, metavar="FOLDER", help="Photos to train on.")
    byol.add_argument(
        "--eval",
        type=Path,
        required=True,
        metavar="PEOPLE",
        help="A folder with one subfolder of photos for each of 30 or more other people.",
    )
    byol.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="Checkpoint, log and report."
    )
    byol.add_argument(
        "--from",
        dest="start",
        default="facenet-casia-webface",
        metavar="MODEL",
        help="Start from this model, or from scratch; default: facenet-casia-webface.",
    )
    byol.add_argument(
        "--part",
        choices=("last", "all"),
        help="Train the last layers or all; default: last, and all from scratch.",
    )
    _add_run_options(byol)


def _add_run_options(byol: CommandParser) -> None:
    """How long, how fast and on what to train."""
    byol.add_argument("--steps", type=int, default=400, metavar="N", help="Default: 400.")
    byol.add_argument("--batch", type=int, default=64, metavar="N", help="Photos a step; 64.")
    byol.add_argument(
        "--lr", type=float, metavar="R", help="Learning rate; default: 3e-5, from scratch 1e-3."
    )
    byol.add_argument(
        "--view-size",
        type=int,
        default=160,
        metavar="PX",
        help="Side of the views that are trained on, 80 to 160; smaller is faster; default: 160.",
    )
    byol.add_argument("--seed", type=int, default=0, metavar="N", help="Of all chance; default: 0.")
    byol.add_argument("--resume", action="store_true", help="Go on from the checkpoint in --out.")
    byol.add_argument("--device", default="auto", metavar="D", help="Train on auto, cpu or cuda.")
    byol.add_argument(
        "--precision", choices=("fp32", "bf16"), default="fp32", help="Default: fp32."
    )
    byol.add_argument(
        "--face", choices=("largest", "centre"), default="largest", help="The face that counts."
    )


def _run_byol(args: Namespace) -> CommandResult:
    print_progress(f"training on {quote_path(args.folder)}: loading torch")
    from mien.cli.commands.train import byol

    return byol(args)
