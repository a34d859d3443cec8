"""A similarity on a bar with its threshold: how close the decision was."""

from __future__ import annotations

import math

from mien.lab.plots.canvas import Canvas, text_width
from mien.lab.plots.style import INK, LINE, LOCKED, MUTED, PANEL, SMALL, UNLOCKED, signed
from mien.results import Decision

GAUGE_HEIGHT = 108.0
USUAL_LOW = -0.2  # strangers seldom score under it; a lower score widens the bar to -1
BAR_TOP, BAR_HEIGHT = 36.0, 20.0
ACCEPTED, REFUSED = "#cfe9df", "#f6dcd5"  # tints of UNLOCKED and LOCKED


def draw_gauge(canvas: Canvas, decision: Decision, left: float, top: float, width: float) -> None:
    """Similarity above the bar, threshold below it; a similarity of NaN leaves the bar empty."""
    threshold, similarity = decision.threshold.value, decision.similarity
    known = math.isfinite(similarity)
    lowest = min(threshold, similarity) if known else threshold
    low = USUAL_LOW if lowest >= USUAL_LOW else -1.0
    bar, end = top + BAR_TOP, left + width

    def across(value: float) -> float:
        return left + width * (min(max(value, low), 1.0) - low) / (1.0 - low)

    mark = across(threshold)
    canvas.box(left, bar, mark - left, BAR_HEIGHT, fill=REFUSED if known else PANEL)
    canvas.box(mark, bar, end - mark, BAR_HEIGHT, fill=ACCEPTED if known else PANEL)
    if known:
        x = across(similarity)
        colour = UNLOCKED if similarity >= threshold else LOCKED
        canvas.box(left, bar + 5, x - left, BAR_HEIGHT - 10, fill=colour)
        canvas.polygon([(x, bar - 1), (x - 6, bar - 10), (x + 6, bar - 10)], fill=colour)
        text = f"similarity {signed(similarity, 3)}"
        _centred(canvas, text, x, bar - 16, left, end, colour=colour, bold=True)
    else:
        canvas.text(left, bar - 12, "no similarity", size=SMALL, colour=MUTED, bold=True)
    canvas.box(left, bar, width, BAR_HEIGHT, edge=LINE)
    canvas.line([(mark, bar - 4), (mark, bar + BAR_HEIGHT + 6)], width=3)
    below = bar + BAR_HEIGHT + 22
    text = f"threshold {signed(threshold, 3)}"
    from_x, to_x = _centred(canvas, text, mark, below, left, end, colour=INK)
    if from_x > left + 40:
        canvas.text(left, below, signed(low, 1), size=SMALL, colour=MUTED)
    if to_x < end - 40:
        canvas.text(end, below, "1.0", size=SMALL, colour=MUTED, across="right")


def _centred(
    canvas: Canvas,
    text: str,
    x: float,
    y: float,
    left: float,
    right: float,
    *,
    colour: str,
    bold: bool = False,
) -> tuple[float, float]:
    """Text centred on x, but kept between left and right; gives where it starts and ends."""
    width = text_width(text, size=SMALL, bold=bold)
    start = min(max(x - width / 2, left), right - width)
    canvas.text(start, y, text, size=SMALL, colour=colour, bold=bold)
    return start, start + width
