"""The parser class of all commands, and the options that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from mien.cli.output import CommandResult, print_text
from mien.errors import UsageError, quote
from mien.settings import ALL_ENGINES, DEFAULT_MODEL

EXIT_CODES = """exit codes:
  0 unlocked, or done         5 unreadable image     10 model missing or altered
  1 not the owner             6 not enrolled         11 key unavailable
  2 usage                     7 too many attempts    12 camera unavailable
  3 no face                   8 vault damaged        70 internal error
  4 several faces             9 not a live person   130 interrupted"""

Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"
RunCommand: TypeAlias = Callable[[argparse.Namespace], CommandResult]


class CommandParser(argparse.ArgumentParser):
    """An argument parser that raises UsageError in one line, with what was probably meant."""

    late_positionals: Sequence[argparse.Action] = ()
    """Take what stands after options, in this order: argparse fills them before it, and then takes
    no more."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see: {self.prog} --help")

    def _print_message(self, message: str, file: Any = None) -> None:
        """argparse calls this for help and version, and would go on where nothing can be written.

        Ends the process with a code of its own if they cannot be.
        """
        if file is not sys.stdout:
            super()._print_message(message, file)
            return
        code = print_text(message)
        if code:
            raise SystemExit(code)

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """As in argparse, but nothing is left over. Raises UsageError."""
        found, extra = super().parse_known_args(args, namespace)
        extra = self._fill_late_positionals(found, extra)
        if extra:
            self._reject_unknown(extra)
        return found, []

    def _fill_late_positionals(self, found: argparse.Namespace, extra: Sequence[str]) -> list[str]:
        """Give what is left over to the positional arguments. Returns what is left then."""
        left = list(extra)
        if any(one.startswith("-") for one in left):
            return left
        for action in self.late_positionals:
            given = getattr(found, action.dest)
            if action.nargs == "*":
                setattr(found, action.dest, [*given, *left])
                return []
            if given is None and left:
                setattr(found, action.dest, left.pop(0))
        return left

    def _reject_unknown(self, extra: Sequence[str]) -> NoReturn:
        options = [option for action in self._actions for option in action.option_strings]
        unknown = next((one for one in extra if one.startswith("-")), None)
        if unknown is None:
            self.error(f"unexpected argument {quote(extra[0])}")
        self._reject_word("option", unknown.split("=")[0], options)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """argparse calls this for commands and for options with choices."""
        if action.choices is None or value in action.choices:
            return
        is_command = isinstance(action, argparse._SubParsersAction)
        name = "command" if is_command else "/".join(action.option_strings) or action.dest
        self._reject_word(name, str(value), [str(one) for one in action.choices])

    def _reject_word(self, what: str, word: str, known: Iterable[str]) -> NoReturn:
        from difflib import get_close_matches  # no other start pays for it

        near = get_close_matches(word, known, n=1, cutoff=0.7)
        if near:
            raise UsageError(f"unknown {what} {quote(word)}; did you mean {near[0]}?")
        self.error(f"unknown {what} {quote(word)}")


def add_command(
    commands: Commands,
    name: str,
    run: RunCommand,
    summary: str,
    *,
    interrupted: str = "",
    aliases: Sequence[str] = (),
) -> CommandParser:
    """A command that runs. summary: an imperative. interrupted: what to know after Ctrl-C."""
    parser = commands.add_parser(
        name,
        aliases=aliases,
        help=summary,
        description=summary,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_json_option(parser, default=argparse.SUPPRESS)
    parser.set_defaults(run=run, command=name, prog=parser.prog, interrupted=interrupted)
    return parser


def add_group(commands: Commands, name: str, summary: str) -> Commands:
    """A command that only holds further commands."""
    parser = commands.add_parser(name, help=summary, description=summary)
    add_json_option(parser, default=argparse.SUPPRESS)
    return parser.add_subparsers(metavar="COMMAND", required=True)


def add_json_option(parser: CommandParser, *, default: object) -> None:
    """`--json` counts before a command and after it; SUPPRESS keeps what stood before."""
    parser.add_argument(
        "--json", action="store_true", default=default, help="Print one JSON object."
    )


def add_model_options(parser: CommandParser, *, default: str | None = DEFAULT_MODEL) -> None:
    """`--model` and `--engine`. default: None stands for the model that enrolled the person."""
    parser.add_argument(
        "--model",
        default=default,
        metavar="MODEL",
        help="Use this embedder of `mien models`;"
        f" default: {default or 'the one that enrolled NAME'}.",
    )
    add_engine_option(parser)


def add_engine_option(parser: CommandParser) -> None:
    """`--engine`."""
    parser.add_argument(
        "--engine",
        choices=ALL_ENGINES,
        help="Run the models on this engine; default: MIEN_ENGINE, or onnxruntime.",
    )


def add_calibration_option(parser: CommandParser) -> None:
    """`--calibration`."""
    parser.add_argument(
        "--calibration",
        metavar="NAME",
        help="Use a calibration made by mien calibrate, or shipped; default: MIEN_CALIBRATION.",
    )


def add_out_option(parser: CommandParser, folder: str) -> None:
    """`--out`, the folder of a report."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(folder),
        metavar="DIR",
        help=f"Write the report into this folder; default: {folder}.",
    )


def add_frame_options(parser: CommandParser, *, with_name: bool = True) -> None:
    """`--camera`, `--frames`, `--rotate` and `--timeout`, in place of photos.

    with_name: the command has a NAME, which belongs before `--camera`.
    """
    parser.add_argument(
        "--camera",
        nargs="?",
        const="",
        type=_camera_option if with_name else camera_device,
        metavar="DEVICE",
        help="Use a camera in place of a photo: a number or a path; default: the best, see"
        " mien camera list.",
    )
    parser.add_argument(
        "--frames",
        metavar="FILE",
        help="Use a video, a folder of pictures, or - for standard input, in place of a photo.",
    )
    parser.add_argument(
        "--rotate",
        choices=("auto", "0", "90", "180", "270"),
        default="auto",
        help="Turn frames clockwise by so many degrees, and search no other turn; default: auto,"
        " search all four where no sure face is found.",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        metavar="S",
        help="Read frames for at most this many seconds; default: 10, for a challenge 20.",
    )


def camera_device(text: str) -> str:
    """The type of an argument that names a camera. "" stands for the best."""
    if text == "" or text.isdigit() or "/" in text:
        return text
    raise argparse.ArgumentTypeError(
        f"{quote(text)} is not a camera: give a number or a path such as /dev/video0"
    )


def _camera_option(text: str) -> str:
    """A word after --camera that is no device is most often the name that should stand before."""
    try:
        return camera_device(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, and give NAME before --camera") from error
