"""R-Net or O-Net on boxes of one picture: in batches, and in a search of rounds each box once."""

from __future__ import annotations

import numpy as np

from mien.faces.geometry import IndexArray
from mien.faces.memory import return_freed_memory
from mien.faces.pyramid import AreaTable
from mien.models import Net
from mien.results import FloatArray

BATCH = 256  # crops in one call: limits the memory for a crowded picture
BATCH_PIXELS = 150_000  # of crops in one call where work is limited: 260 of R-Net's, 65 of O-Net's


class BoxNet:
    """A network on boxes of one picture. For one thread.

    side: of its crops, pixels. limited_batch: crops in one call of a search whose work is limited,
    where all of them are more than `BATCH_PIXELS`; such a search asks in rounds about boxes that
    are partly the same, whose outputs are kept. None for a search of one round.
    """

    def __init__(self, net: Net, table: AreaTable, side: int, limited_batch: int | None) -> None:
        self._net, self._table, self._side = net, table, side
        self._limited_batch = limited_batch
        self._known: dict[bytes, FloatArray] = {}  # by the pixels that the box covers

    def __call__(self, boxes_xyxy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The boxes (n, 4) that cover a pixel, and the network's outputs for them, (n, k)."""
        rectangles = self._covered_by(boxes_xyxy)
        inside = np.all(rectangles[:, 2:] > rectangles[:, :2], axis=1)
        boxes, rectangles = boxes_xyxy[inside], rectangles[inside]
        if self._limited_batch is None or len(rectangles) == 0:
            return boxes, self._outputs(rectangles)
        keys = [row.tobytes() for row in rectangles]
        new = [row for row, key in enumerate(keys) if key not in self._known]
        for row, output in zip(new, self._outputs(rectangles[new]), strict=True):
            self._known[keys[row]] = output
        return boxes, np.stack([self._known[key] for key in keys])

    def _covered_by(self, boxes_xyxy: FloatArray) -> IndexArray:
        rectangles = np.trunc(boxes_xyxy).astype(np.intp)
        # the published cascade counts pixels from 1, so its left and top edges are one lower
        rectangles[:, :2] = np.maximum(rectangles[:, :2], 1) - 1
        rectangles[:, 2] = np.minimum(rectangles[:, 2], self._table.width)
        rectangles[:, 3] = np.minimum(rectangles[:, 3], self._table.height)
        return rectangles

    def _outputs(self, rectangles: IndexArray) -> FloatArray:
        batch = BATCH
        if self._limited_batch is not None and len(rectangles) * self._side**2 > BATCH_PIXELS:
            batch = self._limited_batch
        parts = [
            self._net(self._table.crops(rectangles[start : start + batch], self._side))[:, :, 0, 0]
            for start in range(0, len(rectangles), batch)
        ]
        if len(parts) > 1:
            return_freed_memory()
        return np.concatenate(parts) if parts else np.zeros((0, 15), np.float32)
