"""`train.jsonl`: one line of figures for each step."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mien.errors import UsageError, one_line, quote_path

NAME = "train.jsonl"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step. rate: learning rate of the net. momentum: of the target. Spread: see `spread_of`."""

    step: int
    loss: float
    spread: float
    rate: float
    momentum: float
    images_per_s: float


class StepLog:
    """Appends records. first: the step that comes next; later lines are of a broken run.

    writes: whether this process is the one that writes.
    """

    def __init__(self, folder: Path, first: int, *, writes: bool = True) -> None:
        self._path, self._writes = folder / NAME, writes
        if not writes:
            return
        kept = [one for one in read_log(folder) if one.step < first] if first else []
        self._write("w", "".join(_line(one) for one in kept))

    def write(self, record: StepRecord) -> None:
        """Append a line. UsageError if it cannot be written."""
        if self._writes:
            self._write("a", _line(record))

    def _write(self, mode: str, text: str) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, mode, encoding="ascii") as file:
                file.write(text)
        except OSError as error:
            raise UsageError(
                f"cannot write {quote_path(self._path)}: {one_line(error)}; choose another --out"
            ) from error


def read_log(folder: Path) -> list[StepRecord]:
    """The records so far; a line that was cut off by an interrupt is left out."""
    try:
        lines = (folder / NAME).read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    records = []
    for line in lines:
        try:
            records.append(StepRecord(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return records


def _line(record: StepRecord) -> str:
    # a loss that is not a number is written as null, which every JSON reader takes
    numbers = {key: value if value == value else None for key, value in asdict(record).items()}
    return json.dumps(numbers) + "\n"
