"""A map of faces along their first two principal components."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.lab.labels import display_name, rows_by_label
from mien.lab.plots.axes import GRID_WIDTH, AxesFrame, Tick, add_axes, add_titles, set_ticks
from mien.lab.plots.canvas import (
    POINTS_PER_UNIT,
    SCALE,
    Canvas,
    default_style,
    fitted,
    text_width,
)
from mien.lab.plots.declutter import declutter
from mien.lab.plots.person_number import draw_person_number
from mien.lab.plots.style import (
    MARGIN,
    MUTED,
    SMALL,
    expect_as_many,
    person_colour,
    signed,
    thumbnail,
)
from mien.results import ByteArray, FloatArray

Points = npt.NDArray[np.float64]

WIDTH, HEIGHT = 760.0, 560.0  # the map inside its frame
LEFT, TOP = 84.0, 66.0
AXIS_HEIGHT = 62.0  # tick labels and the axis title
LEGEND_LINE = 30.0
LEGEND_NAME = 170.0
COUNT_GAP = 5.0
BORDER = 4.0


def draw_pca_map(
    coordinates: FloatArray,
    crops: Sequence[ByteArray],
    labels: Sequence[str],
    explained: Sequence[float] | FloatArray,
    path: str | os.PathLike[str],
) -> Path:
    """Draw the crops at (n, 2) coordinates; `explained` holds two shares of variance, 0..1.

    Both axes have the same scale. Crops that would hide each other are moved
    apart, each with a line to the dot where it belongs.
    """
    expect_as_many(crops, labels)
    points = np.asarray(coordinates, dtype=np.float64)
    if points.shape != (len(crops), 2) or not np.isfinite(points).all():
        raise ValueError(f"coordinates must be finite ({len(crops)}, 2), got {points.shape}")
    people = rows_by_label(labels)
    person_of = {row: at for at, rows in enumerate(people.values()) for row in rows}
    legend = _legend_places(people)
    height = TOP + HEIGHT + AXIS_HEIGHT + legend[-1][1] + LEGEND_LINE + MARGIN / 2
    side = float(np.clip(math.sqrt(WIDTH * HEIGHT * 0.22 / len(crops)), 30, 84))
    with default_style():
        canvas = Canvas(LEFT + WIDTH + MARGIN, height)
        places = _draw_axes(canvas, points, side, (float(explained[0]), float(explained[1])))
        _draw_faces(canvas, places, crops, [person_of[row] for row in range(len(crops))], side)
        _draw_legend(canvas, people, legend)
        return canvas.save(path)


def _draw_axes(
    canvas: Canvas, points: Points, side: float, explained: tuple[float, float]
) -> Points:
    """The frame, grid, ticks and titles; gives where the points lie, (n, 2) units from LEFT, TOP.

    A thumbnail's width is kept free around the points.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array([WIDTH, HEIGHT]) - 2 * side
    spans = np.maximum(high - low, 1e-9)
    scale = float(np.min(room / spans)) if np.any(high - low > 1e-6) else min(room) / 1.0
    middle = (low + high) / 2
    places: Points = (points - middle) * [scale, -scale] + [WIDTH / 2, HEIGHT / 2]

    axes = add_axes(canvas, AxesFrame(LEFT, TOP, WIDTH, HEIGHT))
    axes.set_facecolor("#fafbfc")
    reach = np.array([WIDTH, HEIGHT]) / 2 / scale
    (x_low, y_low), (x_high, y_high) = middle - reach, middle + reach
    axes.set(xlim=(x_low, x_high), ylim=(y_low, y_high))
    step = nice_step(WIDTH / scale / 7)
    set_ticks(axes, _ticks(x_low, x_high, step), _ticks(y_low, y_high, step))
    for draw_line in (axes.axhline, axes.axvline):
        draw_line(0.0, color=MUTED, linewidth=GRID_WIDTH * POINTS_PER_UNIT, zorder=0.6)
    first, second = (
        f"component {at}  ({share:.0%} of the variance)" for at, share in enumerate(explained, 1)
    )
    add_titles(canvas, axes, "Faces by their two main directions", first, second, size=SMALL)
    return places


def _draw_legend(
    canvas: Canvas, people: dict[str, list[int]], places: Sequence[tuple[float, float]]
) -> None:
    """The number, name and count of faces of each person."""
    for person, (name, rows) in enumerate(people.items()):
        x, y = places[person][0] + LEFT, places[person][1] + TOP + HEIGHT + AXIS_HEIGHT + 12
        draw_person_number(canvas, person, x + 10, y)
        shown = fitted(display_name(name), LEGEND_NAME, size=SMALL)
        canvas.text(x + 27, y + SMALL * 0.36, shown, size=SMALL)
        # apart from the name, which may run from right to left
        x += 27 + text_width(shown, size=SMALL) + COUNT_GAP
        canvas.text(x, y + SMALL * 0.36, f"({len(rows)})", size=SMALL, colour=MUTED)


def _draw_faces(
    canvas: Canvas,
    places: Points,
    crops: Sequence[ByteArray],
    person_of: Sequence[int],
    side: float,
) -> None:
    shown = declutter(places, side + 2, WIDTH, HEIGHT)
    for at, pixels in enumerate(crops):
        x, y = shown[at] + [LEFT - side / 2, TOP - side / 2]
        colour = person_colour(person_of[at])
        inner = side - 2 * BORDER
        canvas.box(x, y, side, side, fill=colour)
        small = thumbnail(pixels, round(inner * SCALE))
        canvas.image(small, x + BORDER, y + BORDER, inner, inner)
        radius = float(np.clip(side * 0.13, 7, 10))
        draw_person_number(canvas, person_of[at], x + radius + 1, y + side - radius - 1, radius)
    moved = np.abs(shown - places).max(axis=1) > side / 2  # no longer on its own place
    for at in map(int, np.flatnonzero(moved)):
        toward = shown[at] - places[at]
        edge = shown[at] - toward * (side / 2) / np.abs(toward).max()
        ends = np.add([edge, places[at]], [LEFT, TOP])
        canvas.line(ends, colour="#ffffff", width=3.5)
        canvas.line(ends, colour=person_colour(person_of[at]), width=1.8)
        canvas.disc(
            float(ends[1, 0]),
            float(ends[1, 1]),
            3.5,
            fill=person_colour(person_of[at]),
            edge="#ffffff",
        )
    if moved.any():
        note = "A dot marks the true place of a face that was moved."
        x, y = LEFT + WIDTH, TOP - 10
        canvas.text(x, y, note, size=SMALL, colour=MUTED, across="right")


def nice_step(least: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not under `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= least * (1 - 1e-9))


def _ticks(low: float, high: float, step: float) -> list[Tick]:
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    return [(number * step, signed(number * step, places)) for number in numbers]


def _legend_places(people: dict[str, list[int]]) -> list[tuple[float, float]]:
    """Where each legend entry starts, units right of LEFT and below the first line."""
    places: list[tuple[float, float]] = []
    x, y = 0.0, 0.0
    for name, rows in people.items():
        shown = fitted(display_name(name), LEGEND_NAME, size=SMALL)
        count = text_width(f"({len(rows)})", size=SMALL)
        width = 27 + text_width(shown, size=SMALL) + COUNT_GAP + count + 22
        if x and x + width > WIDTH:
            x, y = 0.0, y + LEGEND_LINE
        places.append((x, y))
        x += width
    return places
