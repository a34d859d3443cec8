"""A histogram of genuine and impostor scores on one axis, with the thresholds."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from mien.lab.plots.axes import (
    ABOVE_FRAME,
    BELOW,
    DASHES,
    LEFT,
    LEGEND_LINE,
    TITLE_HEIGHT,
    AxesFrame,
    add_axes,
    add_legend,
    add_titles,
    power_label,
    set_ticks,
)
from mien.lab.plots.canvas import POINTS_PER_UNIT, Canvas, default_style
from mien.lab.plots.style import INK, LOCKED, MARGIN, SMALL, UNLOCKED, signed
from mien.metrics import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Values: TypeAlias = npt.NDArray[np.float64]

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
    frame = AxesFrame(LEFT, TITLE_HEIGHT + LABEL_ROOM * len(thresholds), WIDTH, HEIGHT)
    with default_style():
        canvas = Canvas(
            LEFT + WIDTH + MARGIN + 10, frame.top + HEIGHT + BELOW + 2 * LEGEND_LINE + MARGIN
        )
        axes = add_axes(canvas, frame)
        axes.set(yscale="log", xlim=(low, high), ylim=(10.0**bottom, 1.0))
        powers = [(10.0**power, power_label(power)) for power in range(bottom, 1)]
        set_ticks(axes, [(value, signed(value, 1)) for value in _ticks(low, high)], powers)
        add_titles(canvas, axes, "Scores", "similarity", "share of the comparisons")
        for shares, fill in ((theirs, STRANGERS_FILL), (ours, OWNERS_FILL)):
            axes.stairs(_heights(shares, bottom), edges, fill=True, color=fill, zorder=0.5)
        lines = [
            _outline(axes, _heights(shares, bottom), edges, colour)
            for shares, colour in ((ours, UNLOCKED), (theirs, LOCKED))
        ]
        _draw_thresholds(canvas, axes, frame, thresholds)
        names = [
            f"one person, {len(genuine):,} comparisons",
            f"strangers, {len(impostor):,} comparisons",
        ]
        add_legend(axes, lines, names, below=BELOW + 8)
        return canvas.save(path)


def _outline(axes: Axes, heights: Values, edges: Values, colour: str) -> Line2D:
    [line] = axes.step(
        edges,
        np.append(heights, heights[-1]),
        where="post",
        color=colour,
        linewidth=2 * POINTS_PER_UNIT,
        clip_on=False,  # a line along the edge stays whole, over the frame
        zorder=ABOVE_FRAME,
    )
    return line


def _draw_thresholds(
    canvas: Canvas, axes: Axes, frame: AxesFrame, thresholds: Sequence[tuple[str, float]]
) -> None:
    low, high = axes.get_xlim()
    # the leftmost label is the highest: no line further right reaches up to it
    for at, (label, value) in enumerate(sorted(thresholds, key=lambda mark: -mark[1])):
        x = float(np.clip(value, low, high))
        rise = 6 + at * LABEL_ROOM
        axes.plot(
            *([x, x], [0.0, 1.0 + rise / frame.height]),
            transform=axes.get_xaxis_transform(),
            color=INK,
            linewidth=POINTS_PER_UNIT,
            linestyle=DASHES,
            clip_on=False,
        )
        place = frame.left + (x - low) / (high - low) * frame.width
        y = frame.top - rise + SMALL * 0.36 - 4
        canvas.text(place + 5, y, f"{label}: {signed(value, 3)}", size=SMALL, colour=INK)


def _range(genuine: Scores, impostor: Scores) -> tuple[float, float]:
    """Whole tenths around all scores; a score of -inf has no place."""
    values = [scores.values[np.isfinite(scores.values)] for scores in (genuine, impostor)]
    if not all(map(len, values)):
        raise ValueError("a histogram needs finite scores of both kinds")
    low = math.floor(min(float(v[0]) for v in values) * 10 + 1e-6) / 10
    high = math.ceil(max(float(v[-1]) for v in values) * 10 - 1e-6) / 10
    return low, max(high, low + 0.1)


def _shares(scores: Scores, edges: Values) -> Values:
    ends = edges.copy()
    ends[-1] = np.inf
    counts = -np.diff(scores.count_at_least(ends))
    return np.asarray(counts / scores.n, np.float64)


def _heights(shares: Values, bottom: int) -> Values:
    """Shares as drawn: none at the foot of the axis, the least of some a little above it."""
    foot = 10.0**bottom
    return np.where(shares > 0, np.maximum(shares, foot**0.994), foot)


def _ticks(low: float, high: float) -> list[float]:
    step = 0.2 if high - low < 2.5 else float(math.ceil((high - low) / 10))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [at * step for at in range(first, last + 1)]
