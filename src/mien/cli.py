"""The command line: parse, call one function, print, exit with the outcome's code."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mien import __version__, commands
from mien.commands import Answer
from mien.errors import ExitCode, MienError

EXIT_CODES = """exit codes:
  0 unlocked, or done         4 several faces         8 vault damaged
  1 not the owner             5 unreadable image      9 not a live person
  2 usage                     6 not enrolled         10 model missing or altered
  3 no face                   7 too many attempts"""

EXAMPLES = """examples:
  mien enroll anna photos/anna/*.jpg     remember a face
  mien unlock anna probe.jpg             is it anna? exit code 0 means yes
  mien demo                              the whole story, with pictures

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code; prints no traceback for an expected failure."""
    # numpy's own threads would spin beside the engine's; what numpy multiplies here is small
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = build_parser()
    args = parser.parse_args(arguments)
    try:
        answer: Answer = args.run(args)
    except MienError as error:
        return _refuse(args, error)
    except KeyboardInterrupt:
        return _refuse(args, MienError("interrupted; nothing was changed"))
    except MemoryError:
        return _refuse(args, MienError("out of memory; close other programs and try again"))
    _print(answer.data if args.json else answer.lines)
    return int(answer.exit_code)


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(
        prog="mien",
        description="Face unlock that you can trust. Photos never leave this machine.",
        epilog=EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mien {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)

    demo = _verb(verbs, "demo", commands.demo, "the whole article on a folder of people")
    demo.add_argument("--photos", type=Path, metavar="DIR", help="a folder per person")
    demo.add_argument("--owner", metavar="NAME", help="whose door it is")
    _out(demo, "mien-report")

    enroll = _verb(verbs, "enroll", commands.enroll, "remember a face from photos")
    enroll.add_argument("name", metavar="NAME")
    enroll.add_argument("photos", nargs="+", metavar="PHOTO", help="files, folders, quoted globs")
    taken = enroll.add_mutually_exclusive_group()
    taken.add_argument("--add", action="store_true", help="keep the photos enrolled before")
    taken.add_argument("--replace", action="store_true", help="forget the photos enrolled before")

    unlock = _verb(verbs, "unlock", commands.unlock, "does the photo show NAME?")
    unlock.add_argument("name", metavar="NAME")
    unlock.add_argument("photo", metavar="PHOTO")

    identify = _verb(verbs, "identify", commands.identify, "who of the enrolled is it?")
    identify.add_argument("photo", metavar="PHOTO")

    compare = _verb(verbs, "compare", commands.compare, "do two photos show one person?")
    compare.add_argument("a", metavar="A")
    compare.add_argument("b", metavar="B")

    _verb(verbs, "list", commands.people, "who is enrolled")

    forget = _verb(verbs, "forget", commands.forget, "remove a person's template")
    forget.add_argument("name", metavar="NAME")

    explore = _verb(verbs, "explore", commands.explore, "faces, heat map and map of a folder")
    explore.add_argument("folder", type=Path, metavar="DIR", help="a folder per person")
    _out(explore, "mien-explore")

    _verb(verbs, "models", commands.models, "the models: licence, hash, where found")
    _verb(verbs, "doctor", commands.doctor, "check everything and say what to do")
    return parser


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], Answer],
    words: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(
        name,
        help=words,
        description=words[0].upper() + words[1:] + ("" if words.endswith("?") else "."),
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(run=run)
    return verb


def _out(verb: argparse.ArgumentParser, folder: str) -> None:
    verb.add_argument(
        "--out", type=Path, default=Path(folder), metavar="DIR", help=f"default: {folder}"
    )


def _refuse(args: argparse.Namespace, error: MienError) -> int:
    """A failure in one line on standard error, and as JSON on standard output if asked for."""
    code = ExitCode(error.exit_code)
    print(f"mien: {error}", file=sys.stderr)
    if args.json:
        _print({"outcome": code.name.lower(), "exit_code": int(code), "error": str(error)})
    return int(code)


def _print(what: dict[str, object] | Sequence[str]) -> None:
    text = json.dumps(what, ensure_ascii=False) if isinstance(what, dict) else "\n".join(what)
    # a terminal of another encoding must not turn an answer into a traceback
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


if __name__ == "__main__":
    sys.exit(main())
