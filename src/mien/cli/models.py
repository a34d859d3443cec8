"""The arguments of `mien models` and `mien doctor`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mien.cli.arguments import Commands, add_command
from mien.cli.output import CommandResult

SEE_MODELS = "; mien models shows which models are there"


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    models = add_command(
        commands,
        "models",
        _run_models,
        "List the models: licence, hash, where they are.",
        interrupted=SEE_MODELS,
    )
    add = add_command(
        models.add_subparsers(metavar="add"),
        "add",
        _run_models,
        "Convert and keep a model that pip does not install.",
        interrupted=SEE_MODELS,
    )
    add.add_argument("model", metavar="MODEL")
    add.add_argument(
        "--file", type=Path, metavar="PATH", help="The published weights; default: download them."
    )
    add_command(
        commands, "doctor", _run_doctor, "Check the installation and say what to do about faults."
    )


def _run_models(args: Namespace) -> CommandResult:
    from mien.cli.commands import models

    return models.add(args) if args.command == "add" else models.list_models(args)


def _run_doctor(args: Namespace) -> CommandResult:
    from mien.cli.commands.doctor import doctor

    return doctor(args)
