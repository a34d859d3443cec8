"""The log of the service: lines of JSON, each with its time, and in none a name, a token, a
picture or an embedding."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

Write = Callable[[str], None]
Now = Callable[[], datetime]


def now_utc() -> datetime:
    """The clock of the log."""
    return datetime.now(timezone.utc)


def write_line(line: str) -> None:
    """On standard error."""
    print(line, file=sys.stderr, flush=True)


def line_of(now: Now, **fields: object) -> str:
    """ts: the moment in UTC, to the millisecond; then the fields in their order."""
    moment = now().astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return json.dumps({"ts": moment, **fields})


class LibraryLines(logging.Handler):
    """What the libraries under the service warn of.

    uvicorn's words are told as its source has them, with nothing filled in. Of other
    libraries only the name: what they say may quote the request. Of an exception its kind
    and the line that raised it, since its words may name somebody.
    """

    def __init__(self, write: Write, now: Now) -> None:
        super().__init__(logging.WARNING)
        self._write, self._now = write, now

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, object] = {"logger": record.name, "level": record.levelname.lower()}
        if record.name.startswith("uvicorn"):
            fields["words"] = str(record.msg).strip()
        if record.exc_info and record.exc_info[0] is not None:
            fields["raised"] = record.exc_info[0].__name__
            frame = record.exc_info[2]
            while frame is not None and frame.tb_next is not None:
                frame = frame.tb_next
            if frame is not None:
                fields["at"] = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
        self._write(line_of(self._now, **fields))


@contextmanager
def libraries_told(write: Write = write_line, now: Now = now_utc) -> Iterator[None]:
    """While it lasts, the libraries of this process write to the log of the service."""
    root, handler = logging.getLogger(), LibraryLines(write, now)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
