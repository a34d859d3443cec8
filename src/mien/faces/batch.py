"""Find the faces of many pictures with few calls of the networks, for a graphics card.

Each picture is searched by `Cascade`, on a thread of its own; the windows and crops of all of them
go through each network together (`NetBatches`). So the faces are those of a search of each picture
alone, as far as a network gives a tensor the same numbers in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mien.faces.detect import CELL, STRIDE, Cascade, CascadeSettings, Search
from mien.models import MaskedNet, Net
from mien.models.build.mtcnn import INSIDE, OUTSIDE
from mien.models.net_batches import NetBatches
from mien.results import ByteArray, Faces, FloatArray

FIRST_KERNEL = 3  # side of the window of P-Net's first layer
MOST_PADDING = 1.5  # times the pixels of the pictures that go through P-Net together
PIXELS_IN_PROGRESS = 32_000_000  # of pictures, whose tables take 8 bytes a pixel


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """What goes through a network in one call. pixels: through P-Net; crops: through R-, O-Net."""

    pixels: int
    crops: int


ON_GPU = BatchSizes(pixels=8_000_000, crops=2048)
ON_CPU = BatchSizes(pixels=600_000, crops=256)
"""As much as `Cascade` computes at once: on a CPU a larger batch takes memory and gains nothing."""


class BatchCascade:
    """Finds the faces of many pictures at once. Several threads may use it at the same time."""

    def __init__(
        self,
        pnet: MaskedNet,
        rnet: Net,
        onet: Net,
        settings: CascadeSettings,
        *,
        sizes: BatchSizes = ON_GPU,
        batches: NetBatches | None = None,
    ) -> None:
        """batches: the networks of a whole pipeline, of which these are the first."""
        self.batches = batches or NetBatches()
        self.cascade = Cascade(
            self.batches.net(partial(run_on_pictures, pnet, most_pixels=sizes.pixels)),
            self.batches.net(partial(run_on_crops, rnet, at_most=sizes.crops)),
            self.batches.net(partial(run_on_crops, onet, at_most=sizes.crops)),
            settings,
            small_calls=False,
        )
        """For calls under `batches.run`; elsewhere it finds the same, one picture at a time."""

    def find_faces_in_batch(
        self, pictures: Sequence[ByteArray], search: Search = "all"
    ) -> list[Faces]:
        """The faces of each picture, (H, W, 3) uint8 RGB, as `Cascade.find` finds them.

        Raises what that raises, for the first picture that raises. Large pictures go through in
        several groups, so that memory is bounded.
        """
        found: list[Faces] = []
        for group in groups_of(pictures):
            calls: list[Callable[[], Faces]] = [
                partial(self.cascade.find, picture, search) for picture in group
            ]
            for faces in self.batches.run(calls):
                if isinstance(faces, Exception):
                    raise faces
                found.append(faces)
        return found


def groups_of(pictures: Sequence[ByteArray]) -> Iterator[Sequence[ByteArray]]:
    """The pictures in order, in groups of at most `PIXELS_IN_PROGRESS` or of one."""
    start, pixels = 0, 0
    for row, picture in enumerate(pictures):
        size = picture.shape[0] * picture.shape[1]
        if row > start and pixels + size > PIXELS_IN_PROGRESS:
            yield pictures[start:row]
            start, pixels = row, 0
        pixels += size
    if start < len(pictures):
        yield pictures[start:]


def run_on_crops(net: Net, crops: Sequence[FloatArray], *, at_most: int) -> list[FloatArray]:
    """The network's answer to each of several tensors (n, 3, side, side), in few calls."""
    together = np.concatenate(crops)
    parts = [net(together[start : start + at_most]) for start in range(0, len(together), at_most)]
    ends = np.cumsum([len(one) for one in crops])
    return np.split(np.concatenate(parts), ends[:-1])


def run_on_pictures(
    net: MaskedNet, pictures: Sequence[FloatArray], *, most_pixels: int
) -> list[FloatArray]:
    """P-Net's answer to each of several tensors (1, 3, height, width), in few calls."""
    answers: list[FloatArray] = [np.zeros(0, np.float32)] * len(pictures)
    for rows in _similar_sizes([one.shape[2:] for one in pictures], most_pixels):
        maps = net(*pad_together([pictures[row] for row in rows]))
        for row, each in zip(rows, maps, strict=True):
            height, width = (_cells(side) for side in pictures[row].shape[2:])
            answers[row] = each[np.newaxis, :, :height, :width]
    return answers


def pad_together(pictures: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The inputs of a `MaskedNet`: pictures (1, 3, height, width), zeros below and to the right."""
    heights, widths = (np.array([one.shape[axis] for one in pictures]) for axis in (2, 3))
    pixels = np.zeros((len(pictures), 3, heights.max(), widths.max()), np.float32)
    for row, one in enumerate(pictures):
        pixels[row, :, : one.shape[2], : one.shape[3]] = one[0]
    rows, columns = _limits(heights), _limits(widths)
    return pixels, rows[:, np.newaxis, :, np.newaxis], columns[:, np.newaxis, np.newaxis, :]


def _limits(sides: np.ndarray) -> FloatArray:
    """(n, longest - 2) float32: `INSIDE` for the windows of the first layer within a picture."""
    windows = sides - FIRST_KERNEL + 1
    inside = np.arange(windows.max()) < windows[:, np.newaxis]
    return np.where(inside, np.float32(INSIDE), np.float32(OUTSIDE))


def _similar_sizes(shapes: Sequence[tuple[int, ...]], most_pixels: int) -> Iterator[list[int]]:
    """The rows in groups that pad to at most so many pixels, and to `MOST_PADDING` of their own."""
    group: list[int] = []
    height = width = own = 0
    for row in sorted(range(len(shapes)), key=lambda row: shapes[row]):
        taller, wider = max(height, shapes[row][0]), max(width, shapes[row][1])
        area = shapes[row][0] * shapes[row][1]
        padded = (len(group) + 1) * taller * wider
        if group and (padded > most_pixels or padded > MOST_PADDING * (own + area)):
            yield group
            group, taller, wider, own = [], *shapes[row], 0
        group.append(row)
        height, width, own = taller, wider, own + area
    if group:
        yield group


def _cells(side: int) -> int:
    """Windows of P-Net along a side of so many pixels."""
    return (side - CELL + STRIDE - 1) // STRIDE + 1
