"""A small picture on a terminal, two pixels a character, in 24-bit colour."""

from __future__ import annotations

import shutil
import sys

import numpy as np

from mien.results import ByteArray

MAX_COLUMNS = 80


def show_picture(image_rgb: ByteArray) -> bool:
    """Print (H, W, 3) uint8 RGB on standard output, if that is a terminal. Returns whether."""
    if sys.stdout is None or not sys.stdout.isatty():
        return False
    columns = min(MAX_COLUMNS, shutil.get_terminal_size().columns)
    sys.stdout.write("\n".join(picture_lines(image_rgb, columns)) + "\n")
    sys.stdout.flush()
    return True


def picture_lines(image_rgb: ByteArray, columns: int) -> list[str]:
    """Lines of at most `columns` half blocks, each two pixels. columns: 1 or more."""
    height, width = image_rgb.shape[:2]
    columns = min(columns, width)
    rows = max(2, round(height * columns / width) // 2 * 2)
    at_y = np.arange(rows) * height // rows
    at_x = np.arange(columns) * width // columns
    small = image_rgb[at_y][:, at_x].tolist()
    return [
        "".join(
            f"\x1b[38;2;{u[0]};{u[1]};{u[2]}m\x1b[48;2;{v[0]};{v[1]};{v[2]}m\N{UPPER HALF BLOCK}"
            for u, v in zip(upper, lower, strict=True)
        )
        + "\x1b[0m"
        for upper, lower in zip(small[::2], small[1::2], strict=True)
    ]
