"""Similarity against strength, a small panel for each change, the threshold across it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.lab.labels import display_name
from mien.lab.plots.canvas import Canvas, text_width
from mien.lab.plots.style import INK, LINE, MARGIN, MUTED, PEOPLE_COLOURS, SMALL, TITLE, signed

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
CORNERS = (40, 4, 3, 6)

LEGEND_NOTES = (
    "thick: mean; thin: 19 of 20 photos lie above",
    "dashed: threshold; hollow: under 9 of 10 faces found",
)


@dataclass(frozen=True, slots=True)
class Curve:
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
    curves: tuple[Curve, ...]


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
    canvas = Canvas(width, top + lines * (PANEL_HEIGHT + GAP_Y) - GAP_Y + 24 + MARGIN)
    canvas.text(MARGIN, 36, "Similarity of a photo and its change", size=TITLE, bold=True)
    _draw_legend(canvas, embedders)
    low = _lowest(panels, embedders)
    for at, panel in enumerate(panels):
        line, column = divmod(at, COLUMNS)
        left = LEFT + column * (PANEL_WIDTH + GAP_X)
        _Frame(canvas, left, top + line * (PANEL_HEIGHT + GAP_Y), low, _reach(panel)).draw(
            panel, embedders, labels=column == 0
        )
    return canvas.save(path)


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A panel's place, and where numbers lie in it. reach: the strengths at its two ends."""

    canvas: Canvas
    left: float
    top: float
    low: float
    reach: tuple[float, float]

    def x(self, strength: float) -> float:
        first, last = self.reach
        return self.left + INSET + (PANEL_WIDTH - 2 * INSET) * (strength - first) / (last - first)

    def y(self, similarity: float) -> float:
        room = PANEL_HEIGHT - INSET
        return self.top + INSET + room * (1.0 - similarity) / (1.0 - self.low)

    def draw(self, panel: Panel, embedders: Sequence[tuple[str, float]], *, labels: bool) -> None:
        canvas, right = self.canvas, self.left + PANEL_WIDTH
        canvas.text(self.left, self.top - 10, panel.title, bold=True, room=PANEL_WIDTH)
        canvas.box(self.left, self.top, PANEL_WIDTH, PANEL_HEIGHT, fill="#fafbfc")
        for value in np.arange(self.low, 1.01, 0.25 if self.low > -0.5 else 0.5):
            y = self.y(float(value))
            canvas.line([(self.left, y), (right, y)], colour=LINE, width=0.8)
            if labels:
                text = signed(float(value), 2)
                canvas.text(self.left - 6, y + 4.7, text, size=SMALL, colour=MUTED, across="right")
        if self.reach[0] < 0:
            ends = [(self.x(0), self.top), (self.x(0), self.top + PANEL_HEIGHT)]
            canvas.line(ends, colour=LINE, width=0.8)
        for at, (_, threshold) in enumerate(embedders):
            ends = [(self.left, self.y(threshold)), (right, self.y(threshold))]
            canvas.line(ends, colour=_threshold_colour(at, embedders), width=1.6, dashed=True)
        for at, curve in enumerate(panel.curves):
            self._draw_curve(curve, at)
        canvas.box(self.left, self.top, PANEL_WIDTH, PANEL_HEIGHT, edge=MUTED)
        below = self.top + PANEL_HEIGHT + 18
        canvas.text(self.left, below, panel.ends[0], size=SMALL, colour=MUTED)
        canvas.text(right, below, panel.ends[1], size=SMALL, colour=MUTED, across="right")

    def _draw_curve(self, curve: Curve, at: int) -> None:
        """From the unchanged photo, which is like itself at 1, outward on both sides."""
        rows = sorted(zip(curve.strengths, curve.mean, curve.low, curve.found, strict=True))
        for side in (1, -1):
            out = [row for row in rows if row[0] * side > 0][::side]
            for values, width in ((2, 1.0), (1, 2.6)):
                known = [(row[0], row[values]) for row in out if row[values] is not None]
                points = [(0.0, 1.0), *((s, value) for s, value in known if value is not None)]
                if len(points) > 1:
                    xy = [(self.x(strength), self.y(value)) for strength, value in points]
                    self.canvas.line(xy, colour=COLOURS[at], width=width)
        for strength, mean, _, found in rows:
            if mean is not None:
                _mark(self.canvas, self.x(strength), self.y(mean), at, hollow=found < FEW_FOUND)


def _mark(canvas: Canvas, x: float, y: float, at: int, *, hollow: bool = False) -> None:
    corners = CORNERS[at]
    turn = np.arange(corners) * (2 * np.pi / corners) - np.pi / 2
    radius = MARK * (1.35 if corners < 5 else 1.0)
    ring = np.column_stack([x + radius * np.cos(turn), y + radius * np.sin(turn)])
    fill = "#ffffff" if hollow else COLOURS[at]
    canvas.polygon(ring, fill=fill, edge=COLOURS[at], edge_width=1.6)


def _threshold_colour(at: int, embedders: Sequence[tuple[str, float]]) -> str:
    return INK if len(embedders) == 1 else COLOURS[at]


def _draw_legend(canvas: Canvas, embedders: Sequence[tuple[str, float]]) -> None:
    y = HEAD_HEIGHT + LEGEND_LINE / 2
    for at, (name, threshold) in enumerate(embedders):
        canvas.line([(MARGIN, y), (MARGIN + 34, y)], colour=COLOURS[at], width=2.6)
        _mark(canvas, MARGIN + 17, y, at)
        words = f"threshold {threshold:.3f}"
        room = canvas.width - 2 * MARGIN - 44 - text_width(words, size=SMALL) - 16
        canvas.text(MARGIN + 44, y + 4.7, display_name(name), size=SMALL, room=room)
        right = canvas.width - MARGIN
        canvas.text(right, y + 4.7, words, size=SMALL, colour=MUTED, across="right")
        y += LEGEND_LINE
    for words in LEGEND_NOTES:
        canvas.text(MARGIN, y + 4.7, words, size=SMALL, colour=MUTED)
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
