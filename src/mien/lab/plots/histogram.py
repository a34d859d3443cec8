"""Genuine and impostor scores as two outlines over one axis, with the thresholds."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.lab.plots.axes import (
    BELOW,
    LEFT,
    LEGEND_LINE,
    TITLE_HEIGHT,
    Frame,
    Points,
    draw_axes,
    draw_legend,
)
from mien.lab.plots.canvas import Canvas
from mien.lab.plots.style import INK, LOCKED, MARGIN, SMALL, UNLOCKED, signed
from mien.metrics import Scores

WIDTH, HEIGHT = 700.0, 400.0
BINS = 80
STRANGERS_FILL, OWNERS_FILL = "#f3dbd7", "#d5ebe5"
LABEL_ROOM = 17.0  # units between the lines of the thresholds' labels


def draw_score_histogram(
    genuine: Scores,
    impostor: Scores,
    thresholds: Sequence[tuple[str, float]],
    path: str | os.PathLike[str],
) -> Path:
    """Draw the share of comparisons per bin, logarithmic: the tails are what decides.

    thresholds: (label, score) drawn upright. ValueError without both kinds of score.
    """
    if not len(genuine) or not len(impostor):
        raise ValueError("a histogram needs genuine and impostor scores")
    low, high = _range(genuine, impostor)
    edges = np.linspace(low, high, BINS + 1)
    ours, theirs = _shares(genuine, edges), _shares(impostor, edges)
    seen = np.concatenate([ours, theirs])
    bottom = math.floor(math.log10(seen[seen > 0].min()) + 1e-9)
    frame = Frame(LEFT, TITLE_HEIGHT + LABEL_ROOM * len(thresholds), WIDTH, HEIGHT)
    canvas = Canvas(
        LEFT + WIDTH + MARGIN + 10, frame.top + HEIGHT + BELOW + 2 * LEGEND_LINE + MARGIN
    )
    x_ticks = [((value - low) / (high - low), signed(value, 1)) for value in _ticks(low, high)]
    y_ticks = [
        (1.0 - power / bottom, "1" if power == 0 else f"1e\N{MINUS SIGN}{-power}")
        for power in range(bottom, 1)
    ]
    for shares, fill in ((theirs, STRANGERS_FILL), (ours, OWNERS_FILL)):
        outline = _outline(shares, bottom)
        canvas.polygon(frame.at([(0.0, 0.0), *outline, (1.0, 0.0)]), fill=fill)
    axes = (("similarity", x_ticks), ("share of the comparisons", y_ticks))
    draw_axes(canvas, frame, "Scores", *axes)
    canvas.line(frame.at(_outline(theirs, bottom)), colour=LOCKED, width=2)
    canvas.line(frame.at(_outline(ours, bottom)), colour=UNLOCKED, width=2)
    _draw_thresholds(canvas, frame, thresholds, low, high)
    legend = [
        (f"one person, {len(genuine):,} comparisons", UNLOCKED, False),
        (f"strangers, {len(impostor):,} comparisons", LOCKED, False),
    ]
    draw_legend(canvas, frame.left, frame.top + HEIGHT + BELOW + 14, legend)
    return canvas.save(path)


def _draw_thresholds(
    canvas: Canvas,
    frame: Frame,
    thresholds: Sequence[tuple[str, float]],
    low: float,
    high: float,
) -> None:
    # the leftmost label is the highest: no line further right reaches up to it
    for at, (label, value) in enumerate(sorted(thresholds, key=lambda mark: -mark[1])):
        x = frame.left + float(np.clip((value - low) / (high - low), 0, 1)) * frame.width
        top = frame.top - 6 - at * LABEL_ROOM
        canvas.line([(x, top), (x, frame.top + frame.height)], colour=INK, dashed=True)
        text = f"{label}: {signed(value, 3)}"
        canvas.text(x + 5, top + SMALL * 0.36 - 4, text, size=SMALL, colour=INK)


def _range(genuine: Scores, impostor: Scores) -> tuple[float, float]:
    """Whole tenths around all scores; a score of -inf has no place."""
    values = [scores.values[np.isfinite(scores.values)] for scores in (genuine, impostor)]
    if not all(map(len, values)):
        raise ValueError("a histogram needs finite scores of both kinds")
    low = math.floor(min(float(v[0]) for v in values) * 10 + 1e-6) / 10
    high = math.ceil(max(float(v[-1]) for v in values) * 10 - 1e-6) / 10
    return low, max(high, low + 0.1)


def _shares(scores: Scores, edges: Points) -> Points:
    ends = edges.copy()
    ends[-1] = np.inf
    counts = -np.diff(scores.count_at_least(ends))
    return np.asarray(counts / scores.n, np.float64)


def _outline(shares: Points, bottom: int) -> list[tuple[float, float]]:
    """The steps from left to right, as shares of the frame."""
    heights = np.zeros(len(shares))
    some = shares > 0
    # a bin of the least share still stands a little above the axis
    heights[some] = np.maximum(1.0 - np.log10(shares[some]) / bottom, 0.006)
    steps = []
    for at, height in enumerate(heights):
        steps += [(at / len(heights), float(height)), ((at + 1) / len(heights), float(height))]
    return steps


def _ticks(low: float, high: float) -> list[float]:
    step = 0.2 if high - low < 2.5 else float(math.ceil((high - low) / 10))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [at * step for at in range(first, last + 1)]
