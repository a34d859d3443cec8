"""The list of clips of an evaluation of attacks: a CSV file with a line for each clip."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from mien.errors import UsageError, quote_path
from mien.files import read_regular

COLUMNS = (
    *("clip", "fps", "subject", "session_day", "camera", "light"),
    *("label", "species", "instrument", "support", "split"),
)
LABELS = ("live", "attack")
SPLITS = ("enroll", "devel", "test")
MAX_BYTES = 20_000_000
MAX_FPS = 1000.0


@dataclass(frozen=True, slots=True)
class Clip:
    """One presentation. path: a film, or a folder of pictures in the order of their numbers.

    name: as the manifest has it. subject: whose face it shows. species: the kind of attack,
    such as "print"; empty for a living person.
    """

    name: str
    path: Path
    fps: float
    subject: str
    session_day: str
    camera: str
    light: str
    label: str
    species: str
    instrument: str
    support: str
    split: str

    @property
    def is_attack(self) -> bool:
        return self.label == "attack"


def read_manifest(path: Path) -> list[Clip]:
    """The clips of a manifest; relative paths are looked for beside it.

    Raises UsageError, with the line, for a column that is missing, a value that is not one of
    the known words, a clip that is named twice, and a subject with clips of both devel and test.
    """
    try:
        text = read_regular(path, MAX_BYTES).decode("utf-8-sig")
        rows = list(csv.DictReader(StringIO(text), restval="", restkey="more"))
    except OSError as error:
        raise UsageError(f"cannot read {quote_path(path)}: {error.strerror}; check it") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{quote_path(path)} is not CSV in UTF-8: {error}; save it so") from error
    missing = [name for name in COLUMNS if rows and name not in rows[0]]
    if missing or not rows:
        what = f"has no column {missing[0]!r}" if missing else "has no clip"
        raise UsageError(f"{quote_path(path)} {what}; its columns are {','.join(COLUMNS)}")
    clips = []
    for number, row in enumerate(rows, 2):
        try:
            clips.append(check_row(row, path.parent))
        except ValueError as error:
            raise UsageError(f"{quote_path(path)}, line {number}: {error}") from error
    _expect_apart(clips)
    return clips


def check_row(row: Mapping[str, str], folder: Path) -> Clip:
    """The clip of one line. ValueError for what no clip can have."""
    if "more" in row or not row["clip"]:
        raise ValueError("it has more values than columns, or no clip; correct it")
    try:
        fps = float(row["fps"])
    except ValueError:
        fps = math.nan
    if not 0 < fps <= MAX_FPS:
        raise ValueError(f"fps is a number above 0, not {row['fps'][:20]!r}")
    for name, known in (("label", LABELS), ("split", SPLITS)):
        if row[name] not in known:
            raise ValueError(f"{name} is one of {', '.join(known)}, not {row[name][:20]!r}")
    if (row["label"] == "attack") is not bool(row["species"]):
        raise ValueError("an attack has a species, and a living person has none")
    if row["label"] == "attack" and row["split"] == "enroll":
        raise ValueError("nobody enrolls with an attack; its split is devel or test")
    values = {name: row[name] for name in COLUMNS if name not in ("clip", "fps")}
    return Clip(row["clip"], folder / row["clip"], fps, **values)


def _expect_apart(clips: list[Clip]) -> None:
    names = [clip.name for clip in clips]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"the clip {twice[:60]!r} is in the manifest twice; remove one line")
    devel = {clip.subject for clip in clips if clip.split == "devel"}
    both = sorted(devel & {clip.subject for clip in clips if clip.split == "test"})
    if both:
        raise UsageError(
            f"subject {both[0][:40]!r} has clips of devel and of test; a threshold that was fitted "
            "on a person says nothing of how it does on others; put each person into one split"
        )
