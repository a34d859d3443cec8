"""Two rules on how face and surroundings move, for attempts of six seconds and more.

A living person moves a little in front of surroundings that do not. A picture that is held to
the camera moves as one piece with its edge; one that is fixed does not move at all. The rules
refuse, and never accept. Below six seconds they are not applied: at 1.5 s the second would
refuse 17 % of living people.

Displacements are in units of the distance of the eyes, so that they do not depend on how near
the face is. The thresholds were fitted on Replay-Attack's devel set, which is not part of mien.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

PAIR_S = 1.5  # between the two frames of a pair
PAIRS = 4
LEAST_S = PAIR_S * PAIRS  # shorter attempts are not judged
FROZEN_BELOW = 0.003
MOVING_ABOVE = 0.006
RIGID_BELOW = 0.3
SMALL = 0.01  # keeps the ratio quiet where nothing moves

Float64Array = npt.NDArray[np.float64]


class MotionFault(Enum):
    """Why the motion of an attempt is refused."""

    FROZEN = "nothing moves"
    RIGID = "face and surroundings move as one piece"
    NOT_MEASURED = "the motion could not be measured"


@dataclass(frozen=True, slots=True, eq=False)
class MotionPair:
    """What moved between two frames `PAIR_S` apart, in distances of the eyes.

    face_xy, surroundings_xy: (2,) displacement, medians over the tracked points.
    """

    face_xy: Float64Array
    surroundings_xy: Float64Array

    def __post_init__(self) -> None:
        for name in ("face_xy", "surroundings_xy"):
            if getattr(self, name).shape != (2,):
                raise ValueError(f"{name} must have shape (2,), got {getattr(self, name).shape}")


def measure_pair(
    face_from_xy: Float64Array,
    face_to_xy: Float64Array,
    around_from_xy: Float64Array,
    around_to_xy: Float64Array,
    *,
    eye_distance_px: float,
) -> MotionPair:
    """The pair of points that were tracked from one frame to another: (n, 2) and (m, 2) pixels.

    ValueError if there is no point of either kind, or no distance between the eyes.
    """
    if not eye_distance_px > 0 or not len(face_from_xy) or not len(around_from_xy):
        raise ValueError("points of the face and around it are needed, and a distance of the eyes")
    face = np.median(face_to_xy - face_from_xy, axis=0) / eye_distance_px
    around = np.median(around_to_xy - around_from_xy, axis=0) / eye_distance_px
    return MotionPair(face, around)


def judge_motion(pairs: Sequence[MotionPair]) -> MotionFault | None:
    """The rule that the pairs break, or None. Fewer than `PAIRS` pairs are not judged.

    A displacement that is no number is refused.
    """
    if len(pairs) < PAIRS:
        return None
    face = np.stack([pair.face_xy for pair in pairs])
    around = np.stack([pair.surroundings_xy for pair in pairs])
    if not (np.isfinite(face).all() and np.isfinite(around).all()):
        return MotionFault.NOT_MEASURED
    apart = np.linalg.norm(face - around, axis=1)
    face_length, around_length = np.linalg.norm(face, axis=1), np.linalg.norm(around, axis=1)
    ratio = float(np.median(apart / (face_length + around_length + SMALL)))
    gap, moved = float(np.median(apart)), float(np.median(around_length))
    if moved > MOVING_ABOVE and ratio < RIGID_BELOW:
        return MotionFault.RIGID
    return MotionFault.FROZEN if gap < FROZEN_BELOW else None
