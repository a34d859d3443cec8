"""Matplotlib axes on a sheet: a title over them, a light grid, tick labels and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mien.lab.plots.canvas import POINTS_PER_UNIT, SCALE, Canvas, font
from mien.lab.plots.style import BODY, INK, LINE, MUTED, PANEL, PAPER, SMALL, TITLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Tick = tuple[float, str]
"""Where on the axis, in its own numbers, and the label there."""

TITLE_HEIGHT = 62.0
LEFT, BELOW = 92.0, 62.0  # units for tick labels and the axis title
LEGEND_LINE = 26.0
LINE_WIDTH = 2.5
GRID_WIDTH = 0.8
ABOVE_FRAME = 2.6  # Matplotlib draws the frame at 2.5
DASHES = (0.0, (4.0, 3.0))


@dataclass(frozen=True, slots=True)
class AxesFrame:
    """Where the axes are on the sheet, units."""

    left: float
    top: float
    width: float
    height: float


def add_axes(canvas: Canvas, frame: AxesFrame) -> Axes:
    """Axes with a light grid. Set limits and scales first, then the ticks by `set_ticks`."""
    axes = canvas.add_axes(frame.left, frame.top, frame.width, frame.height)
    axes.set_axisbelow(True)
    axes.grid(color=LINE, linewidth=GRID_WIDTH * POINTS_PER_UNIT)
    axes.tick_params(which="both", length=0, labelcolor=MUTED, pad=8 * POINTS_PER_UNIT)
    for spine in axes.spines.values():
        spine.set(color=MUTED, linewidth=POINTS_PER_UNIT)
    return axes


def set_ticks(axes: Axes, x_ticks: Sequence[Tick], y_ticks: Sequence[Tick]) -> None:
    """Put ticks, and no others, on both axes."""
    for axis, ticks in ((axes.xaxis, x_ticks), (axes.yaxis, y_ticks)):
        axis.set_ticks([at for at, _ in ticks], [label for _, label in ticks])
        axis.set_ticks([], minor=True)
        for label in axis.get_ticklabels():
            label.set_fontproperties(font(SMALL))


def add_titles(
    canvas: Canvas, axes: Axes, title: str, x_title: str, y_title: str, *, size: float = BODY
) -> None:
    """The title of the sheet, and what the two axes show."""
    canvas.text(24, 39, title, size=TITLE, bold=True)
    pad = 12 * POINTS_PER_UNIT
    axes.set_xlabel(x_title, fontproperties=font(size), color=INK, labelpad=pad)
    axes.set_ylabel(y_title, fontproperties=font(size), color=INK)
    axes.yaxis.set_label_coords(-56 / _size_in_units(axes)[0], 0.5)


def add_band(axes: Axes, start: float, end: float, words: str) -> None:
    """A grey band over part of the width, with words in it if there is room."""
    axes.axvspan(start, end, facecolor=PANEL, edgecolor="none", zorder=0.4)
    edges = axes.transData.transform([(start, 0.5), (end, 0.5)])[:, 0]
    if edges[1] - edges[0] > 2 * SMALL * SCALE:
        middle = axes.transAxes.inverted().transform([(edges.mean(), 0.0)])[0, 0]
        axes.text(
            *(middle, 0.5, words),
            transform=axes.transAxes,
            fontproperties=font(SMALL),
            color=MUTED,
            rotation=90,
            ha="center",
            va="center",
        )


def add_marker(axes: Axes, x: float, y: float, colour: str) -> None:
    """A filled dot that stays whole at the edge of the axes."""
    axes.plot(
        *([x], [y]),
        marker="o",
        markersize=10 * POINTS_PER_UNIT,
        markerfacecolor=colour,
        markeredgecolor=PAPER,
        markeredgewidth=1.5 * POINTS_PER_UNIT,
        clip_on=False,
        zorder=3,
    )


def add_legend(axes: Axes, lines: Sequence[Line2D], names: Sequence[str], below: float) -> None:
    """A line of the colour and its name for each, so many units under the axes."""
    legend = axes.legend(
        lines,
        names,
        loc="upper left",
        bbox_to_anchor=(0.0, -below / _size_in_units(axes)[1]),
        prop=font(SMALL),
        labelcolor=INK,
        frameon=False,
        borderpad=0.0,
        borderaxespad=0.0,
        handlelength=30 / SMALL,
        handletextpad=8 / SMALL,
        labelspacing=(LEGEND_LINE - SMALL) / SMALL - 0.02,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def power_label(power: int) -> str:
    """The power of ten as a tick label: 1, 1e-1, 1e-2, with a true minus sign."""
    return "1" if power == 0 else f"1e\N{MINUS SIGN}{-power}"


def _size_in_units(axes: Axes) -> tuple[float, float]:
    extent = axes.get_window_extent()
    return extent.width / SCALE, extent.height / SCALE
