"""Colours and sizes that all pictures share, and thumbnails. No matplotlib here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.results import ByteArray

PAPER = "#ffffff"
PANEL = "#f3f4f6"
LINE = "#d0d4da"
MUTED = "#5b6470"  # 6 : 1 on paper
INK = "#1b1f24"

UNLOCKED = "#00745a"  # white on it is 5.8 : 1
LOCKED = "#b3301c"  # 6.3 : 1

TITLE, BODY, SMALL = 19.0, 15.0, 13.0  # text sizes, units
MARGIN = 24.0

# DejaVu Sans comes with matplotlib; the others are asked only for what it lacks, where installed
FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Tamil",
    "Noto Sans Thai",
    "Nirmala UI",
    "Leelawadee UI",
    "Arial Unicode MS",
)

PEOPLE_COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#f0e442",
    "#5c5c5c",
)
"""Okabe and Ito's palette, told apart by colour-blind eyes; its black is grey here."""


def person_colour(number: int) -> str:
    """Colour of the person of this number, 0 up. Past eight they repeat: print numbers too."""
    return PEOPLE_COLOURS[number % len(PEOPLE_COLOURS)]


def signed(value: float, places: int) -> str:
    """The number with a true minus sign, and no minus before a rounded zero."""
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if not float(text) else text.replace("-", "\N{MINUS SIGN}")


def text_colour_on(colour: str | Sequence[float]) -> str:
    """Black or white, whichever reads better on '#rrggbb' or on (r, g, b) in 0..1.

    By the contrast ratio of WCAG 2; the better of the two is never under 4.5.
    """
    luminance = relative_luminance(colour)
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def relative_luminance(colour: str | Sequence[float]) -> float:
    """0 (black) to 1 (white), as WCAG 2 defines it for sRGB."""
    if isinstance(colour, str):
        colour = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    rgb = np.asarray(colour[:3], dtype=np.float64)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def thumbnail(pixels: ByteArray, side_px: int) -> ByteArray:
    """The middle square of (h, w, 3) uint8 RGB, resized to (side_px, side_px, 3)."""
    expect_picture(pixels)
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resized(pixels[top : top + side, left : left + side], side_px, side_px)


def resized(pixels: ByteArray, width_px: int, height_px: int) -> ByteArray:
    """(height_px, width_px, 3) uint8 RGB by Lanczos."""
    from PIL import Image

    size = (max(width_px, 1), max(height_px, 1))
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


def expect_picture(pixels: ByteArray) -> None:
    """ValueError unless (h, w, 3) uint8 with at least one pixel."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"a picture is (h, w, 3) uint8, got {pixels.shape} {pixels.dtype}")


def expect_as_many(crops: Sequence[ByteArray], labels: Sequence[str]) -> None:
    """ValueError unless there are as many labels as crops, and at least one."""
    if len(crops) != len(labels):
        raise ValueError(f"{len(crops)} crops and {len(labels)} labels; give one label per crop")
    if not crops:
        raise ValueError("no crops to draw")
