"""What a command gives back, and how it is printed.

An answer goes to standard output, in words or as one JSON object. An error is one line on standard
error, and with `--json` an object on standard output as well.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from mien.errors import ExitCode, Outcome
from mien.records import dataclass

STREAMS = (0, 1, 2)  # standard input, output and error


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
    print_line(f"mien: {message}")
    if not as_json:
        return int(code)
    data = {"outcome": outcome.value, "exit_code": int(code), "error": message}
    return _print_answer(data, code)


def print_text(text: str) -> int:
    """Print help or a version. Returns the exit code of the process."""
    return _print_answer((text.removesuffix("\n"),), ExitCode.OK)


def occupy_closed_streams() -> None:
    """Open nothing in the place of standard streams that the caller closed.

    The next file that is opened, such as a key, would have the number of one of them, and whatever
    a library writes on standard output or error would land in it.
    """
    for handle in STREAMS:
        try:
            os.fstat(handle)
        except OSError:  # the lowest number that is free is this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _print_answer(answer: Mapping[str, object] | Sequence[str], code: ExitCode) -> int:
    """A reader that has gone has read what it wanted, as `head` has: that changes nothing.

    An answer that was lost otherwise is never a yes, also where standard output was closed.
    """
    try:
        _write(answer)
    except BrokenPipeError:
        _discard(sys.stdout)
    except OSError as error:
        _discard(sys.stdout)
        print_line(f"mien: cannot write the output: {error.strerror}; send it to another place")
        return int(ExitCode.INTERNAL_ERROR)
    return int(code)


def print_line(line: str) -> None:
    """One line on standard error, at once. One that cannot be written changes nothing."""
    if sys.stderr is None:  # the caller closed it: print would then take stdout
        return
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:  # a full disk, or a reader that has gone
        _discard(sys.stderr)


def _discard(stream: TextIO | None) -> None:
    """Python flushes a stream once more at its end, and would fail once more."""
    if stream is None:
        return
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _write(answer: Mapping[str, object] | Sequence[str]) -> None:
    if sys.stdout is None:  # the caller closed it
        raise OSError(errno.EBADF, "it is closed")
    text = (
        json.dumps(answer, ensure_ascii=False) if isinstance(answer, Mapping) else "\n".join(answer)
    )
    # a terminal of another encoding must not turn an answer into a traceback
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()
