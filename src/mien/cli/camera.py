"""The arguments of `mien camera`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mien.cli.arguments import (
    CommandParser,
    Commands,
    add_command,
    add_engine_option,
    add_group,
    camera_device,
)
from mien.cli.output import CommandResult


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    group = add_group(commands, "camera", "List cameras, and see what they give.")
    add_command(group, "list", _run_camera, "List the cameras, and why other nodes are left out.")
    test = add_command(
        group, "test", _run_camera, "Open a camera, measure its frames, and search a face."
    )
    add_engine_option(test)
    _add_device(test)
    snapshot = add_command(
        group, "snapshot", _run_camera, "Take one frame, and show it small on the terminal."
    )
    _add_device(snapshot)
    snapshot.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="Write the frame as PNG, readable by you alone; default: it stays in memory.",
    )


def _add_device(command: CommandParser) -> None:
    device = command.add_argument(
        "device",
        nargs="?",
        type=camera_device,
        metavar="DEVICE",
        help="A number or a path; default: the best camera.",
    )
    command.late_positionals = (device,)
    command.add_argument(
        "--infrared",
        action="store_true",
        help="Without DEVICE: take the best infrared camera, not a colour one.",
    )


def _run_camera(args: Namespace) -> CommandResult:
    from mien.cli.commands import camera

    commands = {"list": camera.list_all, "test": camera.test, "snapshot": camera.snapshot}
    return commands[args.command](args)
