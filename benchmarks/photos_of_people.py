"""Embed a folder of people, for the benchmarks of decisions; embeddings are cached by mien."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.lab.evaluate.embeddings import embed_photos
from mien.lab.evaluate.protocols import read_people
from mien.settings import load_settings, usable_cores

Array = np.ndarray


def embed_people(folder: Path) -> tuple[Array, Array, Array]:
    """For each photo with a face: its embedding, that of its mirror image, and its person's row."""
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
