"""The two photographs that come with mien, for a demo without a network.

`astronaut`: Eileen Collins, by NASA, public domain. `cat`: Chelsea, by Stéfan van der Walt, CC0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mien.media.image_file import read_image
from mien.results import ByteArray

FOLDER = Path(__file__).parent / "photos"


def shipped_photo(name: Literal["astronaut", "cat"]) -> ByteArray:
    """The photograph: (512, 512, 3) or (300, 451, 3) uint8 RGB."""
    return read_image(FOLDER / f"{name}.webp")
