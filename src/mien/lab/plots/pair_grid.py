"""Pairs of faces side by side, each with its score: the comparisons that went wrong."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mien.lab.labels import display_name
from mien.lab.plots.canvas import SCALE, Canvas
from mien.lab.plots.style import BODY, MARGIN, MUTED, SMALL, TITLE, signed, thumbnail
from mien.results import ByteArray

SIDE = 132.0
BETWEEN = 4.0  # the two faces of a pair
GAP = 26.0  # two pairs
COLUMNS = 3
PAIR_WIDTH = 2 * SIDE + BETWEEN
ROW_HEIGHT = SIDE + 76.0
TITLE_HEIGHT = 62.0


@dataclass(frozen=True, slots=True, eq=False)
class FacePair:
    """Two faces, (h, w, 3) uint8 RGB, what is under them, and their score."""

    a_rgb: ByteArray = field(repr=False)
    b_rgb: ByteArray = field(repr=False)
    a_name: str
    b_name: str
    score: float


def draw_pair_grid(pairs: Sequence[FacePair], title: str, path: str | os.PathLike[str]) -> Path:
    """Draw the pairs in reading order, two names and the score under each. ValueError for none."""
    if not pairs:
        raise ValueError("no pair to draw")
    columns = min(COLUMNS, max(len(pairs), 2))
    lines = -(-len(pairs) // columns)
    canvas = Canvas(
        2 * MARGIN + columns * (PAIR_WIDTH + GAP) - GAP,
        TITLE_HEIGHT + lines * ROW_HEIGHT + MARGIN / 2,
    )
    canvas.text(MARGIN, 39, title, size=TITLE, bold=True)
    for at, pair in enumerate(pairs):
        left = MARGIN + (at % columns) * (PAIR_WIDTH + GAP)
        top = TITLE_HEIGHT + (at // columns) * ROW_HEIGHT
        _draw_pair(canvas, pair, left, top)
    return canvas.save(path)


def _draw_pair(canvas: Canvas, pair: FacePair, left: float, top: float) -> None:
    side_px = round(SIDE * SCALE)
    right = left + SIDE + BETWEEN
    canvas.image(thumbnail(pair.a_rgb, side_px), left, top, SIDE, SIDE)
    canvas.image(thumbnail(pair.b_rgb, side_px), right, top, SIDE, SIDE)
    words = f"similarity {signed(pair.score, 3)}"
    canvas.text(left, top + SIDE + 18, words, size=BODY, bold=True)
    for at, name in enumerate((pair.a_name, pair.b_name)):
        canvas.text(
            left,
            top + SIDE + 36 + at * 17,
            display_name(name),
            size=SMALL,
            colour=MUTED,
            room=PAIR_WIDTH,
        )
