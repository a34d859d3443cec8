"""ROC and DET curves: the two error rates at every threshold (ISO/IEC 19795-1)."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
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
    LINE_WIDTH,
    TITLE_HEIGHT,
    AxesFrame,
    Tick,
    add_axes,
    add_band,
    add_legend,
    add_marker,
    add_titles,
    power_label,
    set_ticks,
)
from mien.lab.plots.canvas import POINTS_PER_UNIT, Canvas, default_style
from mien.lab.plots.style import MARGIN, person_colour
from mien.metrics import DetCurve, lowest_supported_fmr, normal_deviates, well_measured_fmr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Rates: TypeAlias = npt.NDArray[np.float64]

WIDTH, HEIGHT = 700.0, 460.0
LEFTMOST = 1e-8  # no data that fits a computer says anything below
TOO_FEW = "too few pairs to say"
# places on a DET axis, in the tradition of Martin et al. 1997
DET_TICKS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4)
HIGHEST_ON_DET = 0.5
EQUAL_COLOUR = "#9aa1ab"
FMR_TITLE = "false match rate (strangers accepted)"
FNMR_TITLE = "false non-match rate (owner refused)"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A named DET curve. n_impostor, n_genuine: comparisons. marks: (FMR, FNMR) to point out."""

    name: str
    det: DetCurve
    n_impostor: int
    n_genuine: int
    marks: tuple[tuple[float, float], ...] = ()


def draw_roc(curves: Sequence[Curve], path: str | os.PathLike[str]) -> Path:
    """Draw true match rate against false match rate, the latter logarithmic.

    The part where the data says nothing (below 3 / n) is grey. ValueError for no curve.
    """
    low = _lowest(curves)
    floor = _rounded_down(min(_worst_measured(curve) for curve in curves))
    powers = range(round(math.log10(low)), 1)
    step = (1.0 - floor) / 5
    with default_style():
        canvas, axes = _sheet(len(curves))
        axes.set(xscale="log", xlim=(low, 1.0), ylim=(floor, 1.0))
        rates = [floor + at * step for at in range(6)]
        set_ticks(
            axes,
            [(10.0**power, power_label(power)) for power in powers],
            [(rate, _percent(rate)) for rate in rates],
        )
        add_titles(canvas, axes, "ROC", FMR_TITLE, "true match rate")
        add_band(axes, low, max(_supported(curves), low), TOO_FEW)
        lines = []
        for at, curve in enumerate(curves):
            fmr, tmr = _from_left_end(curve, low)
            above = tmr >= floor
            lines += _plot(axes, fmr[above], tmr[above], at)
            for mark_fmr, mark_fnmr in curve.marks:
                if 1.0 - mark_fnmr >= floor:
                    add_marker(axes, max(mark_fmr, low), 1.0 - mark_fnmr, person_colour(at))
        _add_legend(axes, lines, curves)
        return canvas.save(path)


def draw_det(
    curves: Sequence[Curve],
    path: str | os.PathLike[str],
    *,
    x_title: str = FMR_TITLE,
    y_title: str = FNMR_TITLE,
) -> Path:
    """Draw FNMR against FMR, both on normal-deviate axes; where both are equal is dashed.

    The part where the data says nothing (below 3 / n) is grey. ValueError for no curve.
    """
    low_x = _lowest(curves)
    low_y = max(min(1.0 / (2 * curve.n_genuine) for curve in curves), LEFTMOST)
    low_y = min(low_y, 1e-3)
    with default_style():
        canvas, axes = _sheet(len(curves))
        (x_low, y_low), high = _deviates([low_x, low_y]), _deviates([HIGHEST_ON_DET])[0]
        axes.set(xlim=(x_low, high), ylim=(y_low, high))
        x_gap, y_gap = 46 / WIDTH * (high - x_low), 20 / HEIGHT * (high - y_low)
        set_ticks(axes, _det_ticks(low_x, x_gap), _det_ticks(low_y, y_gap))
        add_titles(canvas, axes, "DET", x_title, y_title)
        supported = np.clip(_supported(curves), low_x, HIGHEST_ON_DET)
        add_band(axes, x_low, _deviates([supported])[0], TOO_FEW)
        equal = _deviates([max(low_x, low_y), HIGHEST_ON_DET])
        axes.plot(equal, equal, color=EQUAL_COLOUR, linewidth=POINTS_PER_UNIT, linestyle=DASHES)
        lines = []
        for at, curve in enumerate(curves):
            fmr, fnmr = curve.det.fmr, curve.det.fnmr
            inside = (fmr >= low_x) & (fmr <= HIGHEST_ON_DET) & (fnmr <= HIGHEST_ON_DET)
            fnmr = np.maximum(fnmr, low_y)
            lines += _plot(axes, _deviates(fmr[inside]), _deviates(fnmr[inside]), at)
            for mark in curve.marks:
                x, y = _deviates(np.clip(mark, [low_x, low_y], HIGHEST_ON_DET))
                add_marker(axes, x, y, person_colour(at))
        _add_legend(axes, lines, curves)
        return canvas.save(path)


def _sheet(n_curves: int) -> tuple[Canvas, Axes]:
    height = TITLE_HEIGHT + HEIGHT + BELOW + n_curves * LEGEND_LINE + MARGIN
    canvas = Canvas(LEFT + WIDTH + MARGIN + 10, height)
    return canvas, add_axes(canvas, AxesFrame(LEFT, TITLE_HEIGHT, WIDTH, HEIGHT))


def _add_legend(axes: Axes, lines: Sequence[Line2D], curves: Sequence[Curve]) -> None:
    add_legend(axes, lines, [curve.name for curve in curves], below=BELOW + 8)


def _plot(axes: Axes, x: Rates, y: Rates, at: int) -> list[Line2D]:
    return axes.plot(
        x,
        y,
        color=person_colour(at),
        linewidth=LINE_WIDTH * POINTS_PER_UNIT,
        linestyle=DASHES if at else "solid",
        solid_capstyle="butt",
        clip_on=False,  # a line along the edge stays whole, over the frame
        zorder=ABOVE_FRAME,
    )


def _deviates(rates: npt.ArrayLike) -> Rates:
    """Where rates inside 0..1 lie on a normal-deviate axis."""
    return normal_deviates(np.asarray(rates, np.float64))


def _det_ticks(low: float, gap: float) -> list[Tick]:
    """Those of `DET_TICKS` from `low` on whose labels, so far apart, do not overlap."""
    rates = [rate for rate in DET_TICKS if rate >= low]
    kept: list[Tick] = []
    for place, rate in zip(_deviates(rates), rates, strict=True):
        if not kept or place - kept[-1][0] >= gap:
            kept.append((float(place), _rate(rate)))
    return kept


def _lowest(curves: Sequence[Curve]) -> float:
    """Where the FMR axis starts: the power of ten under one comparison."""
    if not curves:
        raise ValueError("no curve to draw")
    most = max(curve.n_impostor for curve in curves)
    return max(LEFTMOST, 10.0 ** math.floor(math.log10(1.0 / max(most, 10)) + 1e-9))


def _supported(curves: Sequence[Curve]) -> float:
    return min(lowest_supported_fmr(curve.n_impostor) for curve in curves)


def _from_left_end(curve: Curve, low: float) -> tuple[Rates, Rates]:
    """FMR and TMR from the left end of the axis on; the last point before it moved onto it."""
    fmr, tmr = curve.det.fmr, 1.0 - curve.det.fnmr
    before = int(np.count_nonzero(fmr < low))
    start = max(before - 1, 0)
    return np.maximum(fmr[start:], low), tmr[start:]


def _worst_measured(curve: Curve) -> float:
    """The least true match rate where the false match rate is well measured, if it is at all."""
    least = min(well_measured_fmr(curve.n_impostor), 0.1)
    return float((1.0 - curve.det.fnmr)[curve.det.fmr >= least].min())


def _rounded_down(rate: float) -> float:
    """The nearest of a few round shares below: the axis starts there."""
    return next(start for start in (0.95, 0.9, 0.8, 0.5, 0.0) if start <= rate)


def _rate(rate: float) -> str:
    return f"{rate:g}" if rate > 1e-3 else power_label(round(math.log10(rate)))


def _percent(rate: float) -> str:
    return f"{rate * 100:.1f}".rstrip("0").rstrip(".") + " %"
