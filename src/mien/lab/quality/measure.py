"""Measure the photos of a folder of people, and degraded copies of each person's first photo."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.app.pipeline import Pipeline, open_pipeline
from mien.errors import NoFaceFound, SeveralFacesFound, UnreadableImage, UsageError
from mien.faces.quality.measures import (
    CROP_MEASURES,
    EMBEDDER_MEASURES,
    FACE_MEASURES,
    measure_face,
)
from mien.lab.evaluate.protocols import read_people
from mien.lab.quality.degrade import HARMFUL, HARMLESS
from mien.lab.quality.fit import MeasuredPhotos
from mien.media.image_file import read_image
from mien.results import ByteArray, Crop, FloatArray
from mien.settings import Settings

NAMES = (*CROP_MEASURES, *FACE_MEASURES, *EMBEDDER_MEASURES)
MIN_PEOPLE = 60  # of fewer, the clean strangers say nothing
CLEAN_OF_EACH = 2  # photos of a person whose photos are not degraded
HARMLESS_OF_EACH = 2  # of the harmless changes, for each person


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    kind: str
    person: int
    values: list[float]
    vector: FloatArray = field(repr=False)


def measure_folder(folder: Path, people: int, settings: Settings) -> MeasuredPhotos:
    """Measure a folder of people: two photos of each as they are, and degraded copies of some.

    people: of so many, the first, the first photo is degraded. UsageError for fewer than
    `MIN_PEOPLE`. Photos without a face are left out.
    """
    found = read_people(folder)
    everybody = np.unique(found.person).tolist()
    degraded = len(everybody[:people])
    if degraded < MIN_PEOPLE:
        raise UsageError(f"{degraded} people are too few; give {MIN_PEOPLE} or more")
    pipeline = open_pipeline(settings)
    rows: list[_Row] = []
    for at, person in enumerate(everybody):
        photos = [found.photos[row] for row in np.flatnonzero(found.person == person)]
        if at < degraded:
            rows += _rows_of_person(person, photos, pipeline)
        else:
            rows += _clean_rows(person, photos[:CLEAN_OF_EACH], pipeline)
    return MeasuredPhotos(
        NAMES,
        np.array([row.values for row in rows], np.float64).reshape(-1, len(NAMES)),
        np.array([row.kind for row in rows]),
        np.array([row.person for row in rows], np.int64),
        np.array([row.vector for row in rows], np.float32).reshape(-1, pipeline.embedder.row.dims),
    )


def _clean_rows(person: int, photos: Sequence[Path], pipeline: Pipeline) -> Iterator[_Row]:
    for photo in photos:
        with suppress(UnreadableImage):
            yield from _measured("clean", person, read_image(photo), pipeline)


def _rows_of_person(person: int, photos: Sequence[Path], pipeline: Pipeline) -> Iterator[_Row]:
    try:
        image = read_image(photos[0])
        face = pipeline.door_face(image)
    except (UnreadableImage, NoFaceFound, SeveralFacesFound):
        return
    yield from _measured("clean", person, image, pipeline)
    harmless = list(HARMLESS)
    first = person * HARMLESS_OF_EACH
    chosen = [harmless[(first + step) % len(harmless)] for step in range(HARMLESS_OF_EACH)]
    for kind in (*HARMFUL, *chosen):
        rng = np.random.default_rng([person, zlib.crc32(kind.encode())])
        change = HARMFUL.get(kind) or HARMLESS[kind]
        yield from _measured(kind, person, change(image, face, rng), pipeline)


def _measured(kind: str, person: int, image: ByteArray, pipeline: Pipeline) -> Iterator[_Row]:
    """One row, or none for a photo without a face."""
    try:
        found = pipeline.find_face(np.ascontiguousarray(image), carefully=True)
        crop = pipeline.crop(found.image_rgb, found.face)
    except (NoFaceFound, SeveralFacesFound):
        return
    mirrored = Crop(crop.pixels[:, ::-1], crop.recipe)
    vectors, lengths = pipeline.embedder.embed_with_lengths([crop, mirrored])
    measures = measure_face(found.face, crop)
    measures["vector_length"] = float(lengths[0])
    measures["mirror_cosine"] = float(vectors[0] @ vectors[1])
    yield _Row(kind, person, [measures[name] for name in NAMES], vectors[0])
