"""Loss and spread of a training against its steps."""

from __future__ import annotations

import os
from collections.abc import Sequence
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

WIDTH, HEIGHT = 700.0, 300.0


def draw_training(
    steps: Sequence[int],
    loss: Sequence[float],
    spread: Sequence[float],
    path: str | os.PathLike[str],
) -> Path:
    """Draw loss and spread (n,) by step. ValueError for no step, or lengths that differ."""
    if not steps or not len(steps) == len(loss) == len(spread):
        raise ValueError("a training has a loss and a spread for each step, and at least one")
    top = max(1.0, float(np.nanmax([*loss, *spread])))
    last = max(int(steps[-1]), 1)
    with default_style():
        height = TITLE_HEIGHT + HEIGHT + BELOW + 2 * LEGEND_LINE + MARGIN
        canvas = Canvas(LEFT + WIDTH + MARGIN + 10, height)
        axes = add_axes(canvas, AxesFrame(LEFT, TITLE_HEIGHT, WIDTH, HEIGHT))
        axes.set(xlim=(0, last), ylim=(0, top))
        across, up = nice_step(last / 8), nice_step(top / 6)
        set_ticks(
            axes,
            [(at, f"{at:g}") for at in np.arange(0, last + 0.5, max(1.0, across))],
            [(at, f"{at:.2g}") for at in np.arange(0, top + up / 1e3, up)],
        )
        add_titles(canvas, axes, "Training", "step", "loss and spread")
        lines = []
        for at, values in enumerate((loss, spread)):
            lines += axes.plot(
                steps,
                values,
                color=person_colour(at),
                linewidth=LINE_WIDTH * POINTS_PER_UNIT,
                linestyle=DASHES if at else "solid",
                clip_on=False,
                zorder=ABOVE_FRAME,
            )
        names = ("loss, 0 is best", "spread of the projections, 0 is collapsed")
        add_legend(axes, lines, names, below=BELOW + 8)
        return canvas.save(path)
