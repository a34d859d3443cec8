"""A frame with ticks on a sheet: shares of its width and height -> units of the sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.lab.plots.canvas import Canvas
from mien.lab.plots.style import BODY, INK, LINE, MUTED, PANEL, SMALL, TITLE

Points = npt.NDArray[np.float64]
Tick = tuple[float, str]
"""Share of the axis, 0..1 from the left or from below, and what stands there."""

TITLE_HEIGHT = 62.0
LEFT, BELOW = 92.0, 62.0  # for tick labels and the axis title
LEGEND_LINE = 26.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the axes are on the sheet, units."""

    left: float
    top: float
    width: float
    height: float

    def at(self, shares: npt.ArrayLike) -> Points:
        """(m, 2) shares, x from the left and y from below, as units of the sheet."""
        xy = np.asarray(shares, np.float64)
        return np.column_stack(
            [self.left + xy[:, 0] * self.width, self.top + (1.0 - xy[:, 1]) * self.height]
        )


def draw_axes(
    canvas: Canvas,
    frame: Frame,
    title: str,
    x_axis: tuple[str, Sequence[Tick]],
    y_axis: tuple[str, Sequence[Tick]],
) -> None:
    """The title over all, a light grid, tick labels, and the axes' names."""
    canvas.text(24, 39, title, size=TITLE, bold=True)
    for share, label in x_axis[1]:
        x = frame.left + share * frame.width
        canvas.line([(x, frame.top), (x, frame.top + frame.height)], colour=LINE, width=0.8)
        below = frame.top + frame.height + 20
        canvas.text(x, below, label, size=SMALL, colour=MUTED, across="center")
    for share, label in y_axis[1]:
        y = frame.top + (1.0 - share) * frame.height
        canvas.line([(frame.left, y), (frame.left + frame.width, y)], colour=LINE, width=0.8)
        beside = frame.left - 8
        canvas.text(beside, y + SMALL * 0.36, label, size=SMALL, colour=MUTED, across="right")
    canvas.box(frame.left, frame.top, frame.width, frame.height, edge=MUTED)
    middle = frame.left + frame.width / 2
    canvas.text(middle, frame.top + frame.height + 46, x_axis[0], size=BODY, across="center")
    middle = frame.top + frame.height / 2
    canvas.text(28, middle, y_axis[0], size=BODY, across="center", angle=90)


def shade(canvas: Canvas, frame: Frame, x_from: float, x_to: float, words: str) -> None:
    """A grey band over part of the width, x in shares, with words in it if there is room."""
    left, right = frame.left + x_from * frame.width, frame.left + x_to * frame.width
    if right - left < 1:
        return
    canvas.box(left, frame.top, right - left, frame.height, fill=PANEL)
    if right - left > 2 * SMALL:
        x = left + (right - left) / 2 + SMALL * 0.36
        y = frame.top + frame.height / 2
        canvas.text(x, y, words, size=SMALL, colour=MUTED, across="center", angle=90)


def draw_legend(
    canvas: Canvas, left: float, top: float, entries: Sequence[tuple[str, str, bool]]
) -> None:
    """A line of the colour, dashed or not, and its name, for each entry."""
    for at, (name, colour, dashed) in enumerate(entries):
        y = top + at * LEGEND_LINE
        canvas.line([(left, y), (left + 30, y)], colour=colour, width=2.5, dashed=dashed)
        canvas.text(left + 38, y + SMALL * 0.36, name, size=SMALL, colour=INK)
