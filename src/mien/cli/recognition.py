"""The arguments of the commands that enroll, recognise and manage people."""

from __future__ import annotations

from argparse import Action, Namespace
from pathlib import Path

from mien.cli.arguments import (
    CommandParser,
    Commands,
    add_calibration_option,
    add_command,
    add_frame_options,
    add_model_options,
)
from mien.cli.output import CommandResult
from mien.errors import UsageError

SEE_LIST = "; mien list shows who is enrolled"
ATTEMPT_COUNTS = "; the attempt counts as a failure"


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    _add_enroll(commands)
    _add_unlock(commands)
    identify = add_command(
        commands,
        "identify",
        _run_compare,
        "Find out which enrolled person a photo or a camera shows.",
        interrupted=ATTEMPT_COUNTS,
    )
    add_model_options(identify)
    add_calibration_option(identify)
    _add_verbose_option(identify)
    photo = identify.add_argument("photo", nargs="?", metavar="PHOTO")
    identify.late_positionals = (photo,)
    add_frame_options(identify, with_name=False)
    _add_challenge_option(identify)
    compare = add_command(
        commands, "compare", _run_compare, "Decide whether two photos show the same person."
    )
    add_model_options(compare)
    add_calibration_option(compare)
    _add_verbose_option(compare)
    compare.add_argument("a", metavar="A")
    compare.add_argument("b", metavar="B")
    _add_people(commands)


def _add_people(commands: Commands) -> None:
    add_command(commands, "list", _run_people, "List the enrolled people.")
    photos = add_command(
        commands,
        "photos",
        _run_people,
        "List the photos of a person's template and what it learned, or remove one.",
        interrupted=SEE_LIST,
    )
    photos.add_argument("name", metavar="NAME")
    change = photos.add_mutually_exclusive_group()
    change.add_argument("--remove", type=int, metavar="N", help="Remove the photo of this number.")
    change.add_argument(
        "--follow",
        choices=("on", "off"),
        help="Let the template learn from unlocks at a camera, or not any more; default: off.",
    )
    change.add_argument(
        "--undo-learned",
        type=int,
        nargs="?",
        const=0,
        metavar="N",
        help="Remove the learned face of this number, or all of them.",
    )
    photos.add_argument("--yes", action="store_true", help="Do not ask.")
    _add_not_me(commands)
    forget = add_command(
        commands, "forget", _run_people, "Delete a person's template.", interrupted=SEE_LIST
    )
    forget.add_argument("name", metavar="NAME")
    forget.add_argument("--yes", action="store_true", help="Do not ask.")
    rename = add_command(
        commands, "rename", _run_people, "Give a person another name.", interrupted=SEE_LIST
    )
    rename.add_argument("name", metavar="NAME")
    rename.add_argument("new_name", metavar="NEW_NAME")


def _add_not_me(commands: Commands) -> None:
    not_me = add_command(
        commands,
        "not-me",
        _run_people,
        "Mark an unlock of NAME as somebody else's, who then stays locked.",
        interrupted=SEE_LIST,
    )
    not_me.add_argument("name", metavar="NAME")
    not_me.add_argument(
        "--unlock",
        type=int,
        metavar="N",
        help="One of the last unlocks, as mien photos NAME numbers them; default: 1, the last.",
    )
    not_me.add_argument(
        "--undo",
        type=int,
        nargs="?",
        const=1,
        metavar="N",
        help="Remove the mark of this number; default: 1, the last.",
    )


def _add_enroll(commands: Commands) -> None:
    enroll = add_command(
        commands,
        "enroll",
        _run_enroll,
        "Enroll a person from photos or a camera.",
        aliases=("enrol",),
        interrupted=SEE_LIST,
    )
    add_model_options(enroll)
    add_calibration_option(enroll)
    name = _add_name(enroll)
    photos = enroll.add_argument(
        "photos", nargs="*", metavar="PHOTO", help="Files, folders and quoted glob patterns."
    )
    enroll.late_positionals = (name, photos)
    add_frame_options(enroll)
    enroll.add_argument(
        "--challenge",
        action="store_true",
        help="With --frames: ask for movements of the head, as --camera does.",
    )
    _add_existing_options(enroll)


def _add_existing_options(enroll: CommandParser) -> None:
    """What to do with a person who is enrolled, and what to print."""
    existing = enroll.add_mutually_exclusive_group()
    existing.add_argument(
        "--add", action="store_true", help="Keep the photos that NAME was enrolled with before."
    )
    existing.add_argument(
        "--replace", action="store_true", help="Drop the photos that NAME was enrolled with before."
    )
    enroll.add_argument(
        "--folder",
        type=Path,
        metavar="PEOPLE_DIR",
        help="In place of NAME and PHOTO: enroll each person of a folder with one subfolder each.",
    )
    _add_verbose_option(enroll)
    enroll.add_argument(
        "--yes",
        action="store_true",
        help="With --replace: do not ask, even if the photos show another face than before.",
    )


def _add_unlock(commands: Commands) -> None:
    unlock = add_command(
        commands,
        "unlock",
        _run_unlock,
        "Decide whether a photo or a camera shows NAME.",
        interrupted=ATTEMPT_COUNTS,
    )
    add_model_options(unlock, default=None)
    add_calibration_option(unlock)
    unlock.add_argument(
        "--target-fmr",
        type=float,
        metavar="SHARE",
        help="Share of strangers that may pass; default: 1e-4, one in ten thousand.",
    )
    name = _add_name(unlock)
    photo = unlock.add_argument("photo", nargs="?", metavar="PHOTO")
    unlock.late_positionals = (name, photo)
    _add_verbose_option(unlock)
    add_frame_options(unlock)
    _add_challenge_option(unlock)


def _add_challenge_option(command: CommandParser) -> None:
    command.add_argument(
        "--challenge",
        action="store_true",
        help="With a camera: ask for two movements of the head, which a picture cannot make.",
    )


def _add_name(command: CommandParser) -> Action:
    return command.add_argument(
        "name", nargs="?", metavar="NAME", help="With --camera, default: your own login name."
    )


def _require_name(args: Namespace) -> None:
    """Only a camera sees whoever runs this: a photo or a film is of somebody to be named."""
    if args.name is None and args.camera is None:
        raise UsageError(f"the following arguments are required: NAME; see: {args.prog} --help")


def _add_verbose_option(parser: CommandParser) -> None:
    parser.add_argument(
        "--verbose", action="store_true", help="Also print similarities and thresholds."
    )


def _run_enroll(args: Namespace) -> CommandResult:
    if args.folder is None:
        _require_name(args)
    from mien.cli.commands import enroll

    return enroll.enroll(args) if args.folder is None else enroll.enroll_folder(args)


def _run_unlock(args: Namespace) -> CommandResult:
    _require_name(args)
    from mien.cli.commands.unlock import unlock

    return unlock(args)


def _run_compare(args: Namespace) -> CommandResult:
    from mien.cli.commands import compare, identify

    return compare.compare(args) if args.command == "compare" else identify.identify(args)


def _run_people(args: Namespace) -> CommandResult:
    from mien.cli.commands import kept_faces, people

    commands = {
        "not-me": kept_faces.not_me,
        "list": people.list_people,
        "photos": people.photos,
        "forget": people.forget,
        "rename": people.rename,
    }
    return commands[args.command](args)
