"""The faces that were found, person by person."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mien.lab.labels import display_name, rows_by_label
from mien.lab.plots.canvas import SCALE, Canvas, in_two_lines, text_width
from mien.lab.plots.person_number import draw_person_number
from mien.lab.plots.style import (
    BODY,
    MARGIN,
    SMALL,
    TITLE,
    expect_as_many,
    person_colour,
    thumbnail,
)
from mien.results import ByteArray

SIDE = 104.0
GAP = 8.0
COLUMNS = 8
NAME_HEIGHT = 46.0  # the bar and the name under a row of crops
SPACE = 12.0  # between rows
ROW_HEIGHT = SIDE + NAME_HEIGHT + SPACE
TITLE_HEIGHT = 62.0
MIN_WIDTH = 380.0

CropRun = tuple[int, str, list[int], int, int]  # person, name, crop rows, grid row, first column


def draw_crop_grid(
    crops: Sequence[ByteArray], labels: Sequence[str], path: str | os.PathLike[str]
) -> Path:
    """Draw the crops, (h, w, 3) uint8 RGB each, grouped by label, the names under them."""
    expect_as_many(crops, labels)
    people = rows_by_label(labels)
    runs = _runs(people)
    columns = max(start + len(rows) for _, _, rows, _, start in runs)
    lines = 1 + max(line for _, _, _, line, _ in runs)
    canvas = Canvas(
        max(2 * MARGIN + columns * (SIDE + GAP) - GAP, MIN_WIDTH),
        TITLE_HEIGHT + lines * ROW_HEIGHT + MARGIN - SPACE,
    )
    noun = "face" if len(crops) == 1 else "faces"
    whose = "1 person" if len(people) == 1 else f"{len(people)} people"
    canvas.text(MARGIN, 39, f"{len(crops)} {noun} of {whose}", size=TITLE, bold=True)
    for person, name, rows, line, start in runs:
        left = MARGIN + start * (SIDE + GAP)
        top = TITLE_HEIGHT + line * ROW_HEIGHT
        for at, row in enumerate(rows):
            pixels = thumbnail(crops[row], round(SIDE * SCALE))
            canvas.image(pixels, left + at * (SIDE + GAP), top, SIDE, SIDE)
        _name_under(canvas, person, name, left, top + SIDE, len(rows) * (SIDE + GAP) - GAP)
    return canvas.save(path)


def _runs(people: dict[str, list[int]]) -> list[CropRun]:
    """Lay the groups out in reading order; one that fits a row of its own is not broken."""
    runs: list[CropRun] = []
    line, column = 0, 0
    for person, (name, rows) in enumerate(people.items()):
        if column and column + len(rows) > COLUMNS:
            line, column = line + 1, 0
        for first in range(0, len(rows), COLUMNS):
            if column == COLUMNS:
                line, column = line + 1, 0
            part = rows[first : first + COLUMNS]
            runs.append((person, name, part, line, column))
            column += len(part)
    return runs


def _name_under(
    canvas: Canvas, person: int, name: str, left: float, top: float, width: float
) -> None:
    canvas.box(left, top, width, 5, fill=person_colour(person))
    draw_person_number(canvas, person, left + 10, top + 22)
    room = width - 27
    lines = in_two_lines(display_name(name), room, size=SMALL)
    if len(lines) == 1 and text_width(lines[0], size=BODY) <= room:
        canvas.text(left + 27, top + 22 + BODY * 0.36, lines[0], size=BODY)
    else:
        for at, line in enumerate(lines):
            canvas.text(left + 27, top + 20 + SMALL * 0.36 + at * 17, line, size=SMALL)
