"""Record clips for an evaluation of attacks: frames as pictures, and a line in the manifest."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError, one_line, quote_path
from mien.files import make_folder, write_whole
from mien.lab.evaluate.attack_manifest import COLUMNS, Clip, check_row, read_manifest
from mien.lab.evaluate.attack_rates import MIN_CLIPS
from mien.media.frame import Frame

MANIFEST_NAME = "manifest.csv"
MAX_FPS = 15.0  # of what is kept: 8 s of 640 x 480 are some 60 MB
MAX_CLIPS = 100_000


@dataclass(frozen=True, slots=True)
class RecordedClip:
    """name: of its folder, beside the manifest."""

    name: str
    frames: int
    fps: float


def record_clip(
    frames: Iterable[Frame], folder: Path, columns: Mapping[str, str], *, seconds: float
) -> RecordedClip:
    """Keep so many seconds of the frames, and add the clip to the folder's manifest.

    columns: those of the manifest but "clip" and "fps". Nothing is compressed with a loss, because
    the check looks at what a sensor and a screen leave in a picture. Raises UsageError for columns
    that no clip can have, a folder that cannot be written, and fewer than two frames.
    """
    manifest = folder / MANIFEST_NAME
    known = read_manifest(manifest) if manifest.exists() else []
    name = _free_name(folder)
    row = {"clip": name, "fps": "1", **columns}
    try:
        check_row(row, folder)
    except ValueError as error:
        raise UsageError(f"such a clip cannot be recorded: {error}") from error
    try:
        times_s = [_write_frame(frame, number, folder / name) for number, frame in
                   enumerate(_thinned(frames, seconds), 1)]  # fmt: skip
        if len(times_s) < 2:
            raise UsageError("the camera gave fewer than two frames; try again")
        fps = (len(times_s) - 1) / (times_s[-1] - times_s[0])
        _write_manifest(manifest, known, row | {"fps": f"{fps:.3f}"})
    except OSError as error:
        raise UsageError(
            f"cannot record in {quote_path(folder)}: {one_line(error)}; choose another folder"
        ) from error
    return RecordedClip(name, len(times_s), fps)


def what_is_missing(clips: Iterable[Clip]) -> list[str]:
    """Lines about what is still needed to state the rates."""
    of_test = [clip for clip in clips if clip.split == "test"]
    count = Counter(clip.species or "living people" for clip in of_test)
    lines = []
    for kind in sorted({"living people", *count}):
        more = MIN_CLIPS - count[kind]
        words = f"; {more} more to state a rate" if more > 0 else ""
        lines.append(f"  {kind}: {count[kind]} clips of the split test{words}")
    if not any(clip.split == "enroll" for clip in clips):
        lines.append("  for personal thresholds, record each person once with --split enroll")
    return lines


def _thinned(frames: Iterable[Frame], seconds: float) -> Iterator[Frame]:
    """The frames of the first seconds, `MAX_FPS` at most."""
    first_s = next_s = None
    for frame in frames:
        if first_s is None or next_s is None:
            first_s = next_s = frame.at_s
        if frame.at_s - first_s > seconds:
            return
        if frame.at_s >= next_s:
            next_s = max(next_s + 1 / MAX_FPS, frame.at_s)
            yield frame


def _write_frame(frame: Frame, number: int, folder: Path) -> float:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(frame.image_rgb).save(stream, "PNG", compress_level=1)
    write_whole(folder / f"{number:06}.png", stream.getvalue())
    return frame.at_s


def _free_name(folder: Path) -> str:
    try:
        make_folder(folder / "clips")
        taken = {entry.name for entry in os.scandir(folder / "clips")}
    except OSError as error:
        raise UsageError(
            f"cannot record in {quote_path(folder)}: {one_line(error)}; choose another folder"
        ) from error
    return next(f"clips/{n:04}" for n in range(1, MAX_CLIPS) if f"{n:04}" not in taken)


def _write_manifest(path: Path, known: list[Clip], row: Mapping[str, str]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for clip in known:
        values = {name: getattr(clip, name) for name in COLUMNS if name != "clip"}
        writer.writerow({"clip": clip.name, **values})
    writer.writerow(row)
    write_whole(path, text.getvalue().encode(), durable=True)
