"""One photo at the door: where the face is, what was decided, and how close it was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.lab.plots.canvas import SCALE, Canvas, in_two_lines, text_width
from mien.lab.plots.gauge import GAUGE_HEIGHT, draw_gauge
from mien.lab.plots.style import (
    LINE,
    LOCKED,
    MARGIN,
    MUTED,
    PANEL,
    PEOPLE_COLOURS,
    SMALL,
    UNLOCKED,
    expect_picture,
    resized,
)
from mien.results import POINT_NAMES, ByteArray, Decision, Face

WIDTH = 548.0
PHOTO = 500.0  # longest side of the photo as drawn: 750 pixels in the file
HEAD_HEIGHT, LINE_HEIGHT = 84.0, 20.0
REASON_LEFT = MARGIN + 48
LEGEND_HEIGHT = 36.0
SMALL_FACE = 90.0  # narrower than this, the face is shown enlarged in a corner as well
ZOOM = 150.0

# shapes as well as colours, so that the points differ without colour too
POINT_MARKS = {
    "left eye": (PEOPLE_COLOURS[5], 40),
    "right eye": (PEOPLE_COLOURS[1], 40),
    "nose": (PEOPLE_COLOURS[6], 3),
    "left mouth corner": (PEOPLE_COLOURS[0], 4),
    "right mouth corner": (PEOPLE_COLOURS[4], 4),
}
"""Colour and number of corners of each point's mark."""


def draw_probe_card(
    image_rgb: ByteArray, decision: Decision, title: str, path: str | os.PathLike[str]
) -> Path:
    """Draw (h, w, 3) uint8 RGB with the face, the decision, and the similarity on a gauge.

    The decision may lack a face and its similarity may be NaN. The photo is
    drawn 750 pixels long, so the file stays small.
    """
    expect_picture(image_rgb)
    height, width = image_rgb.shape[:2]
    scale = PHOTO / max(height, width)  # units to a pixel of the photo
    shown_wh = max(width * scale, 1.0), max(height * scale, 1.0)
    photo_height = max(shown_wh[1], 160.0)
    reason = in_two_lines(decision.reason, WIDTH - MARGIN - REASON_LEFT)
    head = HEAD_HEIGHT + LINE_HEIGHT * (len(reason) - 1)
    canvas = Canvas(WIDTH, head + photo_height + LEGEND_HEIGHT + GAUGE_HEIGHT)
    _draw_head(canvas, bool(decision), title, reason, head)

    canvas.box(MARGIN, head, PHOTO, photo_height, fill=PANEL)
    left = MARGIN + (PHOTO - shown_wh[0]) / 2
    top = head + (photo_height - shown_wh[1]) / 2
    pixels = resized(image_rgb, round(shown_wh[0] * SCALE), round(shown_wh[1] * SCALE))
    canvas.image(pixels, left, top, *shown_wh)
    bottom = head + photo_height
    if decision.face is None:
        canvas.text(
            MARGIN, bottom + 30, "no face is marked in this photo", size=SMALL, colour=MUTED
        )
    else:
        window = (left, top, *shown_wh)
        _draw_face(canvas, decision.face, window, (0.0, 0.0), scale)
        if decision.face.width_px * scale < SMALL_FACE:
            _draw_zoom(canvas, image_rgb, decision.face, bottom)
        _draw_legend(canvas, bottom + 24)
    draw_gauge(canvas, decision, MARGIN, bottom + LEGEND_HEIGHT, PHOTO)
    return canvas.save(path)


def _draw_head(
    canvas: Canvas, is_open: bool, title: str, reason: Sequence[str], height: float
) -> None:
    canvas.box(0, 0, WIDTH, height - 12, fill=UNLOCKED if is_open else LOCKED)
    draw_lock(canvas, MARGIN + 16, 40, is_open=is_open)
    word = "UNLOCKED" if is_open else "LOCKED"
    canvas.text(REASON_LEFT, 33, word, size=21, bold=True, colour="#ffffff")
    room = WIDTH - MARGIN - REASON_LEFT - text_width(word, size=21, bold=True) - 20
    canvas.text(WIDTH - MARGIN, 33, title, colour="#ffffff", across="right", room=room)
    for at, line in enumerate(reason):
        canvas.text(REASON_LEFT, 57 + at * LINE_HEIGHT, line, colour="#ffffff")


def draw_lock(canvas: Canvas, x: float, y: float, *, is_open: bool) -> None:
    """A white padlock centred near (x, y), about 30 units wide; the shackle says the state."""
    canvas.box(x - 13, y - 4, 26, 21, fill="#ffffff", radius=3)
    turn = np.linspace(np.pi, 2 * np.pi, 24)
    arc = np.column_stack([8 * np.cos(turn), 8 * np.sin(turn)])
    rise = 15 if is_open else 12
    legs = np.vstack([[(-8.0, 12.0)], arc, [(8.0, 0.0 if is_open else 12.0)]])
    canvas.line(np.add(legs, [x, y - rise]), colour="#ffffff", width=4)
    canvas.disc(x, y + 5, 3, fill=UNLOCKED if is_open else LOCKED)


def _draw_face(
    canvas: Canvas,
    face: Face,
    window: tuple[float, float, float, float],
    origin_xy: tuple[float, float],
    scale: float,
) -> None:
    """Box and points, held inside the window (left, top, width, height) that shows the photo."""
    low = np.array(window[:2])
    high = low + window[2:]
    corners = low + (face.box_xyxy.reshape(2, 2) - origin_xy) * scale
    (x0, y0), (x1, y1) = np.clip(corners, low + 1.5, high - 1.5)
    width = float(np.clip(face.width_px * scale * 0.025, 1.0, 2.5))
    canvas.box(x0, y0, x1 - x0, y1 - y0, edge="#000000", edge_width=2 * width)
    canvas.box(x0, y0, x1 - x0, y1 - y0, edge="#ffffff", edge_width=width)
    radius = float(np.clip(face.width_px * scale * 0.035, 1.5, 6.5))
    for name, point in zip(POINT_NAMES, face.points_xy, strict=True):
        x, y = low + (point - origin_xy) * scale
        if low[0] <= x <= high[0] and low[1] <= y <= high[1]:
            draw_point(canvas, name, float(x), float(y), radius)


def draw_point(canvas: Canvas, name: str, x: float, y: float, radius: float) -> None:
    """The mark of one of `POINT_NAMES`."""
    colour, corners = POINT_MARKS[name]
    turn = -np.pi / 2 + np.arange(corners) * 2 * np.pi / corners
    reach = radius * (1.0 if corners > 4 else 1.3)  # equal area to the eye
    ring = np.column_stack([x + reach * np.cos(turn), y + reach * np.sin(turn)])
    canvas.polygon(ring, fill=colour, edge="#000000", edge_width=max(radius * 0.28, 0.8))


def _draw_zoom(canvas: Canvas, image_rgb: ByteArray, face: Face, bottom: float) -> None:
    """The face enlarged, in the photo's lower corner that is farther from it."""
    height, width = image_rgb.shape[:2]
    centre = face.box_xyxy.reshape(2, 2).mean(axis=0)
    side = max(face.width_px, face.height_px, 1.0) * 1.5
    corner = np.clip(np.floor(centre - side / 2), 0, [width - 1, height - 1]).astype(int)
    end = np.clip(np.ceil(centre + side / 2), corner + 1, [width, height]).astype(int)
    scale = ZOOM / float((end - corner).max())
    shown = np.maximum((end - corner) * scale, 1.0)
    on_left = centre[0] > width / 2
    left = MARGIN + 8 if on_left else MARGIN + PHOTO - 8 - shown[0]
    top = bottom - 8 - shown[1]
    cut = image_rgb[corner[1] : end[1], corner[0] : end[0]]
    pixels = resized(cut, round(shown[0] * SCALE), round(shown[1] * SCALE))
    canvas.image(pixels, left, top, shown[0], shown[1])
    _draw_face(
        canvas,
        face,
        (left, top, float(shown[0]), float(shown[1])),
        (float(corner[0]), float(corner[1])),
        scale,
    )
    canvas.box(left, top, shown[0], shown[1], edge="#ffffff", edge_width=4)
    canvas.box(left - 2, top - 2, shown[0] + 4, shown[1] + 4, edge=LINE)


def _draw_legend(canvas: Canvas, top: float) -> None:
    """The five point names, spaced evenly over one line."""
    short = [name.removesuffix(" corner") for name in POINT_NAMES]
    widths = [18 + text_width(text, size=SMALL) for text in short]
    gap = (PHOTO - sum(widths)) / (len(widths) - 1)
    x = MARGIN
    for name, text, width in zip(POINT_NAMES, short, widths, strict=True):
        draw_point(canvas, name, x + 6, top, 5.5)
        canvas.text(x + 18, top + SMALL * 0.36, text, size=SMALL)
        x += width + gap
