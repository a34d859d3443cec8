"""Thresholds of two calibrations by the number of enrolled photos."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mien.lab.plots.axes import (
    ABOVE_FRAME,
    BELOW,
    DASHES,
    LEFT,
    LEGEND_LINE,
    LINE_WIDTH,
    TITLE_HEIGHT,
    AxesFrame,
    add_axes,
    add_legend,
    add_titles,
    set_ticks,
)
from mien.lab.plots.canvas import POINTS_PER_UNIT, Canvas, default_style
from mien.lab.plots.pca_map import nice_step
from mien.lab.plots.style import MARGIN, person_colour

WIDTH, HEIGHT = 560.0, 280.0
ROOM = 0.02  # of similarity above and below


def draw_thresholds(
    photos: Sequence[int], thresholds: Mapping[str, Sequence[float]], path: str | os.PathLike[str]
) -> Path:
    """Draw each calibration's thresholds (n,), -1..1, by the number of photos (n,).

    thresholds: by the name in the legend. ValueError for no number of photos, or other lengths.
    """
    if not photos or any(len(values) != len(photos) for values in thresholds.values()):
        raise ValueError("a calibration has a threshold for each number of photos")
    known = np.concatenate([np.asarray(values, float) for values in thresholds.values()])
    low, high = float(known.min()) - ROOM, float(known.max()) + ROOM
    with default_style():
        height = TITLE_HEIGHT + HEIGHT + BELOW + len(thresholds) * LEGEND_LINE + MARGIN
        canvas = Canvas(LEFT + WIDTH + MARGIN + 10, height)
        axes = add_axes(canvas, AxesFrame(LEFT, TITLE_HEIGHT, WIDTH, HEIGHT))
        axes.set(xlim=(min(photos) - 0.2, max(photos) + 0.2), ylim=(low, high))
        step = nice_step((high - low) / 5)
        set_ticks(
            axes,
            [(float(at), str(at)) for at in photos],
            [(at, f"{at:.2f}") for at in np.arange(np.ceil(low / step) * step, high, step)],
        )
        add_titles(canvas, axes, "Thresholds", "enrolled photos", "threshold")
        lines = []
        for at, values in enumerate(thresholds.values()):
            lines += axes.plot(
                photos,
                values,
                color=person_colour(at),
                linewidth=LINE_WIDTH * POINTS_PER_UNIT,
                linestyle=DASHES if at else "solid",
                marker="o",
                zorder=ABOVE_FRAME,
            )
        add_legend(axes, lines, tuple(thresholds), below=BELOW + 8)
        return canvas.save(path)
