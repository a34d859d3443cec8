"""The arguments of `mien models` and `mien doctor`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mien.cli.arguments import CommandParser, Commands, add_command
from mien.cli.output import CommandResult

SEE_MODELS = "; mien models shows which models are there"


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    models = add_command(
        commands,
        "models",
        _run_models,
        "List the models with licence, hash and path.",
        interrupted=SEE_MODELS,
    )
    add = add_command(
        models.add_subparsers(metavar="add"),
        "add",
        _run_models,
        "Convert and keep a model that pip does not install.",
        interrupted=SEE_MODELS,
    )
    add.add_argument(
        "model",
        metavar="MODEL",
        help="An embedder of mien models, liveness for the models that check for a living face, "
        "or with --onnx a name.",
    )
    weights = add.add_mutually_exclusive_group()
    weights.add_argument(
        "--file",
        type=Path,
        metavar="PATH",
        help="The published weights, or for liveness the folder of them; default: download them.",
    )
    weights.add_argument(
        "--onnx", type=Path, metavar="PATH", help="A custom embedder, as one ONNX file."
    )
    _add_onnx_options(add)
    add_command(
        commands, "doctor", _run_doctor, "Check the installation and explain how to fix faults."
    )


def _add_onnx_options(add: CommandParser) -> None:
    """What has to be known of an embedder of the user's own."""
    add.add_argument(
        "--recipe",
        choices=("arcface112", "margin160"),
        help="With --onnx: five points on ArcFace's template, 112 px; or the box with a margin, "
        "160 px.",
    )
    add.add_argument(
        "--colour", choices=("rgb", "bgr"), help="With --onnx: the order of colours; default: rgb."
    )
    add.add_argument(
        "--mean",
        type=float,
        metavar="M",
        help="With --onnx: the net takes (pixel - M) / S, of pixels 0..255; default: 127.5.",
    )
    add.add_argument(
        "--std",
        type=float,
        metavar="S",
        help="With --onnx; default: 127.5 for arcface112, 128 for margin160.",
    )
    add.add_argument("--licence", metavar="TEXT", help="With --onnx: the licence of the weights.")


def _run_models(args: Namespace) -> CommandResult:
    from mien.cli.commands import models

    return models.add(args) if args.command == "add" else models.list_models(args)


def _run_doctor(args: Namespace) -> CommandResult:
    from mien.cli.commands.doctor import doctor

    return doctor(args)
