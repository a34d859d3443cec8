"""MTCNN: image -> faces. A cascade of three nets, each asked only what the last let through.

Zhang et al. 2016; the details that a result depends on (rounding, suppression
limits, which sides count + 1) are those of facenet-pytorch 2.6, so that its
boxes, points and scores come out here.

Two ways to search:
    all      every pyramid level from `min_face_size` up, as the reference does.
    largest  coarse to fine, for the face at the door. It starts with faces of a
             fifth of the short side, goes finer only while nothing was found, and
             then looks at the levels around what it found, so that the largest
             face and its points are those of `all`. A second face is reported
             only if it is at least about half as large.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from mien.faces.geometry import shifted_by, squared, suppress_by_smaller, suppress_by_union
from mien.faces.pyramid import AreaTable
from mien.models import Net
from mien.results import ByteArray, Faces, FloatArray

Search = Literal["all", "largest"]
SEARCHES = get_args(Search)

CELL = 12  # side of P-Net's window, pixels
STRIDE = 2  # between two windows
BATCH = 256  # crops in one call of R-Net or O-Net: bounds the memory of a crowded picture
STRIP_PIXELS = 600_000  # of a level in one call of P-Net
DOOR_SHARE = 5  # `largest` starts with faces of a fifth of the short side
FINER_AT_ONCE = 2  # levels that `largest` adds while nothing was found
# `largest` looks at windows down to this share of the largest face: a rival of half its size is
# found, and a window that P-Net widens more than twofold is not missed (at 0.5 it was, sometimes)
RIVAL_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class CascadeSettings:
    """min_face_size: pixels. thresholds: of the three nets, 0..1. factor: between levels, 0..1."""

    min_face_size: int = 20
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    factor: float = 0.709

    def __post_init__(self) -> None:
        if not 1 <= self.min_face_size < float("inf"):  # also refuses NaN
            raise ValueError(f"min_face_size must be at least 1, got {self.min_face_size}")
        if len(self.thresholds) != 3 or not all(0 < t < 1 for t in self.thresholds):
            raise ValueError(f"thresholds are three numbers in 0..1, got {self.thresholds}")
        if not 0 < self.factor < 1:
            raise ValueError(f"factor must lie between 0 and 1, got {self.factor}")


class Cascade:
    """Finds faces. Holds three loaded nets; calls share nothing else.

    pnet_callers: how many threads may call P-Net at the same time, 1 or more.
    """

    def __init__(
        self,
        pnet: Net,
        rnet: Net,
        onet: Net,
        settings: CascadeSettings,
        *,
        pnet_callers: int = 1,
    ) -> None:
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._workers = pnet_callers
        self.settings = settings

    def with_settings(self, settings: CascadeSettings) -> Cascade:
        """The same nets under other settings; nothing is loaded again."""
        nets = (self._pnet, self._rnet, self._onet)
        return Cascade(*nets, settings, pnet_callers=self._workers)

    def find(self, image_rgb: ByteArray, search: Search = "all") -> Faces:
        """Faces of (H, W, 3) uint8 RGB, surest first. An image too small for one has none.

        ValueError for a search that is not one of `SEARCHES`.
        """
        if search not in SEARCHES:
            raise ValueError(f"unknown search {search!r}; known: {', '.join(SEARCHES)}")
        scales = pyramid_scales(image_rgb.shape[0], image_rgb.shape[1], self.settings)
        if not scales:
            return Faces.none()
        table = AreaTable(image_rgb)
        if search == "largest":
            return self._find_largest(table, scales)
        return self._decide(table, _stacked(self._propose_side_by_side(table, scales)))

    def _propose_side_by_side(self, table: AreaTable, scales: list[float]) -> list[FloatArray]:
        """All levels, on as many threads as P-Net takes callers.

        A level costs about half of the next finer one, so two threads share the
        work evenly when one takes the finest level alone.
        """
        workers = max(1, min(self._workers, len(scales)))
        found: list[FloatArray] = [np.zeros((0, 9), np.float32)] * len(scales)
        faults: list[BaseException] = []

        def work(levels: Iterable[int]) -> None:
            try:
                for level in levels:
                    found[level] = self._propose(table, scales[level])
            except BaseException as fault:  # noqa: BLE001 - raised again by the caller below
                faults.append(fault)

        shares = [[first] for first in range(workers - 1)] + [range(workers - 1, len(scales))]
        threads = [threading.Thread(target=work, args=(share,)) for share in shares[:-1]]
        for thread in threads:
            thread.start()
        work(shares[-1])
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]
        return found

    def _find_largest(self, table: AreaTable, scales: list[float]) -> Faces:
        proposals: list[FloatArray] = []
        levels = list(reversed(scales))  # coarse to fine
        wanted = min(table.height, table.width) / DOOR_SHARE
        done = 0
        while True:
            while done < len(levels) and (CELL / levels[done] >= wanted or not proposals):
                proposals.append(self._propose(table, levels[done]))
                done += 1
            faces = self._decide(table, _stacked(proposals))
            if done == len(levels):
                return faces
            if len(faces):
                largest = float(_sides(faces.boxes_xyxy).max())
                if CELL / levels[done] < largest * RIVAL_SHARE:
                    return faces
                wanted = largest * RIVAL_SHARE
            else:
                wanted = CELL / levels[min(done + FINER_AT_ONCE, len(levels)) - 1]

    def _propose(self, table: AreaTable, scale: float) -> FloatArray:
        """P-Net on one level: (n, 9) float32, box, logit, offsets; suppressed within the level."""
        level = table.resized(int(table.height * scale + 1), int(table.width * scale + 1))
        maps = self._maps(level)  # (5, rows, columns)
        rows, columns = np.nonzero(maps[0] >= _logit(self.settings.thresholds[0]))
        corner = np.stack([columns, rows], axis=1).astype(np.float32) * np.float32(STRIDE) + 1
        boxes = np.concatenate(
            [
                np.floor(corner / np.float32(scale)),
                np.floor((corner + np.float32(CELL - 1)) / np.float32(scale)),
            ],
            axis=1,
        )
        found = np.concatenate([boxes, maps[:, rows, columns].T], axis=1)
        return found[suppress_by_union(boxes, found[:, 4], 0.5)]

    def _maps(self, level: FloatArray) -> FloatArray:
        """P-Net's output on a level, in strips of rows: bounds the memory of a large picture.

        An output row sees `CELL` input rows and the next starts `STRIDE` lower, so strips
        that overlap by the difference give the very numbers of the whole.
        """
        height, width = level.shape[2:]
        rows = (height - 1) // STRIDE - 4
        step = max(1, STRIP_PIXELS // (STRIDE * width))
        if rows <= step:
            whole: FloatArray = self._pnet(level)[0]
            return whole
        parts = []
        for first in range(0, rows, step):
            last = min(first + step, rows)
            end = height if last == rows else STRIDE * last + CELL - STRIDE
            parts.append(self._pnet(np.ascontiguousarray(level[:, :, STRIDE * first : end]))[0])
        return np.concatenate(parts, axis=1)

    def _decide(self, table: AreaTable, proposals: FloatArray) -> Faces:
        """R-Net and O-Net on what P-Net proposed on all levels."""
        proposals = proposals[suppress_by_union(proposals[:, :4], proposals[:, 4], 0.7)]
        boxes = squared(shifted_by(proposals[:, :4], proposals[:, 5:], extra=0.0))

        boxes, outputs = _ask(self._rnet, table, boxes, 24)
        passed = outputs[:, 0] > _logit(self.settings.thresholds[1])
        boxes, outputs = boxes[passed], outputs[passed]
        kept = suppress_by_union(boxes, outputs[:, 0], 0.7)
        boxes = squared(shifted_by(boxes[kept], outputs[kept, 1:5], extra=1.0))

        boxes, outputs = _ask(self._onet, table, boxes, 48)
        passed = outputs[:, 0] > _logit(self.settings.thresholds[2])
        boxes, outputs = boxes[passed], outputs[passed]
        points = _points(boxes, outputs[:, 5:])
        boxes = shifted_by(boxes, outputs[:, 1:5], extra=1.0)
        kept = suppress_by_smaller(boxes, outputs[:, 0], 0.7)
        return Faces(boxes[kept], points[kept], _sigmoid(outputs[kept, 0]))


def pyramid_scales(height: int, width: int, settings: CascadeSettings) -> list[float]:
    """How much the image shrinks for each level, finest first; empty if no face can fit."""
    scale = CELL / settings.min_face_size
    short_side = min(height, width) * scale
    scales = []
    while short_side >= CELL:
        scales.append(scale)
        scale *= settings.factor
        short_side *= settings.factor
    return scales


def _ask(net: Net, table: AreaTable, boxes: FloatArray, side: int) -> tuple[FloatArray, FloatArray]:
    """A net's outputs for each box that covers a pixel: those boxes, and (n, k)."""
    rectangles = np.trunc(boxes).astype(np.intp)
    # the published cascade counts pixels from 1, so its left edge is one further out
    rectangles[:, :2] = np.maximum(rectangles[:, :2], 1) - 1
    rectangles[:, 2] = np.minimum(rectangles[:, 2], table.width)
    rectangles[:, 3] = np.minimum(rectangles[:, 3], table.height)
    inside = np.all(rectangles[:, 2:] > rectangles[:, :2], axis=1)
    boxes, rectangles = boxes[inside], rectangles[inside]
    parts = [
        net(table.crops(rectangles[start : start + BATCH], side))[:, :, 0, 0]
        for start in range(0, len(rectangles), BATCH)
    ]
    return boxes, np.concatenate(parts) if parts else np.zeros((0, 15), np.float32)


def _points(boxes: FloatArray, shares: FloatArray) -> FloatArray:
    """Five points per box from O-Net's (n, 10): five x, then five y, as shares of the sides."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    corners = boxes[:, :2] - 1
    x_then_y = shares.reshape(-1, 2, 5)
    points = sides[:, :, np.newaxis] * x_then_y + corners[:, :, np.newaxis]
    return np.ascontiguousarray(np.swapaxes(points, 1, 2))


def _stacked(proposals: list[FloatArray]) -> FloatArray:
    return np.concatenate(proposals).astype(np.float32)


def _sides(boxes: FloatArray) -> FloatArray:
    sides: FloatArray = np.max(boxes[:, 2:] - boxes[:, :2], axis=1)
    return sides


def _logit(probability: float) -> np.float32:
    return np.float32(np.log(probability / (1 - probability)))


def _sigmoid(logits: FloatArray) -> FloatArray:
    # exp of a large positive number overflows, of a large negative one does not
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)
