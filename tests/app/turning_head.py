"""Renderings of a head that turns: the texture of one photo on the mesh of its face."""

from __future__ import annotations

import math

import cv2
import numpy as np

from mien.liveness.mesh import Float64Array
from mien.results import ByteArray

DEPTH = 1.6  # the net's own depth is compressed; a head is deeper


class TurningHead:
    """A photo (H, W, 3) uint8 RGB and the mesh (468, 3) of its face, seen from other sides."""

    def __init__(self, photo: ByteArray, mesh: Float64Array) -> None:
        self._photo, self._mesh = photo, mesh
        self._triangles = _triangles(mesh[:, :2])
        hull = cv2.convexHull(mesh[:, :2].astype(np.float32)).astype(np.int32)
        mask = cv2.fillConvexPoly(np.zeros(photo.shape[:2], np.uint8), hull, 255)
        self._behind = cv2.inpaint(photo, cv2.dilate(mask, np.ones((5, 5))), 5, cv2.INPAINT_TELEA)

    def seen(self, degrees: float) -> ByteArray:
        """The head turned to the person's left by so many degrees."""
        centre = self._mesh.mean(axis=0)
        centre[2] += 0.6 * np.ptp(self._mesh[:, 0])  # the neck is behind the face
        x, y, z = ((self._mesh - centre) * [1, 1, DEPTH]).T
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turned = np.column_stack([x * cos - z * sin, y, x * sin + z * cos]) + centre
        picture = self._behind.copy()
        depths = turned[self._triangles, 2].mean(axis=1)
        for triangle in self._triangles[np.argsort(-depths)]:  # the farthest first
            _paint(picture, self._photo, self._mesh[triangle, :2], turned[triangle, :2])
        return picture


def _triangles(points_xy: Float64Array) -> np.ndarray:
    subdivision = cv2.Subdiv2D((-9999, -9999, 30000, 30000))
    numbers = {}
    for number, (x, y) in enumerate(points_xy.astype(np.float32)):
        subdivision.insert((float(x), float(y)))
        numbers[float(x), float(y)] = number
    corners = subdivision.getTriangleList().reshape(-1, 3, 2)
    found = [[numbers.get((float(x), float(y)), -1) for x, y in three] for three in corners]
    return np.array([three for three in found if min(three) >= 0])


def _paint(
    picture: ByteArray, photo: ByteArray, source: Float64Array, target: Float64Array
) -> None:
    low = np.floor(target.min(axis=0)).astype(int) - 1
    high = np.ceil(target.max(axis=0)).astype(int) + 2
    low, high = np.maximum(low, 0), np.minimum(high, picture.shape[1::-1])
    if (high <= low).any() or abs(np.linalg.det(target[1:] - target[0])) < 1e-3:
        return
    place = (target - low).astype(np.float32)
    size = tuple(int(side) for side in high - low)
    warp = cv2.getAffineTransform(source.astype(np.float32), place)
    patch = cv2.warpAffine(photo, warp, size, flags=cv2.INTER_LINEAR)
    mask = cv2.fillConvexPoly(np.zeros(size[::-1], np.uint8), np.rint(place).astype(np.int32), 1)
    region = picture[low[1] : high[1], low[0] : high[0]]
    region[mask > 0] = patch[mask > 0]
