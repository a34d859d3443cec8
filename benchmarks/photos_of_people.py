"""A folder of people as embeddings, for the benchmarks of decisions; kept in mien's own cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.lab.evaluate.embeddings import embed_photos
from mien.lab.evaluate.protocols import read_people
from mien.settings import load_settings, usable_cores

Array = np.ndarray


def embedded_people(folder: Path) -> tuple[Array, Array, Array]:
    """Of every photo with a face near its centre: embedding, mirror image's, and who it is."""
    people = read_people(folder)
    found = embed_photos(
        people.photos,
        settings=load_settings(),
        model="sface",
        choice="centre",
        workers=usable_cores(),
    )
    kept = np.flatnonzero(found.acquired)
    return found.plain[kept], found.mirrored[kept], people.person[kept]
