"""A person's mark: colour and number together, so that neither alone has to tell people apart."""

from __future__ import annotations

from mien.lab.plots.canvas import Canvas
from mien.lab.plots.style import person_colour, text_colour_on


def draw_person_number(
    canvas: Canvas, person: int, x: float, y: float, radius: float = 10.0
) -> None:
    """The person's number in a disc of the person's colour, the centre at (x, y)."""
    colour = person_colour(person)
    size = radius * (1.25 if person < 9 else 1.05)
    canvas.disc(x, y, radius, fill=colour, edge="#ffffff")
    canvas.text(
        x,
        y + size * 0.36,  # digits are 0.73 of the size tall, so this centres them
        str(person + 1),
        size=size,
        bold=True,
        colour=text_colour_on(colour),
        across="center",
    )
