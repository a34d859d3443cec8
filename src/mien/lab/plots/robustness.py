"""Similarity against strength of a change: a panel for each kind, the threshold across it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.lab.labels import display_name
from mien.lab.plots.axes import DASHES, AxesFrame, add_axes, set_ticks
from mien.lab.plots.canvas import POINTS_PER_UNIT, Canvas, default_style, text_width
from mien.lab.plots.style import (
    INK,
    MARGIN,
    MUTED,
    PAPER,
    PEOPLE_COLOURS,
    SMALL,
    TITLE,
    signed,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 2  # wider would be unreadable on a phone
LEFT = 54.0  # the first panel's similarity labels
PANEL_WIDTH, PANEL_HEIGHT = 172.0, 124.0
GAP_X, GAP_Y = 22.0, 68.0  # between panels: the ends of the axis, and the next title
HEAD_HEIGHT, LEGEND_LINE = 46.0, 24.0
INSET = 9.0  # so that marks at the ends of an axis stay whole
MARK = 4.2
FEW_FOUND = 0.9  # under this share of faces found a mark is hollow

# dark enough on paper, and with a shape each, so that neither colour nor shape is needed alone
COLOURS = tuple(PEOPLE_COLOURS[at] for at in (0, 4, 2, 3))
MARKERS = ("o", "D", "^", "h")

LEGEND_NOTES = (
    "thick: mean; thin: 19 of 20 photos are above",
    "dashed: threshold; hollow: under 9 of 10 faces found",
)


@dataclass(frozen=True, slots=True)
class RobustnessCurve:
    """One embedder in one panel: parallel values, by rising strength.

    mean, low: similarities -1..1, or None where no face was found. found: 0..1.
    """

    strengths: tuple[float, ...]
    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    found: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.strengths) == len(self.mean) == len(self.low) == len(self.found):
            raise ValueError("a curve has as many means, lows and shares as strengths")
        numbers = [value for value in (*self.mean, *self.low) if value is not None]
        if not all(-1.0 <= value <= 1.0 for value in numbers):  # also refuses NaN
            raise ValueError("similarities must be in -1..1; use None where there is none")


@dataclass(frozen=True, slots=True)
class Panel:
    """One change. ends: what the axis says left and right. curves: one for each embedder."""

    title: str
    ends: tuple[str, str]
    curves: tuple[RobustnessCurve, ...]


def draw_robustness_chart(
    panels: Sequence[Panel],
    embedders: Sequence[tuple[str, float]],
    path: str | os.PathLike[str],
) -> Path:
    """Draw the panels; embedders: name and threshold, in the order of each panel's curves."""
    if not panels or any(len(panel.curves) != len(embedders) for panel in panels):
        raise ValueError("each panel needs one curve for each embedder, and there must be a panel")
    if not 0 < len(embedders) <= len(COLOURS):
        raise ValueError(f"1 to {len(COLOURS)} embedders fit into a chart, got {len(embedders)}")
    top = HEAD_HEIGHT + LEGEND_LINE * (len(embedders) + len(LEGEND_NOTES)) + 44
    lines = -(-len(panels) // COLUMNS)
    width = LEFT + COLUMNS * (PANEL_WIDTH + GAP_X) - GAP_X + MARGIN
    with default_style():
        canvas = Canvas(width, top + lines * (PANEL_HEIGHT + GAP_Y) - GAP_Y + 24 + MARGIN)
        canvas.text(MARGIN, 36, "Similarity of a photo and its change", size=TITLE, bold=True)
        _draw_legend(canvas, embedders)
        low = _lowest(panels, embedders)
        for at, panel in enumerate(panels):
            line, column = divmod(at, COLUMNS)
            left = LEFT + column * (PANEL_WIDTH + GAP_X)
            frame = AxesFrame(left, top + line * (PANEL_HEIGHT + GAP_Y), PANEL_WIDTH, PANEL_HEIGHT)
            _draw_panel(canvas, frame, panel, embedders, low, labels=column == 0)
        return canvas.save(path)


def _draw_panel(
    canvas: Canvas,
    frame: AxesFrame,
    panel: Panel,
    embedders: Sequence[tuple[str, float]],
    low: float,
    *,
    labels: bool,
) -> None:
    canvas.text(frame.left, frame.top - 10, panel.title, bold=True, room=frame.width)
    axes = add_axes(canvas, frame)
    axes.set_facecolor("#fafbfc")
    (first, last), top = _reach(panel), 1.0 + (1.0 - low) * INSET / (frame.height - INSET)
    margin = (last - first) * INSET / (frame.width - 2 * INSET)
    axes.set(xlim=(first - margin, last + margin), ylim=(low, top))
    values = np.arange(low, 1.01, 0.25 if low > -0.5 else 0.5).tolist()
    zero = [(0.0, "")] if first < 0 else []
    set_ticks(axes, zero, [(value, signed(value, 2) if labels else "") for value in values])
    for at, (_, threshold) in enumerate(embedders):
        width, colour = 1.6 * POINTS_PER_UNIT, _threshold_colour(at, embedders)
        axes.axhline(threshold, color=colour, linewidth=width, linestyle=DASHES)
    for at, curve in enumerate(panel.curves):
        _draw_curve(axes, curve, at)
    below = frame.top + frame.height + 18
    canvas.text(frame.left, below, panel.ends[0], size=SMALL, colour=MUTED)
    right = frame.left + frame.width
    canvas.text(right, below, panel.ends[1], size=SMALL, colour=MUTED, across="right")


def _draw_curve(axes: Axes, curve: RobustnessCurve, at: int) -> None:
    """From the unchanged photo, whose similarity to itself is 1, outward on both sides."""
    rows = sorted(zip(curve.strengths, curve.mean, curve.low, curve.found, strict=True))
    for side in (1, -1):
        out = [row for row in rows if row[0] * side > 0][::side]
        for values, width in ((2, 1.0), (1, 2.6)):
            known = [(row[0], row[values]) for row in out if row[values] is not None]
            if known:
                xy = np.array([(0.0, 1.0), *known], np.float64)
                axes.plot(*xy.T, color=COLOURS[at], linewidth=width * POINTS_PER_UNIT)
    for strength, mean, _, found in rows:
        if mean is not None:
            _draw_mark(axes, strength, mean, at, hollow=found < FEW_FOUND)


def _draw_mark(axes: Axes, x: float, y: float, at: int, *, hollow: bool = False) -> None:
    axes.plot(
        *([x], [y]),
        marker=MARKERS[at],
        markersize=2 * MARK * POINTS_PER_UNIT,
        markerfacecolor=PAPER if hollow else COLOURS[at],
        markeredgecolor=COLOURS[at],
        markeredgewidth=1.6 * POINTS_PER_UNIT,
        clip_on=False,
        zorder=3,
    )


def _threshold_colour(at: int, embedders: Sequence[tuple[str, float]]) -> str:
    return INK if len(embedders) == 1 else COLOURS[at]


def _draw_legend(canvas: Canvas, embedders: Sequence[tuple[str, float]]) -> None:
    """A line with its mark, the name and the threshold of each embedder; then the notes."""
    frame = AxesFrame(0.0, HEAD_HEIGHT, canvas.width, LEGEND_LINE * len(embedders))
    axes = canvas.add_axes(frame.left, frame.top, frame.width, frame.height)
    axes.set_axis_off()
    axes.set(xlim=(0, frame.width), ylim=(frame.height, 0))
    y = LEGEND_LINE / 2
    for at, (name, threshold) in enumerate(embedders):
        line = [MARGIN, MARGIN + 34]
        axes.plot(line, [y, y], color=COLOURS[at], linewidth=2.6 * POINTS_PER_UNIT)
        _draw_mark(axes, MARGIN + 17, y, at)
        words = f"threshold {threshold:.3f}"
        room = canvas.width - 2 * MARGIN - 44 - text_width(words, size=SMALL) - 16
        beside = HEAD_HEIGHT + y + 4.7
        canvas.text(MARGIN + 44, beside, display_name(name), size=SMALL, room=room)
        right = canvas.width - MARGIN
        canvas.text(right, beside, words, size=SMALL, colour=MUTED, across="right")
        y += LEGEND_LINE
    for words in LEGEND_NOTES:
        canvas.text(MARGIN, HEAD_HEIGHT + y + 4.7, words, size=SMALL, colour=MUTED)
        y += LEGEND_LINE


def _lowest(panels: Sequence[Panel], embedders: Sequence[tuple[str, float]]) -> float:
    """Where the similarity axis starts: 0, or under it at -0.25, -0.5 or -1."""
    shown = [threshold for _, threshold in embedders]
    for panel in panels:
        for curve in panel.curves:
            shown += [value for value in (*curve.mean, *curve.low) if value is not None]
    return next(start for start in (0.0, -0.25, -0.5, -1.0) if start <= min(shown))


def _reach(panel: Panel) -> tuple[float, float]:
    strengths = [strength for curve in panel.curves for strength in curve.strengths]
    return min(0.0, *strengths), max(0.0, *strengths) or 1.0
