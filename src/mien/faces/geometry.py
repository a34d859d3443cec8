"""Boxes and points as plain arrays: overlap, suppression, squaring, similarity transforms.

A box is (left, top, right, bottom) in pixels, float32, one per row. All
functions take n = 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.results import FloatArray

IndexArray = npt.NDArray[np.intp]

CHUNK = 256  # boxes compared with each other at once: bounds the memory of a crowded picture


def box_areas(boxes_xyxy: FloatArray) -> FloatArray:
    """Area of each box, pixels squared: (n,)."""
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    areas: FloatArray = sides[:, 0] * sides[:, 1]
    return areas


def suppress_by_union(boxes_xyxy: FloatArray, scores: FloatArray, limit: float) -> IndexArray:
    """Greedy non-maximum suppression on intersection over union.

    Rows to keep, best score first. A box falls when it overlaps a better kept one
    by more than `limit`.
    """
    return _suppress(boxes_xyxy, scores, limit, extra=0.0, by_smaller=False)


def suppress_by_smaller(boxes_xyxy: FloatArray, scores: FloatArray, limit: float) -> IndexArray:
    """The same on intersection over the smaller box, sides counted as right - left + 1.

    The published cascade ends with this one, so that of two nested boxes one stays.
    """
    return _suppress(boxes_xyxy, scores, limit, extra=1.0, by_smaller=True)


def squared(boxes_xyxy: FloatArray) -> FloatArray:
    """Each box grown on its shorter axis to a square of the same centre: (n, 4)."""
    widths = boxes_xyxy[:, 2] - boxes_xyxy[:, 0]
    heights = boxes_xyxy[:, 3] - boxes_xyxy[:, 1]
    side = np.maximum(widths, heights)
    half = np.float32(0.5)
    left = boxes_xyxy[:, 0] + widths * half - side * half
    top = boxes_xyxy[:, 1] + heights * half - side * half
    return np.stack([left, top, left + side, top + side], axis=1)


def shifted_by(boxes_xyxy: FloatArray, offsets: FloatArray, *, extra: float) -> FloatArray:
    """Boxes moved by a net's offsets (n, 4), which are shares of width and height.

    extra: added to each side before it is multiplied; the published R-Net and
    O-Net count right - left + 1, P-Net does not.
    """
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2] + np.float32(extra)
    moved: FloatArray = boxes_xyxy + offsets * np.concatenate([sides, sides], axis=1)
    return moved


def similarity_transform(source_xy: FloatArray, target_xy: FloatArray) -> FloatArray:
    """The rotation, uniform scale and shift that takes `source_xy` nearest to `target_xy`.

    Both (n, 2), n >= 2. Returns (2, 3) float32 M with target = M @ (x, y, 1) in
    the least squares sense, never a reflection. Umeyama, "Least-squares estimation
    of transformation parameters between two point patterns", 1991; in the plane
    the answer is closed: a complex number per point, one complex division.
    ValueError if a value is not finite, or if the points fall together, before or
    after: then no transform takes the one to the other and back.
    """
    pairs = np.stack([source_xy, target_xy]).astype(np.float64)  # (2, n, 2)
    if len(source_xy) < 2 or not np.all(np.abs(pairs) < 1e12):  # also refuses NaN
        raise ValueError("a transform needs two points or more, all of them finite")
    source, target = pairs[..., 0] + 1j * pairs[..., 1]
    centred = source - source.mean()
    spread = float(np.sum(np.abs(centred) ** 2))
    if spread < 1e-9:
        raise ValueError("the points fall together; no transform fits them")
    turn = np.sum(np.conj(centred) * (target - target.mean())) / spread
    if abs(turn) ** 2 * spread < 1e-9:
        raise ValueError("the points fall together once moved; no transform fits them")
    shift = target.mean() - turn * source.mean()
    return np.array(
        [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], np.float32
    )


def _suppress(
    boxes_xyxy: FloatArray, scores: FloatArray, limit: float, *, extra: float, by_smaller: bool
) -> IndexArray:
    order = np.argsort(-scores, kind="stable")
    boxes = boxes_xyxy[order]
    kept = np.zeros(0, np.intp)
    for start in range(0, len(order), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(order)))
        fallen = _overlapping(boxes[kept], boxes[rows], limit, extra, by_smaller).any(axis=0)
        rows = rows[~fallen]
        over = _overlapping(boxes[rows], boxes[rows], limit, extra, by_smaller)
        alive = np.ones(len(rows), bool)
        for at in range(len(rows)):
            if alive[at]:
                alive[at + 1 :] &= ~over[at, at + 1 :]
        kept = np.concatenate([kept, rows[alive]])
    return order[kept]


def _overlapping(
    a: FloatArray, b: FloatArray, limit: float, extra: float, by_smaller: bool
) -> npt.NDArray[np.bool_]:
    """Which of `a` (n, 4) overlap with which of `b` (m, 4) by more than the limit: (n, m)."""
    inter = _intersections(a[:, np.newaxis], b[np.newaxis], extra=extra)
    # a box turned inside out has no area, not a negative one: it must not fell the others
    a_areas, b_areas = (
        np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2] + np.float32(extra), 0), axis=1)
        for boxes in (a, b)
    )
    if by_smaller:
        base = np.minimum(a_areas[:, np.newaxis], b_areas)
    else:
        base = a_areas[:, np.newaxis] + b_areas - inter
    # multiplied, not divided: a box without area must not divide by zero
    over: npt.NDArray[np.bool_] = inter > np.float32(limit) * base
    return over


def _intersections(a: FloatArray, b: FloatArray, *, extra: float) -> FloatArray:
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., 2:], b[..., 2:])
    sides = np.maximum(high - low + np.float32(extra), 0)
    inter: FloatArray = sides[..., 0] * sides[..., 1]
    return inter
