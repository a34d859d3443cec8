"""Detect faces with MTCNN, a cascade of three networks: each one checks what the last passed.

Source: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment Using Multitask
Cascaded Convolutional Networks", 2016. Rounding, suppression limits, and which sides
count + 1 are those of facenet-pytorch 2.6, so that boxes, points and scores are equal.

Two searches:
    all      every pyramid level from `min_face_size` up, as the reference does.
    largest  coarse to fine, for one person in front of a camera. It starts with faces
             of a fifth of the short side and goes finer only while nothing is found.
             Then it searches the levels around the face found, so that the largest
             face and its points are those of `all`. A second face is reported only if
             it is at least about half as large.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np

from mien.faces.box_net import BoxNet
from mien.faces.geometry import (
    IndexArray,
    apply_offsets,
    make_square,
    suppress_by_smaller,
    suppress_by_union,
)
from mien.faces.memory import return_freed_memory
from mien.faces.pyramid import AreaTable
from mien.models import Net
from mien.records import dataclass
from mien.results import ByteArray, Face, Faces, FloatArray

Search = Literal["all", "largest"]
SEARCHES = get_args(Search)

CELL = 12  # side of P-Net's window, pixels
STRIDE = 2  # between two windows
STRIP_PIXELS = 600_000  # of a level in one call of P-Net
START_DIVISOR = 5  # `largest` starts with faces of a fifth of the short side
FINER_LEVELS = 2  # that `largest` adds each time nothing was found
# `largest` searches windows down to this share of the largest face: a second face of half its
# size is found, and so is a window that P-Net widens more than twofold (0.5 missed some)
SECOND_FACE_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class WorkLimits:
    """How many of the highest scores go on: of a level's windows, to R-Net, and to O-Net.

    A photo of a few people has fewer. One that is tiled with small faces has tens of thousands,
    and would take 25 seconds and a gigabyte.
    """

    level: int
    rnet: int
    onet: int


LIMITS: dict[Search, WorkLimits | None] = {
    "all": None,
    "largest": WorkLimits(600, 500, 200),
}
"""None for `all`, whose faces are those of the published cascade whatever they cost."""


@dataclass(frozen=True, slots=True)
class CascadeSettings:
    """What the search depends on. ValueError for a value out of range.

    min_face_size: pixels. thresholds: least scores of the three networks, 0..1. factor:
    between the scales of two pyramid levels, 0..1.
    """

    min_face_size: int = 20
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    factor: float = 0.709

    def __post_init__(self) -> None:
        if not 1 <= self.min_face_size < float("inf"):  # also refuses NaN
            raise ValueError(f"min_face_size must be at least 1, got {self.min_face_size}")
        if len(self.thresholds) != 3 or not all(0 < t < 1 for t in self.thresholds):
            raise ValueError(f"thresholds are three numbers in 0..1, got {self.thresholds}")
        if not 0 < self.factor < 1:
            raise ValueError(f"factor must be between 0 and 1, got {self.factor}")


class Cascade:
    """Finds faces with three loaded networks. Several threads may use it at the same time.

    pnet_callers: how many threads may call P-Net at the same time, 1 or more. small_calls: R-Net
    and O-Net get few crops at a time, as a processor is fastest with; not for a graphics card.
    """

    def __init__(
        self,
        pnet: Net,
        rnet: Net,
        onet: Net,
        settings: CascadeSettings,
        *,
        pnet_callers: int = 1,
        small_calls: bool = True,
    ) -> None:
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._workers = pnet_callers
        self._small_calls = small_calls
        self.settings = settings

    def with_settings(self, settings: CascadeSettings) -> Cascade:
        """A cascade of the same networks with other settings; nothing is loaded again."""
        nets = (self._pnet, self._rnet, self._onet)
        return Cascade(*nets, settings, pnet_callers=self._workers, small_calls=self._small_calls)

    def find(self, image_rgb: ByteArray, search: Search = "all") -> Faces:
        """Faces of (H, W, 3) uint8 RGB, highest score first; none if the image is too small.

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
        proposals = _concatenate(self._propose_in_parallel(table, scales))
        return self._refine(proposals, *self._box_nets(table, in_rounds=False), None)

    def find_at(self, image_rgb: ByteArray, box_xyxy: FloatArray) -> Face | None:
        """The face at the place of a box, by O-Net alone; None if its score is too low.

        image_rgb: (H, W, 3) uint8. box_xyxy: (4,) finite, of a face that was found on a picture
        like this one: O-Net corrects a shift of a tenth of its height, and does not search.
        """
        square = make_square(box_xyxy[np.newaxis])
        low = np.maximum(np.floor(square[0, :2]).astype(np.intp) - 1, 0)
        high = np.maximum(np.ceil(square[0, 2:]).astype(np.intp) + 1, low)
        part = image_rgb[low[1] : high[1], low[0] : high[0]]
        if part.size == 0:
            return None
        corner = low.astype(np.float32)
        _, onet = self._box_nets(AreaTable(part), in_rounds=False)
        faces = self._decide_by_onet(square - np.tile(corner, 2), onet)
        if len(faces) == 0:
            return None
        face = faces[0]
        return Face(face.box_xyxy + np.tile(corner, 2), face.points_xy + corner, face.score)

    def _propose_in_parallel(self, table: AreaTable, scales: list[float]) -> list[FloatArray]:
        """The proposals of each level, on as many threads as P-Net accepts callers.

        A level costs about half of the next finer one, so two threads share the
        work evenly when one takes the finest level alone.
        """
        workers = max(1, min(self._workers, len(scales)))
        found: list[FloatArray] = [np.zeros((0, 9), np.float32)] * len(scales)
        errors: list[BaseException] = []

        def work(levels: Iterable[int]) -> None:
            try:
                for level in levels:
                    found[level] = self._propose(table, scales[level])
            except BaseException as error:  # noqa: BLE001 - raised again by the caller below
                errors.append(error)

        shares = [[first] for first in range(workers - 1)] + [range(workers - 1, len(scales))]
        threads = [threading.Thread(target=work, args=(share,)) for share in shares[:-1]]
        for thread in threads:
            thread.start()
        work(shares[-1])
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return found

    def _find_largest(self, table: AreaTable, scales: list[float]) -> Faces:
        """Search coarse to fine; `wanted` is the smallest face that is still to be searched."""
        limits = LIMITS["largest"]
        nets = self._box_nets(table, in_rounds=True)
        proposals: list[FloatArray] = []
        levels = list(reversed(scales))  # coarse to fine
        wanted = min(table.height, table.width) / START_DIVISOR
        done = 0
        while True:
            while done < len(levels) and (CELL / levels[done] >= wanted or not proposals):
                proposals.append(self._propose(table, levels[done], limits))
                done += 1
            faces = self._refine(_concatenate(proposals), *nets, limits)
            if done == len(levels):
                return faces
            if len(faces):
                largest = float(_longer_sides(faces.boxes_xyxy).max())
                if CELL / levels[done] < largest * SECOND_FACE_SHARE:
                    return faces
                wanted = largest * SECOND_FACE_SHARE
            else:
                wanted = CELL / levels[min(done + FINER_LEVELS, len(levels)) - 1]

    def _propose(
        self, table: AreaTable, scale: float, limits: WorkLimits | None = None
    ) -> FloatArray:
        """P-Net on one level, after suppression: (n, 9) float32 of box, logit and offsets."""
        level = table.resized(int(table.height * scale + 1), int(table.width * scale + 1))
        maps = self._pnet_maps(level)  # (5, rows, columns)
        rows, columns = np.nonzero(maps[0] >= _logit(self.settings.thresholds[0]))
        if limits is not None:
            highest = _highest(maps[0, rows, columns], limits.level)
            rows, columns = rows[highest], columns[highest]
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

    def _pnet_maps(self, level: FloatArray) -> FloatArray:
        """P-Net's output (5, rows, columns), in strips, to limit the memory for a large picture.

        An output row depends on `CELL` input rows, and the next one starts `STRIDE` lower,
        so strips that overlap by the difference give the same numbers as the whole.
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
            return_freed_memory()
        return np.concatenate(parts, axis=1)

    def _box_nets(self, table: AreaTable, *, in_rounds: bool) -> tuple[BoxNet, BoxNet]:
        """R-Net and O-Net on one picture."""
        small = self._small_calls
        return (
            BoxNet(self._rnet, table, 24, in_rounds=in_rounds, small_calls=small),
            BoxNet(self._onet, table, 48, in_rounds=in_rounds, small_calls=small),
        )

    def _refine(
        self, proposals: FloatArray, rnet: BoxNet, onet: BoxNet, limits: WorkLimits | None
    ) -> Faces:
        """Faces from the proposals of all levels, (n, 9), by R-Net and O-Net."""
        proposals = proposals[suppress_by_union(proposals[:, :4], proposals[:, 4], 0.7)]
        if limits is not None:
            proposals = proposals[_highest(proposals[:, 4], limits.rnet)]
        boxes = make_square(apply_offsets(proposals[:, :4], proposals[:, 5:], extra=0.0))

        boxes, outputs = rnet(boxes)
        passed = outputs[:, 0] > _logit(self.settings.thresholds[1])
        boxes, outputs = boxes[passed], outputs[passed]
        kept = suppress_by_union(boxes, outputs[:, 0], 0.7)
        if limits is not None:
            kept = kept[_highest(outputs[kept, 0], limits.onet)]
        squares = make_square(apply_offsets(boxes[kept], outputs[kept, 1:5], extra=1.0))
        return self._decide_by_onet(squares, onet)

    def _decide_by_onet(self, squares: FloatArray, onet: BoxNet) -> Faces:
        """The faces of square boxes, (n, 4), highest score first."""
        boxes, outputs = onet(squares)
        passed = outputs[:, 0] > _logit(self.settings.thresholds[2])
        boxes, outputs = boxes[passed], outputs[passed]
        points = _decode_points(boxes, outputs[:, 5:])
        boxes = apply_offsets(boxes, outputs[:, 1:5], extra=1.0)
        kept = suppress_by_smaller(boxes, outputs[:, 0], 0.7)
        return Faces(boxes[kept], points[kept], _sigmoid(outputs[kept, 0]))


def pyramid_scales(height: int, width: int, settings: CascadeSettings) -> list[float]:
    """The scale of each pyramid level, 0..1, finest first; empty if no face can fit."""
    scale = CELL / settings.min_face_size
    short_side = min(height, width) * scale
    scales = []
    while short_side >= CELL:
        scales.append(scale)
        scale *= settings.factor
        short_side *= settings.factor
    return scales


def _decode_points(boxes: FloatArray, shares: FloatArray) -> FloatArray:
    """Five points of each box, (n, 5, 2), from O-Net's (n, 10): x, then y, in shares of a side."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    corners = boxes[:, :2] - 1
    x_then_y = shares.reshape(-1, 2, 5)
    points = sides[:, :, np.newaxis] * x_then_y + corners[:, :, np.newaxis]
    return np.ascontiguousarray(np.swapaxes(points, 1, 2))


def _highest(scores: FloatArray, at_most: int) -> IndexArray:
    """Rows of the highest scores, in the order of the rows."""
    if len(scores) <= at_most:
        return np.arange(len(scores))
    return np.sort(np.argsort(-scores, kind="stable")[:at_most])


def _concatenate(proposals: list[FloatArray]) -> FloatArray:
    return np.concatenate(proposals).astype(np.float32)


def _longer_sides(boxes: FloatArray) -> FloatArray:
    sides: FloatArray = np.max(boxes[:, 2:] - boxes[:, :2], axis=1)
    return sides


def _logit(probability: float) -> np.float32:
    return np.float32(np.log(probability / (1 - probability)))


def _sigmoid(logits: FloatArray) -> FloatArray:
    # exp overflows for a large positive number, but not for a large negative one
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)
