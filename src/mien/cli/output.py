"""What a command gives back, and how it is printed.

An answer goes to standard output, in words or as one JSON object. An error is one line on standard
error, and with `--json` an object on standard output as well.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence

from mien.errors import ExitCode, Outcome
from mien.records import dataclass


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command did: lines for people, data for programs, a code for both.

    It carries no picture and no embedding, so neither can be printed or logged.
    """

    exit_code: ExitCode
    lines: tuple[str, ...]
    data: dict[str, object]


def print_result(result: CommandResult, *, as_json: bool) -> int:
    """Print an answer. Returns the exit code of the process."""
    data = {"exit_code": int(result.exit_code), **result.data}
    return _print_answer(data if as_json else result.lines, result.exit_code)


def print_error(message: str, outcome: Outcome, *, as_json: bool) -> int:
    """Print why a command failed, one line. Returns the exit code of the process."""
    code = outcome.exit_code
    _print_complaint(message)
    if not as_json:
        return int(code)
    data = {"outcome": outcome.value, "exit_code": int(code), "error": message}
    return _print_answer(data, code)


def _print_answer(answer: Mapping[str, object] | Sequence[str], code: ExitCode) -> int:
    """A reader that has gone changes nothing. An answer that was lost is never a yes."""
    try:
        _write(answer)
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        _discard_output()
        _print_complaint(f"cannot write the output: {error.strerror}; send it to another place")
        return int(ExitCode.INTERNAL_ERROR)
    return int(code)


def _print_complaint(message: str) -> None:
    if sys.stderr is not None:  # None where the caller closed it: print would then take stdout
        print(f"mien: {message}", file=sys.stderr)


def _discard_output() -> None:
    """Python flushes standard output once more at its end, and would fail once more."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _write(answer: Mapping[str, object] | Sequence[str]) -> None:
    if sys.stdout is None:  # the caller closed it, and wants the exit code alone
        return
    text = (
        json.dumps(answer, ensure_ascii=False) if isinstance(answer, Mapping) else "\n".join(answer)
    )
    # a terminal of another encoding must not turn an answer into a traceback
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()
