"""Score the clips of an evaluation of attacks, as an unlocking with a camera would."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.errors import NoFaceFound, SeveralFacesFound, UnreadableImage
from mien.lab.evaluate.attack_manifest import Clip
from mien.liveness.motion import (
    PAIR_S,
    PAIRS,
    MotionFault,
    MotionPair,
    judge_motion,
    measure_pair,
)
from mien.liveness.passive import ScoreFace
from mien.media.frame import is_dark
from mien.media.optical_flow import track_points
from mien.media.video import read_video
from mien.results import ByteArray, Face

SCORED_FRAMES = 5  # as many as may vote
MAX_TRIED = 60  # frames without a face before a clip is given up
TIMEOUT_S = 120.0  # for reading one clip
AROUND = 1.6  # boxes: points further from the face than this are of the surroundings

FindFace = Callable[[ByteArray], Face]
"""The face at the door of (H, W, 3) uint8 RGB: `Pipeline.door_face`."""
Region = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ClipScore:
    """score: mean of the scored frames; NaN where no frame had one face. seconds: that were read.

    motion: the rule that the clip breaks, where it lasts long enough.
    """

    clip: Clip
    score: float
    frames: int
    seconds: float
    motion: MotionFault | None

    @property
    def is_response(self) -> bool:
        """Whether there was a face to judge."""
        return self.frames > 0


def score_clip(clip: Clip, find_face: FindFace, score_face: ScoreFace) -> ClipScore:
    """Read at most six seconds of a clip. UsageError and UnreadableImage if it cannot be read."""
    wanted = [round(number * PAIR_S * clip.fps) for number in range(PAIRS + 1)]
    kept: dict[int, ByteArray] = {}
    scores: list[float] = []
    number = -1
    for number, frame in enumerate(_frames(clip)):
        if number in wanted:
            kept[number] = frame
        if len(scores) < SCORED_FRAMES and number < MAX_TRIED and not is_dark(frame):
            scores += _scores(frame, find_face, score_face)
        if number >= wanted[-1]:
            break
    if number < 0:
        raise UnreadableImage(f"the clip {clip.name[:60]!r} has no frame; correct the manifest")
    motion = None
    if all(one in kept for one in wanted):
        motion = judge_motion(_pairs([kept[one] for one in wanted], find_face))
    mean = math.fsum(scores) / len(scores) if scores else math.nan
    return ClipScore(clip, mean, len(scores), (number + 1) / clip.fps, motion)


def _frames(clip: Clip) -> Iterator[ByteArray]:
    for frame in read_video(str(clip.path), clock=time.monotonic, timeout_s=TIMEOUT_S):
        yield frame.image_rgb


def _scores(image_rgb: ByteArray, find_face: FindFace, score_face: ScoreFace) -> list[float]:
    """The score of the only face; none without one."""
    try:
        return [score_face(image_rgb, find_face(image_rgb))]
    except (NoFaceFound, SeveralFacesFound):
        return []


def _pairs(frames: list[ByteArray], find_face: FindFace) -> list[MotionPair]:
    """A pair for each two frames that follow; fewer where a face or points were not found."""
    pairs = []
    for before, after in itertools.pairwise(frames):
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
