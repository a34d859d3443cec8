"""A heat map of the similarity of every two faces, with the faces along both sides."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.lab.labels import display_name, rows_by_label
from mien.lab.plots.canvas import (
    COLOUR_MAP,
    POINTS_PER_UNIT,
    SCALE,
    Canvas,
    default_style,
    font,
    map_colours,
    text_width,
)
from mien.lab.plots.person_number import draw_person_number
from mien.lab.plots.style import (
    BODY,
    INK,
    LINE,
    MARGIN,
    MUTED,
    SMALL,
    TITLE,
    expect_as_many,
    person_colour,
    signed,
    text_colour_on,
    thumbnail,
)
from mien.results import ByteArray, FloatArray

HIGHEST_START = 0.9  # of the scale, so that equal faces have one
MAX_NUMBERED = 30  # above, a cell is too small for its number
NAME_ROOM = 150.0  # the longest name, units
TITLE_HEIGHT = 62.0
BADGE = 26.0  # room for the number beside a name
BAR_WIDTH = 16.0
BAR_ROOM = 112.0  # the bar, its ticks and its title


def draw_heat_map(
    similarities: FloatArray,
    crops: Sequence[ByteArray],
    labels: Sequence[str],
    path: str | os.PathLike[str],
) -> Path:
    """Draw (n, n) cosines -1..1 with the n crops on both sides, grouped by label.

    Up to `MAX_NUMBERED` faces each cell shows its number. The colours run from the least
    similarity, rounded down to a tenth, to 1.
    """
    expect_as_many(crops, labels)
    matrix = np.asarray(similarities, dtype=np.float32)
    n = len(crops)
    if matrix.shape != (n, n) or not np.all(np.abs(matrix) <= 1.0):  # also refuses NaN
        raise ValueError(f"similarities must be ({n}, {n}) in -1..1, got shape {matrix.shape}")
    people = rows_by_label(labels)
    order = [row for rows in people.values() for row in rows]
    matrix = matrix[np.ix_(order, order)]
    low = min(HIGHEST_START, math.floor(float(matrix.min()) * 10) / 10)

    cell = _cell_size(n)
    name_room = min(max(text_width(display_name(name), size=SMALL) for name in people), NAME_ROOM)
    side = BADGE + name_room + 14 + cell  # left of the map: name, bracket, thumbnail
    left, top = 2.0 * math.ceil((MARGIN + side + 4) / 2), TITLE_HEIGHT + BADGE + 18 + cell
    with default_style():
        canvas = Canvas(
            max(left + n * cell + BAR_ROOM + MARGIN, 430),
            max(top + n * cell, top + 120) + MARGIN + (24 if n > MAX_NUMBERED else 0),
        )
        canvas.text(MARGIN, 39, "Similarity of every pair", size=TITLE, bold=True)
        _draw_cells(canvas, matrix, low, left, top, cell)
        _draw_sides(canvas, [crops[row] for row in order], people, left, top, cell)
        _draw_colour_bar(canvas, low, left + n * cell + 22, top, max(n * cell, 120))
        if n > MAX_NUMBERED:
            note = f"Numbers are omitted above {MAX_NUMBERED} faces."
            canvas.text(left, top + n * cell + 24, note, size=SMALL, colour=MUTED)
        return canvas.save(path)


def _cell_size(n: int) -> float:
    """Units; even, so that it is a whole number of PNG pixels and hard edges meet."""
    if n <= MAX_NUMBERED:
        return 2.0 * min(38, max(18, 310 // n))
    return 2.0 * max(6, 540 // n)


def _draw_cells(
    canvas: Canvas, matrix: FloatArray, low: float, left: float, top: float, cell: float
) -> None:
    n = len(matrix)
    colours = map_colours((matrix - low) / (1.0 - low))  # (n, n, 3)
    block = round(cell * SCALE)
    pixels = np.repeat(np.repeat(colours, block, axis=0), block, axis=1)
    canvas.image(pixels, left, top, n * cell, n * cell)
    if n > MAX_NUMBERED:
        return
    size = min(BODY, 0.86 * cell / text_width("\u22120.00", size=1.0))
    for row in range(n):
        for column in range(n):
            canvas.text(
                left + (column + 0.5) * cell,
                top + (row + 0.5) * cell + size * 0.36,
                signed(float(matrix[row, column]), 2),
                size=size,
                colour=text_colour_on([value / 255 for value in colours[row, column]]),
                across="center",
            )


def _draw_sides(
    canvas: Canvas,
    crops: Sequence[ByteArray],
    people: dict[str, list[int]],
    left: float,
    top: float,
    cell: float,
) -> None:
    """Thumbnails, brackets, numbers and names: names on the left, numbers on both sides."""
    for at, pixels in enumerate(crops):
        small = thumbnail(pixels, round((cell - 1) * SCALE))
        canvas.image(small, left - 4 - cell, top + at * cell, cell - 1, cell - 1)
        canvas.image(small, left + at * cell, top - 4 - cell, cell - 1, cell - 1)
    end = cell * len(crops)
    start = 0.0
    for person, (name, rows) in enumerate(people.items()):
        length = len(rows) * cell
        middle = start + length / 2
        colour = person_colour(person)
        beside, over = left - 4 - cell - 9, top - 4 - cell - 9
        canvas.box(beside, top + start, 5, length - 1, fill=colour)
        canvas.box(left + start, over, length - 1, 5, fill=colour)
        radius = min(10.0, length / 2)
        draw_person_number(canvas, person, beside - 14, top + middle, radius)
        draw_person_number(canvas, person, left + middle, over - 14, radius)
        size = min(SMALL, length)
        canvas.text(
            beside - BADGE - 2,
            top + middle + size * 0.36,
            display_name(name),
            size=size,
            colour=INK,
            across="right",
            room=NAME_ROOM,
        )
        start += length
        if start < end:  # a white line between people, through the map
            for line in ([(0, start), (end, start)], [(start, 0), (start, end)]):
                canvas.line(np.add(line, [left, top]), colour="#ffffff", width=1 + (cell > 24))


def _draw_colour_bar(canvas: Canvas, low: float, left: float, top: float, height: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Normalize

    axes = canvas.add_axes(left, top, BAR_WIDTH, height)
    step = 0.2 if low > -0.5 else 0.5
    numbers = range(math.ceil(low / step - 1e-9), round(1 / step) + 1)
    bar = Colorbar(axes, ScalarMappable(Normalize(low, 1.0), COLOUR_MAP))
    bar.set_ticks(
        [number * step for number in numbers],
        labels=[signed(number * step, 1) for number in numbers],
        fontproperties=font(SMALL),
    )
    unit = POINTS_PER_UNIT
    axes.tick_params(length=5 * unit, width=unit, pad=4 * unit, color=MUTED, labelcolor=MUTED)
    bar.outline.set(edgecolor=LINE, linewidth=unit)
    bar.set_label("cosine similarity", fontproperties=font(SMALL), color=INK)
