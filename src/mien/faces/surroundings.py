"""What surrounds a face on a frame, kept coarse, to tell whether a second face may have come."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.results import ByteArray, Face, FloatArray

CELLS_A_FACE = 8  # cells in the height of the face
SAMPLES_A_CELL = 4  # pixels, along each side of a cell
CHANGED_LEVELS = 20.0  # of 255: the mean of 16 pixels of a sensor changes by a few
HEAD_SHARE = 0.4  # of the face's height, around its box: hair and neck move with the face


class Surroundings:
    """Mean brightness of the cells of one frame. image_rgb: (H, W, 3) uint8, which is not kept."""

    def __init__(self, image_rgb: ByteArray, face: Face) -> None:
        self._shape = image_rgb.shape
        self._step = max(1, round(face.height_px / (CELLS_A_FACE * SAMPLES_A_CELL)))
        self._means = self._cell_means(image_rgb)

    def may_show_rival(self, image_rgb: ByteArray, face: Face) -> bool:
        """Whether four cells that form a square have changed since, away from the face.

        The smallest rival is half as high as the face, four cells by three, and covers such a
        square. The outline of somebody who moves changes lines of single cells. Also true for a
        frame of another size. face: where it was last seen.
        """
        if image_rgb.shape != self._shape:
            return True
        changed = np.abs(self._cell_means(image_rgb) - self._means) > CHANGED_LEVELS
        changed &= ~self._head(face)
        pairs = changed[1:] & changed[:-1]
        return bool(np.any(pairs[:, 1:] & pairs[:, :-1]))

    def _cell_means(self, image_rgb: ByteArray) -> FloatArray:
        """(rows, columns) of the green channel, 0..255; a part cell at the end is left out."""
        samples = image_rgb[:: self._step, :: self._step, 1]
        rows, columns = (length // SAMPLES_A_CELL for length in samples.shape)
        whole = samples[: rows * SAMPLES_A_CELL, : columns * SAMPLES_A_CELL]
        cells = whole.reshape(rows, SAMPLES_A_CELL, columns, SAMPLES_A_CELL)
        means: FloatArray = cells.mean(axis=(1, 3), dtype=np.float32)
        return means

    def _head(self, face: Face) -> npt.NDArray[np.bool_]:
        """(rows, columns): the cells of the face and `HEAD_SHARE` around it."""
        side = self._step * SAMPLES_A_CELL
        margin = HEAD_SHARE * face.height_px
        left, top, right, bottom = (float(edge) for edge in face.box_xyxy)
        rows, columns = ((np.arange(n) + 0.5) * side for n in self._means.shape)
        in_row = (rows > top - margin) & (rows < bottom + margin)
        in_column = (columns > left - margin) & (columns < right + margin)
        return np.outer(in_row, in_column)
