"""A known-answer test for embedders: fixed crops, and the embeddings of the published net.

The answers in `known_answers/NAME.npy` were computed once, with torch, by facenet-pytorch's
own module with the same weights. A graph that gives them is the published net, whichever
way it was converted; torch is not needed to compare.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.results import FloatArray

PATCHES = (1, 8, 20, 40)  # pixels: noise, and patches as large as eyes, noses and cheeks


def known_crops(side: int) -> FloatArray:
    """(4, 3, side, side) float32 RGB, 0..255. `side`: a multiple of 40, pixels.

    Made by whole-number arithmetic, so that they are the same with every numpy.
    """
    crops = []
    for patch in PATCHES:
        row, column, channel = np.ogrid[0 : side // patch, 0 : side // patch, 0:3]
        # Knuth's multiplicative hash of the place, in 32 bits ("The Art of Computer
        # Programming", volume 3, 6.4)
        place = (row * 7919 + column * 104_729 + channel * 15_485_863 + patch).astype(np.uint64)
        mixed = (place * np.uint64(2_654_435_761)) % np.uint64(1 << 32)
        small = (mixed >> np.uint64(24)).astype(np.float32).transpose(2, 0, 1)
        crops.append(np.kron(small, np.ones((patch, patch), np.float32)))
    return np.stack(crops)


def known_embeddings(name: str) -> FloatArray:
    """(4, d) float32 unit rows: the answers for `known_crops`, for the row of this name."""
    path = Path(__file__).parent / "known_answers" / f"{name}.npy"
    answers: FloatArray = np.load(path, allow_pickle=False)
    return answers
