"""Boxes and points as plain arrays: areas, suppression, squares and similarity transforms.

A box is (left, top, right, bottom) in pixels, float32, one per row. All functions
accept n = 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mien.results import ByteArray, Face, FloatArray

IndexArray = npt.NDArray[np.intp]

CHUNK = 256  # boxes compared with each other at once: limits the memory for a crowded picture


def box_areas(boxes_xyxy: FloatArray) -> FloatArray:
    """Area of each box, pixels squared: (n,)."""
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    areas: FloatArray = sides[:, 0] * sides[:, 1]
    return areas


def suppress_by_union(boxes_xyxy: FloatArray, scores: FloatArray, limit: float) -> IndexArray:
    """Greedy non-maximum suppression on intersection over union.

    boxes_xyxy: (n, 4); scores: (n,). Returns the row numbers to keep, (k,), best score
    first. A box is dropped when it overlaps a better kept one by more than `limit`, 0..1.
    """
    return _suppress(boxes_xyxy, scores, limit, extra=0.0, by_smaller=False)


def suppress_by_smaller(boxes_xyxy: FloatArray, scores: FloatArray, limit: float) -> IndexArray:
    """Like `suppress_by_union`, on intersection over the area of the smaller box.

    Sides count as right - left + 1. The published cascade ends with this suppression, so
    that only one of two nested boxes is kept.
    """
    return _suppress(boxes_xyxy, scores, limit, extra=1.0, by_smaller=True)


def make_square(boxes_xyxy: FloatArray) -> FloatArray:
    """Extend the shorter sides of each box to a square with the same centre: (n, 4)."""
    widths = boxes_xyxy[:, 2] - boxes_xyxy[:, 0]
    heights = boxes_xyxy[:, 3] - boxes_xyxy[:, 1]
    side = np.maximum(widths, heights)
    half = np.float32(0.5)
    left = boxes_xyxy[:, 0] + widths * half - side * half
    top = boxes_xyxy[:, 1] + heights * half - side * half
    return np.stack([left, top, left + side, top + side], axis=1)


def apply_offsets(boxes_xyxy: FloatArray, offsets: FloatArray, *, extra: float) -> FloatArray:
    """Move the edges of boxes (n, 4) by a network's offsets (n, 4), in shares of the sides.

    extra: added to each side before the multiplication; the published R-Net and O-Net
    count right - left + 1, P-Net does not.
    """
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2] + np.float32(extra)
    moved: FloatArray = boxes_xyxy + offsets * np.concatenate([sides, sides], axis=1)
    return moved


def similarity_transform(source_xy: FloatArray, target_xy: FloatArray) -> FloatArray:
    """The rotation, uniform scale and shift that moves `source_xy` closest to `target_xy`.

    Both (n, 2) pixels, n >= 2. Returns (2, 3) float32 M with target = M @ (x, y, 1) by
    least squares, never a reflection. Source: Umeyama, "Least-squares estimation of
    transformation parameters between two point patterns", 1991; in the plane the
    solution is closed: one complex number for each point and one complex division.
    ValueError if a value is not finite, or if the points of either side coincide,
    because such a transform could not be inverted.
    """
    pairs = np.stack([source_xy, target_xy]).astype(np.float64)  # (2, n, 2)
    if len(source_xy) < 2 or not np.all(np.abs(pairs) < 1e12):  # also refuses NaN
        raise ValueError("a transform needs at least two points, all finite")
    source, target = pairs[..., 0] + 1j * pairs[..., 1]
    centred = source - source.mean()
    spread = float(np.sum(np.abs(centred) ** 2))
    if spread < 1e-9:
        raise ValueError("the points coincide; no transform fits them")
    turn = np.sum(np.conj(centred) * (target - target.mean())) / spread
    if abs(turn) ** 2 * spread < 1e-9:
        raise ValueError("the points coincide after the transform; no transform fits them")
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
        if len(kept):
            covered = _overlap_more(boxes[kept], boxes[rows], limit, extra, by_smaller).any(axis=0)
            rows = rows[~covered]
        over = _overlap_more(boxes[rows], boxes[rows], limit, extra, by_smaller)
        kept = np.concatenate([kept, rows[_uncovered(over)]])
    return order[kept]


def _uncovered(over: npt.NDArray[np.bool_]) -> list[int]:
    """The rows that no kept row before them covers. over: (n, n), whether a row covers another."""
    packed = np.packbits(over, axis=1, bitorder="little")
    bits, width = packed.tobytes(), packed.shape[1]
    kept, covered = [], 0  # a set of rows as a number, which Python unites faster than numpy
    for row in range(len(over)):
        if not covered >> row & 1:
            kept.append(row)
            covered |= int.from_bytes(bits[row * width : (row + 1) * width], "little")
    return kept


def _overlap_more(
    a: FloatArray, b: FloatArray, limit: float, extra: float, by_smaller: bool
) -> npt.NDArray[np.bool_]:
    """Whether each of `a` (n, 4) overlaps each of `b` (m, 4) by more than the limit: (n, m)."""
    # columns of numbers: numpy is slow along an axis of 2 or 4
    a_edges, b_edges = np.ascontiguousarray(a.T)[:, :, np.newaxis], np.ascontiguousarray(b.T)
    common = (
        np.maximum(a_edges[0], b_edges[0]),
        np.maximum(a_edges[1], b_edges[1]),
        np.minimum(a_edges[2], b_edges[2]),
        np.minimum(a_edges[3], b_edges[3]),
    )
    inter, a_areas, b_areas = (_areas(edges, extra) for edges in (common, a_edges, b_edges))
    base = np.minimum(a_areas, b_areas) if by_smaller else a_areas + b_areas - inter
    # multiplied, not divided, because a box may have area 0
    over: npt.NDArray[np.bool_] = inter > np.float32(limit) * base
    return over


def _areas(edges: Sequence[FloatArray] | FloatArray, extra: float) -> FloatArray:
    """Of boxes with these left, top, right and bottom edges; 0, not less, where right < left: such
    a box must not suppress others."""
    left, top, right, bottom = edges
    width = np.maximum(right - left + np.float32(extra), 0)
    height = np.maximum(bottom - top + np.float32(extra), 0)
    areas: FloatArray = width * height
    return areas


def cut_around(image_rgb: ByteArray, face: Face, margin_px: float) -> ByteArray:
    """The part of (H, W, 3) uint8 RGB with the face's box and a margin, within the image."""
    left, top, right, bottom = (float(edge) for edge in face.box_xyxy)
    height, width = image_rgb.shape[:2]
    rows = slice(max(0, int(top - margin_px)), min(height, math.ceil(bottom + margin_px)))
    columns = slice(max(0, int(left - margin_px)), min(width, math.ceil(right + margin_px)))
    return image_rgb[rows, columns]
