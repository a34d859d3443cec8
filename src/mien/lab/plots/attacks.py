"""Attacks that pass a liveness check, by species, with intervals."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.lab.plots.axes import (
    ABOVE_FRAME,
    BELOW,
    LEGEND_LINE,
    TITLE_HEIGHT,
    AxesFrame,
    add_axes,
    add_legend,
    add_titles,
    set_ticks,
)
from mien.lab.plots.canvas import Canvas, default_style
from mien.lab.plots.style import MARGIN, person_colour
from mien.metrics import ErrorRate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

WIDTH, ROW, LABELS = 560.0, 60.0, 190.0
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
OFFSET = 0.16  # of a row, between two ways to decide


def draw_attacks(
    rates: Mapping[str, Mapping[str, ErrorRate]], path: str | os.PathLike[str]
) -> Path:
    """Draw the share of attacks that pass, by species, for each way to decide, with intervals.

    rates: by the way's name, then by species. ValueError for no way, or one without a species.
    """
    species = list(dict.fromkeys(name for way in rates.values() for name in way))
    if not species:
        raise ValueError("there is no species whose rate can be drawn")
    height = ROW * len(species)
    with default_style():
        room = TITLE_HEIGHT + height + BELOW + len(rates) * LEGEND_LINE + MARGIN
        canvas = Canvas(LABELS + WIDTH + MARGIN + 10, room)
        axes = add_axes(canvas, AxesFrame(LABELS, TITLE_HEIGHT, WIDTH, height))
        axes.set(xlim=(-0.02, 1.02), ylim=(len(species) - 0.5, -0.5))
        set_ticks(
            axes,
            [(share, f"{share:.0%}") for share in SHARES],
            [(float(at), name) for at, name in enumerate(species)],
        )
        add_titles(canvas, axes, "Attacks that pass", "APCER, with 95 % intervals", "")
        middle = (len(rates) - 1) / 2
        marks = [
            _plot(axes, OFFSET * (at - middle), at, way, species)
            for at, way in enumerate(rates.values())
        ]
        add_legend(axes, marks, tuple(rates), below=BELOW + 8)
        return canvas.save(path)


def _plot(
    axes: Axes, place: float, colour: int, way: Mapping[str, ErrorRate], species: Sequence[str]
) -> Line2D:
    known = [(row, way[name]) for row, name in enumerate(species) if name in way]
    container = axes.errorbar(
        [rate.value for _, rate in known],
        [row + place for row, _ in known],
        xerr=[
            [max(0.0, rate.value - rate.interval.low) for _, rate in known],
            [max(0.0, rate.interval.high - rate.value) for _, rate in known],
        ],
        fmt="o",
        color=person_colour(colour),
        capsize=3,
        zorder=ABOVE_FRAME,
    )
    points: Line2D = container.lines[0]
    return points
