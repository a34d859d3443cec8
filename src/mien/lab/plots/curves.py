"""ROC and DET: what strangers gain against what the owner loses, at every threshold."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mien.lab.plots.axes import (
    BELOW,
    LEFT,
    LEGEND_LINE,
    TITLE_HEIGHT,
    Frame,
    Points,
    Tick,
    draw_axes,
    draw_legend,
    shade,
)
from mien.lab.plots.canvas import Canvas
from mien.lab.plots.style import MARGIN, PAPER, person_colour
from mien.metrics import DetCurve, lowest_supported_fmr, normal_deviates, well_measured_fmr

WIDTH, HEIGHT = 700.0, 460.0
LEFTMOST = 1e-8  # no data that fits a computer says anything below
TOO_FEW = "too few pairs to say"
# places on a DET axis, in the tradition of Martin et al. 1997
DET_TICKS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4)
HIGHEST_ON_DET = 0.5
FMR_TITLE = "false match rate (strangers let in)"


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

    def place(fmr: npt.ArrayLike, tmr: npt.ArrayLike) -> Points:
        x = 1.0 - np.log10(np.asarray(fmr)) / math.log10(low)
        return np.column_stack([x, (np.asarray(tmr) - floor) / (1.0 - floor)])

    powers = range(round(math.log10(low)), 1)
    x_ticks = [(1.0 - power / math.log10(low), _power(power)) for power in powers]
    step = (1.0 - floor) / 5
    y_ticks = [(at / 5, _percent(floor + at * step)) for at in range(6)]
    canvas, frame = _sheet(len(curves))
    shade(canvas, frame, 0.0, float(place([_supported(curves)], [1.0])[0, 0]), TOO_FEW)
    draw_axes(canvas, frame, "ROC", (FMR_TITLE, x_ticks), ("true match rate", y_ticks))
    for at, curve in enumerate(curves):
        fmr, tmr = _seen(curve, low)
        above = tmr >= floor
        _draw(canvas, frame, place(fmr[above], tmr[above]), at)
        for mark_fmr, mark_fnmr in curve.marks:
            if 1.0 - mark_fnmr >= floor:
                _mark(canvas, frame, place([mark_fmr], [1.0 - mark_fnmr]), at)
    _legend(canvas, frame, curves)
    return canvas.save(path)


def draw_det(curves: Sequence[Curve], path: str | os.PathLike[str]) -> Path:
    """Draw FNMR against FMR, both on normal-deviate axes; where both are equal is dashed.

    The part where the data says nothing (below 3 / n) is grey. ValueError for no curve.
    """
    low_x = _lowest(curves)
    low_y = max(min(1.0 / (2 * curve.n_genuine) for curve in curves), LEFTMOST)
    low_y = min(low_y, 1e-3)

    def share(rates: npt.ArrayLike, low: float) -> npt.NDArray[np.float64]:
        start = NormalDist().inv_cdf(low)
        end = NormalDist().inv_cdf(HIGHEST_ON_DET)
        clipped = np.clip(np.asarray(rates, np.float64), low, HIGHEST_ON_DET)
        return (normal_deviates(clipped) - start) / (end - start)

    def place(fmr: npt.ArrayLike, fnmr: npt.ArrayLike) -> Points:
        return np.column_stack([share(fmr, low_x), share(fnmr, low_y)])

    def ticks(low: float) -> list[Tick]:
        rates = [rate for rate in DET_TICKS if rate >= low]
        places = share(rates, low)
        return [(float(at), _rate(rate)) for at, rate in zip(places, rates, strict=True)]

    canvas, frame = _sheet(len(curves))
    shade(canvas, frame, 0.0, float(share([_supported(curves)], low_x)[0]), TOO_FEW)
    y_axis = ("false non-match rate (owner refused)", _apart(ticks(low_y), 20 / HEIGHT))
    x_axis = (FMR_TITLE, _apart(ticks(low_x), 46 / WIDTH))
    draw_axes(canvas, frame, "DET", x_axis, y_axis)
    equal = np.geomspace(max(low_x, low_y), HIGHEST_ON_DET, 50)
    canvas.line(frame.at(place(equal, equal)), colour="#9aa1ab", dashed=True)
    for at, curve in enumerate(curves):
        fmr, fnmr = curve.det.fmr, curve.det.fnmr
        inside = (fmr >= low_x) & (fmr <= HIGHEST_ON_DET) & (fnmr <= HIGHEST_ON_DET)
        _draw(canvas, frame, place(fmr[inside], fnmr[inside]), at)
        for mark in curve.marks:
            _mark(canvas, frame, place([mark[0]], [mark[1]]), at)
    _legend(canvas, frame, curves)
    return canvas.save(path)


def _sheet(n_curves: int) -> tuple[Canvas, Frame]:
    frame = Frame(LEFT, TITLE_HEIGHT, WIDTH, HEIGHT)
    height = TITLE_HEIGHT + HEIGHT + BELOW + n_curves * LEGEND_LINE + MARGIN
    return Canvas(LEFT + WIDTH + MARGIN + 10, height), frame


def _legend(canvas: Canvas, frame: Frame, curves: Sequence[Curve]) -> None:
    entries = [(curve.name, person_colour(at), at > 0) for at, curve in enumerate(curves)]
    draw_legend(canvas, frame.left, frame.top + frame.height + BELOW + 14, entries)


def _draw(canvas: Canvas, frame: Frame, shares: Points, at: int) -> None:
    if len(shares) > 1:
        canvas.line(frame.at(shares), colour=person_colour(at), width=2.5, dashed=at > 0)


def _mark(canvas: Canvas, frame: Frame, shares: Points, at: int) -> None:
    x, y = frame.at(np.clip(shares, 0.0, 1.0))[0]
    canvas.disc(x, y, 5, fill=person_colour(at), edge=PAPER)


def _lowest(curves: Sequence[Curve]) -> float:
    """Where the FMR axis starts: the power of ten under one comparison."""
    if not curves:
        raise ValueError("no curve to draw")
    most = max(curve.n_impostor for curve in curves)
    return max(LEFTMOST, 10.0 ** math.floor(math.log10(1.0 / max(most, 10)) + 1e-9))


def _supported(curves: Sequence[Curve]) -> float:
    return min(lowest_supported_fmr(curve.n_impostor) for curve in curves)


def _seen(curve: Curve, low: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
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


def _apart(ticks: Sequence[Tick], gap: float) -> list[Tick]:
    """The ticks without those too near their left neighbour, of which the label needs room."""
    kept = list(ticks[:1])
    for tick in ticks[1:]:
        if tick[0] - kept[-1][0] >= gap:
            kept.append(tick)
    return kept


def _power(power: int) -> str:
    return "1" if power == 0 else f"1e\N{MINUS SIGN}{-power}"


def _rate(rate: float) -> str:
    return f"{rate:g}" if rate > 1e-3 else _power(round(math.log10(rate)))


def _percent(rate: float) -> str:
    return f"{rate * 100:.1f}".rstrip("0").rstrip(".") + " %"
