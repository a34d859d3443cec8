"""Run one command: parse its arguments, call its function, print, return the exit code."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from mien.cli.output import CommandResult, occupy_closed_streams, print_error, print_result
from mien.cli.parser import build_parser
from mien.errors import ExitCode, MienError, Outcome, one_line

NO_MEMORY = "out of memory; close other programs and try again"
NOT_LOADED = "failed to map segment"  # of a library: the dynamic linker got no memory for it
REPORT = "set MIEN_DEBUG=1 to see where, and report it"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code; prints no traceback for an expected failure."""
    # numpy's own threads would spin beside the engine's; what numpy multiplies here is small
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(50_000)  # imports make many objects and no garbage
    given = sys.argv[1:] if arguments is None else arguments
    # what counts until the arguments are parsed
    args = argparse.Namespace(json="--json" in given, interrupted="")
    try:
        parser = build_parser(next((one for one in given if one != "--json"), None))
        if not given:
            parser.print_help(sys.stderr)
            return int(ExitCode.USAGE)
        args = parser.parse_args(given)
        result: CommandResult = args.run(args)
    except MienError as error:
        return print_error(str(error), error.outcome, as_json=args.json)
    except KeyboardInterrupt:
        message = "interrupted" + args.interrupted
        return print_error(message, Outcome.INTERRUPTED, as_json=args.json)
    except MemoryError:
        return print_error(NO_MEMORY, Outcome.INTERNAL_ERROR, as_json=args.json)
    except Exception as error:  # noqa: BLE001 - the process ends here, with a code of its own
        if isinstance(error, ImportError) and NOT_LOADED in str(error):
            return print_error(NO_MEMORY, Outcome.INTERNAL_ERROR, as_json=args.json)
        if os.environ.get("MIEN_DEBUG"):
            _print_traceback()
        message = f"internal error: {type(error).__name__}: {one_line(error)}; {REPORT}"
        return print_error(message, Outcome.INTERNAL_ERROR, as_json=args.json)
    return print_result(result, as_json=args.json)


def run() -> NoReturn:
    """Run `main` and end the process with its exit code, without the interpreter's own clean-up.

    That clean-up frees the models one by one and takes a tenth of an unlock. All that counts is
    done when `main` returns: the vault is closed and the answer is flushed. A command that
    may have started worker processes ends as usual, so that they end with it.
    """
    occupy_closed_streams()
    code = main()
    if "multiprocessing" in sys.modules:
        sys.exit(code)
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(code)


def _print_traceback() -> None:
    """Where the present error was raised. Python's own report would end with exit code 1."""
    import traceback  # no other run pays for it

    if sys.stderr is not None:
        traceback.print_exc()
