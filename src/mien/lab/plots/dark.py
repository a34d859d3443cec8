"""The dark twin of a picture: the same drawing, with other colours for paper, text and lines.

Photos, colour maps, white that stands on a colour, and the people's fills stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.lab.plots.style import INK, LINE, LOCKED, MUTED, PANEL, PAPER, UNLOCKED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DARK_PAPER = "#14171b"  # as in the report's style sheet
GROUNDS = {PAPER: DARK_PAPER, "#fafbfc": "#191d22", PANEL: "#1f242b"}
INKS = {
    INK: "#e7eaee",
    MUTED: "#a3adb9",
    LINE: "#3a424d",
    UNLOCKED: "#4fcf9f",
    LOCKED: "#f2937f",
    "#0072b2": "#56a9e0",
    "#5c5c5c": "#a6a6a6",
    "#9aa1ab": "#717985",
}
TINTS = {PANEL: GROUNDS[PANEL], "#f3dbd7": "#4b2b26", "#d5ebe5": "#1c4237"}
"""Light colour -> dark colour, of paper, of text and lines, and of fills."""


def dark_twin(path: Path) -> Path:
    """Where the dark picture lies: beside the light one."""
    return path.with_name(f"{path.stem}-dark{path.suffix}")


def make_dark(figure: Figure) -> None:
    """Change the colours of everything on the figure."""
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    sheets: list[Any] = [figure.patch, *(one.patch for one in figure.findobj(Axes))]
    for sheet in sheets:
        sheet.set_facecolor(_changed(sheet.get_facecolor(), GROUNDS))
    for text in figure.findobj(Text):
        text.set_color(_changed(text.get_color(), INKS))
    for line in figure.findobj(Line2D):
        line.set_color(_changed(line.get_color(), INKS))
        line.set_markerfacecolor(_changed(line.get_markerfacecolor(), INKS | GROUNDS))
        line.set_markeredgecolor(_changed(line.get_markeredgecolor(), INKS | GROUNDS))
    for patch in figure.findobj(Patch):
        if patch not in sheets:
            patch.set_facecolor(_changed(patch.get_facecolor(), TINTS | {LINE: INKS[LINE]}))
            patch.set_edgecolor(_changed(patch.get_edgecolor(), INKS))
    for many in figure.findobj(Collection):
        many.set_facecolor([_changed(one, TINTS) for one in many.get_facecolor()])
        many.set_edgecolor([_changed(one, INKS) for one in many.get_edgecolor()])


def _changed(colour: Any, colours: Mapping[str, str]) -> Any:
    """The dark colour with the same opacity; the colour itself if it is none of these."""
    from matplotlib.colors import to_hex, to_rgba

    if isinstance(colour, str) and colour in ("none", "auto"):
        return colour
    *_, opacity = to_rgba(colour)
    dark = colours.get(to_hex(colour))
    return colour if dark is None else to_rgba(dark, opacity)
