"""The service's log: one JSON object a line, with no name, token, picture or embedding in it."""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

LINES_PER_MINUTE = 10

WriteLine = Callable[[str], None]
LogClock = Callable[[], datetime]


def now_utc() -> datetime:
    """The current time, in UTC."""
    return datetime.now(timezone.utc)


def write_line(line: str) -> None:
    """Write one line to standard error."""
    print(line, file=sys.stderr, flush=True)


def log_line(clock: LogClock, **fields: object) -> str:
    """A JSON object: `ts`, the time in UTC to the millisecond, then the fields in their order."""
    timestamp = clock().astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return json.dumps({"ts": timestamp, **fields})


class LibraryLogHandler(logging.Handler):
    """Writes the warnings and errors of libraries to the service's log.

    uvicorn's messages are written as their source has them, with no argument filled in. Of
    other libraries only the logger's name is written: their messages may quote the request. Of
    an exception only its class and the line that raised it: its message may name somebody.
    Of one kind of message at most `LINES_PER_MINUTE` are written, and then how many were left out.
    """

    def __init__(self, write: WriteLine, clock: LogClock) -> None:
        super().__init__(logging.WARNING)
        self._write, self._clock = write, clock
        self._minute, self._count = "", Counter[tuple[str, str]]()

    def emit(self, record: logging.LogRecord) -> None:
        kind = (record.name, str(record.msg)[:100])
        self._begin_minute()
        self._count[kind] += 1
        if self._count[kind] <= LINES_PER_MINUTE:
            self._emit(record)

    def _begin_minute(self) -> None:
        minute = self._clock().astimezone(timezone.utc).isoformat(timespec="minutes")
        if minute == self._minute:
            return
        for (name, _), count in self._count.items():
            if count > LINES_PER_MINUTE:
                left_out = count - LINES_PER_MINUTE
                self._write(log_line(self._clock, logger=name, left_out=left_out))
        self._minute, self._count = minute, Counter()

    def _emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, object] = {"logger": record.name, "level": record.levelname.lower()}
        if record.name.startswith("uvicorn"):
            fields["message"] = str(record.msg).strip()
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = record.exc_info[0].__name__
            frame = record.exc_info[2]
            while frame is not None and frame.tb_next is not None:
                frame = frame.tb_next
            if frame is not None:
                fields["raised_at"] = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
        self._write(log_line(self._clock, **fields))


@contextmanager
def log_library_warnings(
    write: WriteLine = write_line, clock: LogClock = now_utc
) -> Iterator[None]:
    """Inside the block, warnings of all libraries go to the service's log."""
    root, handler = logging.getLogger(), LibraryLogHandler(write, clock)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
