"""Score the clips of an evaluation of attacks, as an unlocking with a camera would."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from mien.app.face_search import FindFace
from mien.app.live_motion import measure_pairs
from mien.errors import NoFaceFound, SeveralFacesFound, UnreadableImage
from mien.lab.evaluate.attack_manifest import Clip
from mien.liveness.motion import PAIR_S, PAIRS, MotionFault, judge_motion
from mien.liveness.passive import ScoreFace
from mien.media.frame import is_dark
from mien.media.video import read_video
from mien.results import ByteArray, Face, FloatArray

SCORED_FRAMES = 5  # as many as may vote
MAX_TRIED = 60  # frames without a face before a clip is given up
TIMEOUT_S = 120.0  # for reading one clip

EmbedFace = Callable[[ByteArray, Face], FloatArray]
"""The unit embedding (d,) of a face of (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipScore:
    """score: mean of the scored frames; NaN where no frame had one face. seconds: that were read.

    motion: the rule that the clip breaks, where it lasts long enough. vectors: (frames, d) unit
    rows of the scored frames, None without a frame or where none were asked for; never stored.
    """

    clip: Clip
    score: float
    frames: int
    seconds: float
    motion: MotionFault | None
    vectors: FloatArray | None = field(default=None, repr=False)

    @property
    def is_response(self) -> bool:
        """Whether there was a face to judge."""
        return self.frames > 0


def score_clip(
    clip: Clip, find_face: FindFace, score_face: ScoreFace, embed: EmbedFace | None = None
) -> ClipScore:
    """Read at most six seconds of a clip. UsageError and UnreadableImage if it cannot be read."""
    wanted = [round(number * PAIR_S * clip.fps) for number in range(PAIRS + 1)]
    kept: dict[int, ByteArray] = {}
    scores: list[float] = []
    vectors: list[FloatArray] = []
    number = -1
    for number, frame in enumerate(_frames(clip)):
        if number in wanted:
            kept[number] = frame
        if len(scores) < SCORED_FRAMES and number < MAX_TRIED and not is_dark(frame):
            face = _only_face(frame, find_face)
            if face is not None:
                scores.append(score_face(frame, face))
                vectors += [] if embed is None else [embed(frame, face)]
        if number >= wanted[-1]:
            break
    if number < 0:
        raise UnreadableImage(f"the clip {clip.name[:60]!r} has no frame; correct the manifest")
    motion = None
    if all(one in kept for one in wanted):
        motion = judge_motion(measure_pairs([kept[one] for one in wanted], find_face))
    mean = math.fsum(scores) / len(scores) if scores else math.nan
    seconds = (number + 1) / clip.fps
    rows = np.stack(vectors) if vectors else None
    return ClipScore(clip, mean, len(scores), seconds, motion, rows)


def _frames(clip: Clip) -> Iterator[ByteArray]:
    for frame in read_video(str(clip.path), clock=time.monotonic, timeout_s=TIMEOUT_S):
        yield frame.image_rgb


def _only_face(image_rgb: ByteArray, find_face: FindFace) -> Face | None:
    try:
        return find_face(image_rgb)
    except (NoFaceFound, SeveralFacesFound):
        return None
