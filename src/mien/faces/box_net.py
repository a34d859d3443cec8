"""R-Net or O-Net on boxes of one picture: in batches, and in a search of rounds each box once."""

from __future__ import annotations

import numpy as np

from mien.faces.geometry import IndexArray
from mien.faces.memory import return_freed_memory
from mien.faces.pyramid import AreaTable
from mien.models import Net
from mien.results import FloatArray

# pixels of the crops in one call: 32 of R-Net's and 8 of O-Net's, whose layers fit the processor's
# cache; four times as many take 1.1 times as long for each
CALL_PIXELS = 18_432
BATCH = 256  # crops in one call on a graphics card: limits the memory for a crowded picture
CROWD_PIXELS = 150_000  # of the crops of a crowded picture: 260 of R-Net's, 65 of O-Net's


class BoxNet:
    """A network on boxes of one picture. For one thread.

    side: of its crops, pixels. in_rounds: the search asks in rounds about boxes that are partly the
    same, whose outputs are kept. small_calls: of `CALL_PIXELS`, as a processor is fastest with;
    else of `BATCH` crops. The outputs are the same bit by bit.
    """

    def __init__(
        self, net: Net, table: AreaTable, side: int, *, in_rounds: bool, small_calls: bool
    ) -> None:
        self._net, self._table, self._side = net, table, side
        self._in_rounds = in_rounds
        self._batch = max(1, CALL_PIXELS // side**2) if small_calls else BATCH
        self._known: dict[bytes, FloatArray] = {}  # by the pixels that the box covers

    def __call__(self, boxes_xyxy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The boxes (n, 4) that cover a pixel, and the network's outputs for them, (n, k)."""
        rectangles = self._covered_by(boxes_xyxy)
        inside = np.all(rectangles[:, 2:] > rectangles[:, :2], axis=1)
        boxes, rectangles = boxes_xyxy[inside], rectangles[inside]
        if not self._in_rounds or len(rectangles) == 0:
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
        batch = self._batch
        parts = [
            self._net(self._table.crops(rectangles[start : start + batch], self._side))[:, :, 0, 0]
            for start in range(0, len(rectangles), batch)
        ]
        if len(rectangles) * self._side**2 > CROWD_PIXELS:
            return_freed_memory()
        return np.concatenate(parts) if parts else np.zeros((0, 15), np.float32)
