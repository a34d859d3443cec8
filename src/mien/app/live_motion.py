"""The rules on motion for a look of six seconds and more: frames 1.5 s apart, points followed."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from mien.app.face_search import FindFace
from mien.errors import NoFaceFound, SeveralFacesFound
from mien.liveness.motion import (
    PAIR_S,
    PAIRS,
    MotionPair,
    judge_motion,
    measure_pair,
)
from mien.media.frame import Frame
from mien.media.optical_flow import track_points
from mien.results import ByteArray, Face

AROUND = 1.6  # boxes: points further from the face than this are of the surroundings
PASSED = "passed"

Region = npt.NDArray[np.bool_]


class MotionWatch:
    """Keeps the latest frames of a look that are `PAIR_S` apart, as many as the rules need."""

    def __init__(self) -> None:
        self._kept: deque[Frame] = deque(maxlen=PAIRS + 1)

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, unchanged."""
        for frame in frames:
            if not self._kept or frame.at_s - self._kept[-1].at_s >= PAIR_S:
                self._kept.append(frame)
            yield frame

    def judge(self, find_face: FindFace) -> str:
        """Which rule was broken, in one word; `PASSED`; "" where the look was too short."""
        if len(self._kept) <= PAIRS:
            return ""
        pairs = measure_pairs([frame.image_rgb for frame in self._kept], find_face)
        if len(pairs) < PAIRS:
            return ""
        fault = judge_motion(pairs)
        return PASSED if fault is None else fault.name.lower()


def measure_pairs(images_rgb: Sequence[ByteArray], find_face: FindFace) -> list[MotionPair]:
    """A pair for each two pictures that follow; fewer where a face or points were not found."""
    pairs = []
    for before, after in itertools.pairwise(images_rgb):
        try:
            face = find_face(before)
            inside, around = _regions(before, face)
            pairs.append(
                measure_pair(
                    *track_points(before, after, inside),
                    *track_points(before, after, around),
                    eye_distance_px=face.eye_distance_px,
                )
            )
        except (NoFaceFound, SeveralFacesFound, ValueError):  # no point to follow
            continue
    return pairs


def _regions(image_rgb: ByteArray, face: Face) -> tuple[Region, Region]:
    """(H, W) bool each: the face's box, and what is far enough from it."""
    height, width = image_rgb.shape[:2]
    left, top, right, bottom = (float(edge) for edge in face.box_xyxy)
    x, y = np.arange(width)[np.newaxis], np.arange(height)[:, np.newaxis]
    across = np.abs(x - (left + right) / 2) / (right - left)
    down = np.abs(y - (top + bottom) / 2) / (bottom - top)
    furthest = np.maximum(across, down)
    return furthest <= 0.5, furthest > AROUND / 2
