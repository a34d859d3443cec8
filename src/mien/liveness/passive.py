"""Score how much a face looks alive, from single frames, with the MiniFASNet pair.

Nets and input recipe: minivision-ai/Silent-Face-Anti-Spoofing. The score of a frame is the mean
of the two nets' logits of "live"; the score of an attempt is the mean over its frames. Higher is
more alive; 0 means that the nets call it even. The score is used to refuse, never to accept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.models import MINIFASNET_V1SE, MINIFASNET_V2, Net, open_net, read_added_graph
from mien.results import ByteArray, Face, FloatArray
from mien.settings import Settings

SIDE = 80
SCALE_V2 = 2.7  # of the box: V2 sees the head
SCALE_V1SE = 4.0  # V1SE sees what is around it, such as the edge of a sheet
LIVE = 1  # of the three classes
CLIP = 1e-4  # probabilities are cut to this and to 1 - this: one sure frame decides nothing
FLOOR = 0.0  # least mean score of an attempt; a personal threshold is never below it

Float64Array = npt.NDArray[np.float64]
ScoreFace = Callable[[ByteArray, Face], float]
"""Scores a face of (H, W, 3) uint8 RGB; higher is more alive: a `PassiveScorer`."""


class PassiveScorer:
    """Scores faces of single frames. Takes about 6 ms of a processor for each."""

    def __init__(self, v2: Net, v1se: Net) -> None:
        self._nets = ((v2, SCALE_V2), (v1se, SCALE_V1SE))

    def __call__(self, image_rgb: ByteArray, face: Face) -> float:
        """The score of a face of (H, W, 3) uint8 RGB; NaN if a net gives no number."""
        logits = []
        for net, scale in self._nets:
            crop = crop_bgr(image_rgb, face.box_xyxy, scale)
            live = float(net(crop)[0, LIVE])
            logits.append(logit(live))
        return sum(logits) / len(logits)


@dataclass(frozen=True, slots=True)
class PassiveResult:
    """What the passive check found. score: mean over the frames, NaN without a frame."""

    score: float
    threshold: float
    frames: int

    def __post_init__(self) -> None:
        if not self.threshold >= FLOOR:  # also refuses NaN
            raise ValueError(f"a passive threshold is at least {FLOOR:g}, got {self.threshold}")

    def __bool__(self) -> bool:
        """True only if the attempt is not refused; False for a score that is no number."""
        return self.frames > 0 and math.isfinite(self.score) and self.score >= self.threshold


def open_scorer(settings: Settings) -> PassiveScorer:
    """Load the pair. Raises ModelMissing or ModelAltered, with the command that adds them."""
    v2, v1se = (
        open_net(
            read_added_graph(row, settings.engine, settings.data_dir),
            engine=settings.engine,
            threads=1,  # a crop of 80 px is no faster with two
        )
        for row in (MINIFASNET_V2, MINIFASNET_V1SE)
    )
    return PassiveScorer(v2, v1se)


def judge_frames(scores: Sequence[float], *, threshold: float = FLOOR) -> PassiveResult:
    """The result of an attempt. scores: of its frames; one that is no number refuses it."""
    mean = math.fsum(scores) / len(scores) if scores else math.nan
    return PassiveResult(mean, threshold, len(scores))


def logit(probability: float) -> float:
    """log(p / (1 - p)) with p cut to `CLIP`; NaN for a p that is no number."""
    if math.isnan(probability):
        return math.nan
    p = min(max(probability, CLIP), 1.0 - CLIP)
    return math.log(p / (1.0 - p))


def crop_bgr(image_rgb: ByteArray, box_xyxy: FloatArray, scale: float) -> FloatArray:
    """(1, 3, 80, 80) float32, BGR, 0..255: the box widened by `scale`, resized bilinearly.

    image_rgb: (H, W, 3) uint8. ValueError for a box that is not finite or has no area.
    """
    height, width = image_rgb.shape[:2]
    left, top, right, bottom = widen_box(box_xyxy, scale, width=width, height=height)
    cut = image_rgb[top : bottom + 1, left : right + 1]
    resized = _resize(cut)[:, :, ::-1]
    return np.ascontiguousarray(resized.transpose(2, 0, 1)[np.newaxis])


def widen_box(
    box_xyxy: FloatArray, scale: float, *, width: int, height: int
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the widened box, whole pixels that are all in the picture.

    As in the published code: the scale is lowered until the box fits the picture, then the
    box slides inside.
    """
    left, top, right, bottom = (float(edge) for edge in box_xyxy)
    box_width, box_height = right - left, bottom - top
    finite = all(math.isfinite(edge) for edge in (left, top, right, bottom))
    if not finite or box_width <= 0 or box_height <= 0:
        raise ValueError("the face's box is not finite or has no area")
    fitting = min((height - 1) / box_height, (width - 1) / box_width, scale)
    x = _slide((left + right) / 2, box_width * fitting, width - 1)
    y = _slide((top + bottom) / 2, box_height * fitting, height - 1)
    return int(x[0]), int(y[0]), int(x[1]), int(y[1])


def _slide(centre: float, length: float, last: int) -> tuple[float, float]:
    """Start and end of a stretch about the centre, moved so that it is within 0..last."""
    start = min(max(centre - length / 2, 0.0), max(last - length, 0.0))
    return start, min(start + length, float(last))


def _resize(cut_rgb: ByteArray) -> FloatArray:
    """(80, 80, 3) float32, whole numbers 0..255, bilinear as OpenCV's INTER_LINEAR.

    Not by OpenCV: importing it would cost a start of `mien unlock --frames` more than this does.
    """
    rows, down = _samples(cut_rgb.shape[0])
    columns, across = _samples(cut_rgb.shape[1])
    down, across = down[:, np.newaxis, np.newaxis], across[np.newaxis, :, np.newaxis]
    next_rows = np.minimum(rows + 1, cut_rgb.shape[0] - 1)
    next_columns = np.minimum(columns + 1, cut_rgb.shape[1] - 1)
    upper, lower = cut_rgb[rows], cut_rgb[next_rows]
    above = upper[:, columns] * (1 - across) + upper[:, next_columns] * across
    below = lower[:, columns] * (1 - across) + lower[:, next_columns] * across
    resized: FloatArray = np.rint(above * (1 - down) + below * down).astype(np.float32)
    return resized


def _samples(length: int) -> tuple[npt.NDArray[np.intp], Float64Array]:
    """For each of 80 pixels, the pixel before its centre and how far the centre is past it."""
    centres = np.clip((np.arange(SIDE) + 0.5) * length / SIDE - 0.5, 0, length - 1)
    before = np.floor(centres).astype(np.intp)
    return before, centres - before
