"""Turn crops into embeddings, vectors of length one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.errors import ModelMismatch
from mien.models import EmbedderRow, Net
from mien.results import ByteArray, Crop, FloatArray, ModelId
from mien.vectors import unit_rows

BATCH = 16


class Embedder:
    """A loaded embedding network. row: its crop recipe, crop size and vector length.

    flip_average: embed each crop and its mirror image, and return the direction between
    the two. Takes twice as long; the vectors can be compared with plain ones.
    """

    def __init__(self, net: Net, row: EmbedderRow, *, flip_average: bool = False) -> None:
        self._net = net
        self.row = row
        self.flip_average = flip_average

    @property
    def model(self) -> ModelId:
        """Name and hash of the weights, as stored beside each template."""
        return self.row.id

    def embed(self, crops: Sequence[Crop]) -> FloatArray:
        """Embed n crops: (n, d) float32, rows of length one; n may be 0.

        Raises ModelMismatch for a crop of another recipe or size, and
        ModelUnavailable if the net gives a number that is not finite.
        """
        for crop in crops:
            if crop.recipe != self.row.recipe or crop.pixels.shape[0] != self.row.side:
                raise ModelMismatch(
                    f"{self.row.model.name} takes crops {self.row.recipe}, got {crop.recipe}; "
                    "cut the face with the recipe of its embedder"
                )
        parts = [
            self._embed_batch(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.row.dims), np.float32)

    def _embed_batch(self, crops: Sequence[Crop]) -> FloatArray:
        stacked = np.stack([crop.pixels for crop in crops])  # (n, side, side, 3)
        vectors = self._run_net(stacked)
        if self.flip_average:
            vectors = unit_rows(vectors + self._run_net(stacked[:, :, ::-1]))
        return vectors

    def _run_net(self, stacked: ByteArray) -> FloatArray:
        pixels = np.ascontiguousarray(stacked.transpose(0, 3, 1, 2), dtype=np.float32)
        return unit_rows(self._net(pixels).reshape(len(stacked), -1))
