"""Turn crops into embeddings, vectors of length one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.errors import ModelMismatch
from mien.models import EmbedderRow, Net
from mien.results import ByteArray, Crop, FloatArray, ModelId
from mien.vectors import unit_rows

# crops in one call: SFace takes 1.5 times as long for each of 16, whose layers do not fit the
# processor's cache; InceptionResnetV1 takes 1.02 times as long for each of 4 as for each of 16
BATCH = 4


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

        Raises what `embed_with_lengths` raises.
        """
        return self.embed_with_lengths(crops)[0]

    def embed_with_lengths(self, crops: Sequence[Crop]) -> tuple[FloatArray, FloatArray]:
        """Embed n crops, and give the length of each output of the net before it became one.

        (n, d) and (n,) float32. A length is short where the net sees no clear face. Raises
        ModelMismatch for a crop of another recipe or size, and ModelUnavailable if the net gives
        a number that is not finite.
        """
        for crop in crops:
            if crop.recipe != self.row.recipe or crop.pixels.shape[0] != self.row.side:
                raise ModelMismatch(
                    f"{self.row.model.name} needs crops {self.row.recipe}, got {crop.recipe}; "
                    "cut the face with the recipe of its embedder"
                )
        parts = [
            self._embed_batch(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)
        ]
        if not parts:
            return np.zeros((0, self.row.dims), np.float32), np.zeros(0, np.float32)
        vectors, lengths = zip(*parts, strict=True)
        return np.concatenate(vectors), np.concatenate(lengths)

    def _embed_batch(self, crops: Sequence[Crop]) -> tuple[FloatArray, FloatArray]:
        stacked = np.stack([crop.pixels for crop in crops])  # (n, side, side, 3)
        vectors, lengths = self._run_net(stacked)
        if self.flip_average:
            vectors = unit_rows(vectors + self._run_net(stacked[:, :, ::-1])[0])
        return vectors, lengths

    def _run_net(self, stacked: ByteArray) -> tuple[FloatArray, FloatArray]:
        pixels = np.ascontiguousarray(stacked.transpose(0, 3, 1, 2), dtype=np.float32)
        output = self._net(pixels).reshape(len(stacked), -1)
        lengths: FloatArray = np.linalg.norm(output, axis=1).astype(np.float32)
        return unit_rows(output), lengths
