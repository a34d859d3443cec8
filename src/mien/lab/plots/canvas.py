"""A sheet to draw on with matplotlib: origin upper left, x right, y down, in units.

Nothing is taken from the user's matplotlibrc, so the pictures look the same everywhere:
charts are drawn inside `default_style`, which puts the user's settings back at its end.
"""

from __future__ import annotations

import functools
import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mien.errors import missing_extra
from mien.lab.labels import STAND_IN, clean_text, shorten
from mien.lab.plots.dark import dark_twin, make_dark
from mien.lab.plots.style import BODY, FALLBACK_FONTS, INK, PAPER
from mien.lab.report.output import write_output
from mien.results import ByteArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties

SCALE = 1.5  # PNG pixels to a unit: sharp on a dense screen, and half the bytes of 2
MAX_CHARACTERS = 200  # no line here is wider; a longer one would only be slow to measure
POINTS_PER_UNIT = 0.72  # a unit is 1/100 inch, a point 1/72
COLOUR_MAP = "cividis"  # perceptually even, and the same to red-green blind eyes


class Canvas:
    """A sheet of width x height units. Later marks lie over earlier ones."""

    def __init__(self, width: float, height: float) -> None:
        _expect_matplotlib()
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height = round(width), round(height)
        figure = Figure(
            figsize=(self.width / 100, self.height / 100),
            dpi=100 * SCALE,
            facecolor=PAPER,
        )
        figure.set_layout_engine("none")
        self._figure = figure
        self._agg: Any = FigureCanvasAgg(figure)  # Any: this class has no types yet
        self._axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self._axes.set_axis_off()
        self._axes.set_autoscale_on(False)
        self._axes.set_xlim(0, self.width)
        self._axes.set_ylim(self.height, 0)
        self._marks = 0

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = BODY,
        colour: str = INK,
        bold: bool = False,
        across: Literal["left", "center", "right"] = "left",
        down: Literal["baseline", "top", "center_baseline"] = "baseline",
        angle: float = 0.0,
        room: float | None = None,
    ) -> None:
        """One line, taken literally; with `room` the middle is left out until it fits."""
        shown = drawable(text) if room is None else fitted(text, room, size=size, bold=bold)
        self._axes.text(
            x,
            y,
            shown,
            fontproperties=font(size, bold),
            color=colour,
            horizontalalignment=across,
            verticalalignment=down,
            rotation=angle,
            rotation_mode="anchor",
            parse_math=False,  # a name may hold dollar signs
            usetex=False,
            clip_on=False,
            zorder=self._next(),
        )

    def line(
        self, points: npt.ArrayLike, *, colour: str = INK, width: float = 1.0, dashed: bool = False
    ) -> None:
        """A line through (m, 2) points."""
        from matplotlib.lines import Line2D

        xy = np.asarray(points, dtype=np.float64)
        self._add(
            Line2D(
                xy[:, 0],
                xy[:, 1],
                color=colour,
                linewidth=width * POINTS_PER_UNIT,
                linestyle=(0, (4, 3)) if dashed else "solid",
                solid_capstyle="butt",
                solid_joinstyle="round",
                marker="",
            )
        )

    def box(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        *,
        fill: str | None = None,
        edge: str | None = None,
        edge_width: float = 1.0,
        radius: float = 0.0,
    ) -> None:
        """A rectangle, its corners rounded by `radius`."""
        from matplotlib.patches import FancyBboxPatch

        style = f"round,pad=0,rounding_size={radius}" if radius else "square,pad=0"
        self._add(
            FancyBboxPatch(
                (left, top),
                width,
                height,
                boxstyle=style,
                facecolor=fill or "none",
                edgecolor=edge or "none",
                linewidth=edge_width * POINTS_PER_UNIT if edge else 0.0,
            )
        )

    def polygon(
        self,
        points: npt.ArrayLike,
        *,
        fill: str,
        edge: str | None = None,
        edge_width: float = 1.0,
    ) -> None:
        """A filled outline through (m, 2) points."""
        from matplotlib.patches import Polygon

        self._add(
            Polygon(
                np.asarray(points, dtype=np.float64),
                closed=True,
                facecolor=fill,
                edgecolor=edge or "none",
                linewidth=edge_width * POINTS_PER_UNIT if edge else 0.0,
            )
        )

    def disc(
        self, x: float, y: float, radius: float, *, fill: str, edge: str | None = None
    ) -> None:
        """A filled circle."""
        turn = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
        ring = np.column_stack([x + radius * np.cos(turn), y + radius * np.sin(turn)])
        self.polygon(ring, fill=fill, edge=edge, edge_width=1.5)

    def image(
        self, pixels: ByteArray, left: float, top: float, width: float, height: float
    ) -> None:
        """(h, w, 3) uint8 RGB stretched over a rectangle, its edges on whole PNG pixels."""
        edges = np.array([left, left + width, top + height, top])
        left, right, bottom, top = np.round(edges * SCALE) / SCALE
        self._axes.imshow(
            pixels,
            extent=(left, right, bottom, top),
            origin="upper",
            aspect="auto",
            interpolation="nearest",
            resample=True,
            clip_on=False,
            zorder=self._next(),
        )

    def add_axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Matplotlib axes over this rectangle, under all marks; use inside `default_style`."""
        box = (
            left / self.width,
            1.0 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        return self._figure.add_axes(box, zorder=-1)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the PNG and its `dark_twin`, each whole or not at all; give the first one's path.

        Equal drawings give equal bytes. Nothing can be drawn on the sheet afterwards.
        """
        light = write_output(path, self._png())
        make_dark(self._figure)
        write_output(dark_twin(light), self._png())
        return light

    def _png(self) -> bytes:
        from PIL import Image

        self._agg.draw()
        pixels = np.asarray(self._agg.buffer_rgba())[:, :, :3]
        png = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(png, format="PNG", optimize=True)
        return png.getvalue()

    def _add(self, artist: Artist) -> None:
        artist.set_zorder(self._next())
        artist.set_clip_on(False)
        self._axes.add_artist(artist)

    def _next(self) -> int:
        self._marks += 1
        return self._marks


@contextmanager
def default_style() -> Iterator[None]:
    """Matplotlib's own defaults instead of the user's matplotlibrc, until the block ends.

    Raises MissingExtra without matplotlib.
    """
    _expect_matplotlib()
    from matplotlib import rc_context, rcParamsDefault

    # the backend is no matter of style; setting it would load pyplot's
    defaults: Any = {name: value for name, value in rcParamsDefault.items() if name != "backend"}
    with rc_context(defaults):
        yield


def map_colours(levels: FloatArray) -> ByteArray:
    """Levels 0..1 of any shape as uint8 RGB of the shape (..., 3), by `COLOUR_MAP`."""
    from matplotlib import colormaps

    rgb: ByteArray = colormaps[COLOUR_MAP](levels, bytes=True)[..., :3]
    return rgb


def text_width(text: str, *, size: float = BODY, bold: bool = False) -> float:
    """How wide one line will be, units."""
    _expect_matplotlib()
    from matplotlib.backends.backend_agg import RendererAgg

    shown = drawable(text)
    if not shown:
        return 0.0
    untyped: Any = RendererAgg
    renderer = untyped(1, 1, 100 * SCALE)
    width, _, _ = renderer.get_text_width_height_descent(shown, font(size, bold), False)
    return float(width) / SCALE


def fitted(text: str, room: float, *, size: float = BODY, bold: bool = False) -> str:
    """The text, or as much of its two ends as `room` units hold; at least an ellipsis."""
    shown = drawable(text)
    if text_width(shorten(shown, MAX_CHARACTERS), size=size, bold=bold) <= room:
        return shorten(shown, MAX_CHARACTERS)
    fits, too_many = 1, min(len(shown), MAX_CHARACTERS)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if text_width(shorten(shown, middle), size=size, bold=bold) <= room:
            fits = middle
        else:
            too_many = middle
    return shorten(shown, fits)


def in_two_lines(text: str, room: float, *, size: float = BODY) -> list[str]:
    """One line if it fits, else two, broken at a space; the second is cut to fit."""
    words = drawable(text)[: 2 * MAX_CHARACTERS].split()
    first = words[:1]
    for word in words[1:]:
        if text_width(" ".join([*first, word]), size=size) > room:
            break
        first.append(word)
    rest = words[len(first) :]
    lines = [" ".join(first)] + ([" ".join(rest)] if rest else [])
    return [fitted(line, room, size=size) for line in lines]


def drawable(text: str) -> str:
    """The text with a stand-in for each character that no font here has."""
    _expect_matplotlib()
    known = _known_characters()
    return "".join(c if ord(c) in known else STAND_IN for c in clean_text(text))


def _expect_matplotlib() -> None:
    try:
        import matplotlib.backends.backend_agg  # noqa: F401
    except ImportError as error:
        raise missing_extra("matplotlib is not installed", "lab") from error


def font(size: float, bold: bool = False) -> FontProperties:
    from matplotlib.font_manager import FontProperties

    return FontProperties(
        family=list(_families()),
        style="normal",
        weight="bold" if bold else "normal",
        size=size * POINTS_PER_UNIT,
    )


@functools.cache
def _families() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    # a font without a bold weight is drawn in the one that it has, and that is no news
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    installed = set(fontManager.get_font_names())
    return ("DejaVu Sans", *(name for name in FALLBACK_FONTS if name in installed))


@functools.cache
def _known_characters() -> frozenset[int]:
    """Code points that can be drawn in both weights: one without a glyph would warn."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    weights: list[set[int]] = []
    for weight in ("normal", "bold"):
        known: set[int] = set()
        for family in _families():
            path = findfont(FontProperties(family=family, weight=weight))
            known.update(get_font(path).get_charmap())
        weights.append(known)
    return frozenset(weights[0] & weights[1])
