"""The steps of an audit: each change of `mien.lab.recapture` at increasing strengths.

A strength is in -1..1 for a change with two directions (darker and lighter, clockwise and
counter-clockwise), else in 0..1. Its absolute value is the strength that `recapture` takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mien.lab.recapture import (
    CHANGES,
    MAX_BLUR,
    MAX_BRIGHTER,
    MAX_COVERED,
    MAX_CROP,
    MAX_GAMMA,
    MAX_NOISE,
    MAX_SHRINK,
    MAX_TURN_DEGREES,
    MIN_JPEG_QUALITY,
)
from mien.results import ByteArray

ONE_DIRECTION = (0.25, 0.5, 0.75, 1.0)
TWO_DIRECTIONS = (-1.0, -0.75, -0.5, -0.25, *ONE_DIRECTION)


@dataclass(frozen=True, slots=True)
class Kind:
    """A change at several strengths.

    change: its name in `CHANGES`. title: for the report. ends: labels at the two ends of the
    axis. amount: describes a strength in the units of the change.
    """

    change: str
    title: str
    strengths: tuple[float, ...]
    ends: tuple[str, str]
    amount: Callable[[float], str]

    @property
    def has_direction(self) -> bool:
        return min(self.strengths) < 0


@dataclass(frozen=True, slots=True)
class Step:
    """One change at one strength."""

    kind: Kind
    strength: float

    @property
    def amount(self) -> str:
        return self.kind.amount(self.strength)

    def apply(self, image_rgb: ByteArray, rng: np.random.Generator) -> ByteArray:
        """Apply the step to (h, w, 3) uint8 RGB; returns a new array of the same shape."""
        if self.kind.has_direction:
            rng = fix_direction(rng, positive=self.strength > 0)
        return CHANGES[self.kind.change](image_rgb, abs(self.strength), rng)


def fix_direction(rng: np.random.Generator, *, positive: bool) -> np.random.Generator:
    """A generator whose first draw chooses this direction.

    The changes of `recapture` that have two directions choose one with their first draw: under
    0.5 is the positive one (brighter, exponent over 1, counter-clockwise).
    """
    while True:
        seed = int(rng.integers(2**63))
        if (np.random.default_rng(seed).random() < 0.5) == positive:
            return np.random.default_rng(seed)


def _describe_rotation(strength: float) -> str:
    direction = "counter-clockwise" if strength > 0 else "clockwise"
    return f"{abs(strength) * MAX_TURN_DEGREES:g} degrees {direction}"


FLIP = Kind("flip", "Mirror image", (1.0,), ("unchanged", "mirrored"), lambda s: "mirrored")
KINDS = (
    FLIP,
    Kind(
        "brightness",
        "Brightness",
        TWO_DIRECTIONS,
        (f"\N{DIVISION SIGN} {MAX_BRIGHTER:g}", f"\N{MULTIPLICATION SIGN} {MAX_BRIGHTER:g}"),
        lambda s: f"times {MAX_BRIGHTER**s:.2f}",
    ),
    Kind(
        "gamma",
        "Gamma",
        TWO_DIRECTIONS,
        ("lighter", "darker"),
        lambda s: f"exponent {MAX_GAMMA**s:.2f}",
    ),
    Kind(
        "blur",
        "Blur",
        ONE_DIRECTION,
        ("sharp", f"{MAX_BLUR:.0%} of side"),
        lambda s: f"deviation {s * MAX_BLUR * 100:g} % of the short side",
    ),
    Kind(
        "jpeg",
        "JPEG",
        ONE_DIRECTION,
        ("unchanged", f"quality {MIN_JPEG_QUALITY}"),
        lambda s: f"quality {round(100 - s * (100 - MIN_JPEG_QUALITY))}",
    ),
    Kind(
        "noise",
        "Noise",
        ONE_DIRECTION,
        ("none", f"{MAX_NOISE:g} levels"),
        lambda s: f"deviation {s * MAX_NOISE:g} levels",
    ),
    Kind(
        "downscale",
        "Down-scaling",
        ONE_DIRECTION,
        ("unchanged", f"{MAX_SHRINK:g}\N{MULTIPLICATION SIGN} smaller"),
        lambda s: f"{1 + s * (MAX_SHRINK - 1):g} times smaller",
    ),
    Kind(
        "rotate",
        "Rotation",
        TWO_DIRECTIONS,
        (
            f"\N{CLOCKWISE OPEN CIRCLE ARROW} {MAX_TURN_DEGREES:g}\N{DEGREE SIGN}",
            f"\N{ANTICLOCKWISE OPEN CIRCLE ARROW} {MAX_TURN_DEGREES:g}\N{DEGREE SIGN}",
        ),
        _describe_rotation,
    ),
    Kind(
        "occlude",
        "Occlusion bar",
        ONE_DIRECTION,
        ("none", f"{MAX_COVERED:.0%} covered"),
        lambda s: f"{s * MAX_COVERED * 100:g} % of the photo covered",
    ),
    Kind(
        "crop_shift",
        "Crop shift",
        ONE_DIRECTION,
        ("unchanged", f"{MAX_CROP:.0%} cut off"),
        lambda s: f"{s * MAX_CROP * 100:g} % of each side cut off",
    ),
)
"""In the order of the report."""

STEPS = tuple(Step(kind, strength) for kind in KINDS for strength in kind.strengths)
MIRROR = STEPS[0]
