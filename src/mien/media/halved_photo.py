"""A large photo that was read at half its width and height, and can be read whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mien.records import dataclass, field
from mien.results import ByteArray


@dataclass(frozen=True, slots=True, eq=False)
class HalvedPhoto:
    """image_rgb: (H, W, 3) uint8 RGB, upright. read_whole: the photo at its own size, twice as wide
    and high; raises UnreadableImage."""

    image_rgb: ByteArray = field(repr=False)
    read_whole: Callable[[], ByteArray] = field(repr=False)


DoorPhoto: TypeAlias = "ByteArray | HalvedPhoto"
"""A photo to decide on: (H, W, 3) uint8 RGB, whole or halved."""
