"""Resize a picture and its rectangles by area means, from one summed-area table.

The cascade needs a picture at a dozen sizes and hundreds of its rectangles. Each is an
area resize of the original: cell i of n covers the pixels from floor(i * size / n) up to
ceil((i + 1) * size / n), as in adaptive average pooling.
With a summed-area table (Crow, 1984) any cell costs four look-ups, whatever its
size, and the result is the same as resizing the original.

The three channels share one 64-bit number, 21 bits each: sums and differences of
such numbers are those of the channels as long as no channel's sum reaches 2**21,
that is for cells up to `MAX_CELL` pixels. Larger cells are summed in strips. The
table itself may overflow and wrap around: differences are right all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mien.results import ByteArray, FloatArray

BITS = 21
MASK = (1 << BITS) - 1
PIXELS_AT_ONCE = 120_000  # a strip of the picture whose sums fit the processor's cache
SUMMED_AT_ONCE = 30_000  # the same while they are computed, when each is read three times
MAX_CELL = MASK // 255  # 8224 pixels

IndexArray = npt.NDArray[np.intp]
PackedArray = npt.NDArray[np.int64]


class AreaTable:
    """The summed-area table of one picture. image_rgb: (H, W, 3) uint8, which is not kept."""

    def __init__(self, image_rgb: ByteArray) -> None:
        self.height, self.width = image_rgb.shape[:2]
        self._sums = _packed_sums(image_rgb)

    def resized(self, height: int, width: int) -> FloatArray:
        """The whole picture at another size: (1, 3, height, width) float32, 0..255."""
        top, bottom = cell_edges(np.zeros(1, np.intp), np.array([self.height]), height)
        left, right = cell_edges(np.zeros(1, np.intp), np.array([self.width]), width)
        top, bottom, left, right = top[0], bottom[0], left[0], right[0]
        counts = np.multiply.outer(bottom - top, right - left)
        if counts.max() > MAX_CELL:
            rows = np.broadcast_to(top[:, np.newaxis], counts.shape)
            rows_end = np.broadcast_to(bottom[:, np.newaxis], counts.shape)
            channels = self._by_strips(rows, rows_end, left, right)
            level: FloatArray = (channels / counts).astype(np.float32)[np.newaxis]
            return level
        level = np.empty((1, 3, height, width), np.float32)
        step = max(1, PIXELS_AT_ONCE // self.width)
        for start in range(0, height, step):
            strip = slice(start, start + step)
            bands = np.take(self._sums, bottom[strip], axis=0)
            bands -= np.take(self._sums, top[strip], axis=0)
            packed = np.take(bands, right, axis=1)
            packed -= np.take(bands, left, axis=1)
            _unpack(packed, counts[strip], level[0, :, strip])
        return level

    def crops(self, rectangles_xyxy: IndexArray, side: int) -> FloatArray:
        """Rectangles resized to (n, 3, side, side) float32, 0..255.

        rectangles_xyxy: (n, 4) whole pixels within the picture, each at least one
        pixel wide and high.
        """
        left, right = cell_edges(rectangles_xyxy[:, 0], rectangles_xyxy[:, 2], side)
        top, bottom = cell_edges(rectangles_xyxy[:, 1], rectangles_xyxy[:, 3], side)
        left, right = left[:, np.newaxis, :], right[:, np.newaxis, :]  # (n, 1, side)
        top, bottom = top[:, :, np.newaxis], bottom[:, :, np.newaxis]  # (n, side, 1)
        counts = (bottom - top) * (right - left)
        if counts.size and counts.max() > MAX_CELL:
            channels = self._by_strips(top, bottom, left, right)
            return np.ascontiguousarray(np.moveaxis(channels / counts, 0, 1), np.float32)
        pixels = np.empty((len(counts), 3, side, side), np.float32)
        sums = self._box_sums(top, bottom, left, right)
        _unpack(sums, counts, np.moveaxis(pixels, 1, 0))
        return pixels

    def _box_sums(
        self, top: IndexArray, bottom: IndexArray, left: IndexArray, right: IndexArray
    ) -> PackedArray:
        flat, stride = self._sums.reshape(-1), self.width + 1
        top, bottom = top * stride, bottom * stride
        sums: PackedArray = flat.take(bottom + right)
        sums -= flat.take(bottom + left)
        sums -= flat.take(top + right)
        sums += flat.take(top + left)
        return sums

    def _by_strips(
        self, top: IndexArray, bottom: IndexArray, left: IndexArray, right: IndexArray
    ) -> npt.NDArray[np.float64]:
        """Sums of cells too large for one packed number: (3, ...) float64."""
        total: npt.NDArray[np.float64] = np.zeros((3, *np.broadcast_shapes(top.shape, left.shape)))
        length = min(MAX_CELL, int((right - left).max()))
        for start, end in _strips(left, right, length):
            for upper, lower in _strips(top, bottom, MAX_CELL // length):
                packed = self._box_sums(upper, lower, start, end)
                for channel in range(3):
                    total[channel] += _channel(packed, channel)
        return total


def cell_edges(start: IndexArray, end: IndexArray, cells: int) -> tuple[IndexArray, IndexArray]:
    """The first pixel of each cell and the one after its last: two (n, cells) arrays.

    start, end: (n,) the pixels from `start` up to `end` are divided into `cells` cells.
    """
    size = (end - start)[:, np.newaxis]
    steps = np.arange(cells + 1)
    first = start[:, np.newaxis] + steps[:-1] * size // cells
    last = start[:, np.newaxis] - (-steps[1:] * size // cells)  # two minus signs round up
    return first, last


def _strips(
    first: IndexArray, last: IndexArray, thickness: int
) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Each span cut into pieces of at most `thickness`; short spans end with empty pieces."""
    for offset in range(0, int((last - first).max()), thickness):
        start = np.minimum(first + offset, last)
        yield start, np.minimum(start + thickness, last)


def _packed_sums(image_rgb: ByteArray) -> PackedArray:
    height, width = image_rgb.shape[:2]
    sums = np.zeros((height + 1, width + 1), np.int64)
    step = max(1, SUMMED_AT_ONCE // width)
    for start in range(0, height, step):
        pixels = image_rgb[start : start + step]
        # one type throughout: numpy is slow where it converts while it computes
        packed = pixels[:, :, 2].astype(np.int64)
        for channel in (1, 0):
            packed <<= BITS
            packed |= pixels[:, :, channel].astype(np.int64)
        above, rows = sums[start], sums[start + 1 : start + 1 + len(packed)]
        np.cumsum(packed, axis=1, out=rows[:, 1:])
        # add row to row: numpy's cumsum over axis 0 would go down the columns
        for row in rows:
            row += above
            above = row
    return sums


def _channel(packed: PackedArray, channel: int) -> PackedArray:
    """One channel's sums. Each lies below 2**21, so the packed difference is never negative."""
    shifted: PackedArray = packed >> (BITS * channel)
    shifted &= MASK
    return shifted


def _unpack(packed: PackedArray, counts: IndexArray, means: FloatArray) -> None:
    """Write the channel means of packed sums over `counts` pixels into (3, ...) `means`."""
    scale = np.float32(1) / counts.astype(np.float32)
    for channel in range(3):
        np.multiply(_channel(packed, channel).astype(np.float32), scale, out=means[channel])
