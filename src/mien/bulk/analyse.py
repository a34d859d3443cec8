"""The photos of a task, in a worker process: the hash, the face and the embedding of each."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from mien.app.batch_pipeline import BatchPipeline, open_batch_pipeline
from mien.app.pipeline import Pipeline, open_pipeline
from mien.errors import NoFaceFound, Outcome, SeveralFacesFound, UnreadableImage, quote_path
from mien.faces.batch import PIXELS_IN_PROGRESS
from mien.media.file_bytes import read_path
from mien.media.image_file import read_image
from mien.results import ByteArray
from mien.settings import GPU_ENGINES, Settings

Content: TypeAlias = "str | bytes | ByteArray"
"""A whole path, the bytes of an image file, or pixels (H, W, 3) uint8 RGB."""

Analyse = Callable[[Sequence[tuple[str, Content]]], Iterator[tuple[object, ...]]]
"""Gives for each (name, content) of a task, in their order, what `photo_from_plain` takes.

It may compute several photos of a task at once.
"""


def load_analysis(settings: Settings, model: str, *, carefully: bool) -> Analyse:
    """Load the models. ModelMissing and ModelAltered as `open_pipeline` raises them."""
    if settings.engine in GPU_ENGINES:
        return functools.partial(analyse_together, open_batch_pipeline(settings, model), carefully)
    return functools.partial(_analyse_each, open_pipeline(settings, model), carefully)


def _analyse_each(
    pipeline: Pipeline, carefully: bool, photos: Sequence[tuple[str, Content]]
) -> Iterator[tuple[object, ...]]:
    """One at a time: a CPU needs no less time for each of several crops, and more memory."""
    for name, content in photos:
        yield _analyse(pipeline, carefully, *_read(name, content))


def analyse_together(
    batch: BatchPipeline, carefully: bool, photos: Sequence[tuple[str, Content]]
) -> Iterator[tuple[object, ...]]:
    """Several at once, as a graphics card needs it. Reads photos of `PIXELS_IN_PROGRESS` ahead."""
    due: list[tuple[str, ByteArray | UnreadableImage]] = []
    pixels = 0
    for name, content in photos:
        sha256, image = _read(name, content)
        due.append((sha256, image))
        pixels += 0 if isinstance(image, UnreadableImage) else image.shape[0] * image.shape[1]
        if pixels >= PIXELS_IN_PROGRESS:
            yield from _analyse_group(batch, carefully, due)
            due, pixels = [], 0
    yield from _analyse_group(batch, carefully, due)


def _analyse_group(
    batch: BatchPipeline,
    carefully: bool,
    photos: Sequence[tuple[str, ByteArray | UnreadableImage]],
) -> Iterator[tuple[object, ...]]:
    calls = [functools.partial(_analyse, batch.pipeline, carefully, *one) for one in photos]
    for found in batch.run(calls):
        if isinstance(found, Exception):
            raise found
        yield found


def _read(name: str, content: Content) -> tuple[str, ByteArray | UnreadableImage]:
    """The hash of the bytes, empty for none, and the pixels or why there are none."""
    sha256 = ""
    try:
        if isinstance(content, str):
            content = read_path(content)
        if isinstance(content, bytes):
            sha256 = hashlib.sha256(content).hexdigest()
        return sha256, read_image(content, name=quote_path(name))
    except UnreadableImage as error:
        return sha256, error


def _analyse(
    pipeline: Pipeline, carefully: bool, sha256: str, image: ByteArray | UnreadableImage
) -> tuple[object, ...]:
    if isinstance(image, UnreadableImage):
        return _without_face(sha256, 0, image.outcome, str(image))
    try:
        return _embed(pipeline, carefully, image, sha256)
    except NoFaceFound as error:
        return _without_face(sha256, 0, error.outcome, str(error))
    except SeveralFacesFound as error:
        # a turn of the photo, or the photo as it is
        faces = max(2, len(pipeline.door_faces(image)))
        return _without_face(sha256, faces, error.outcome, str(error))


def _embed(
    pipeline: Pipeline, carefully: bool, image: ByteArray, sha256: str
) -> tuple[object, ...]:
    """carefully: as a photo that is enrolled, else as one of an attempt to unlock."""
    if carefully:
        found = pipeline.find_face(image, carefully=True)
        crop = pipeline.crop(found.image_rgb, found.face)
        vectors, all_faults = pipeline.embed_carefully([found], [crop])
        face, vector, faults = found.face_as_read, vectors[0], all_faults[0]
    else:
        probe = pipeline.embed_probe(image)
        face, vector, faults = probe.face, probe.vector, probe.faults
    ok = Outcome.OK.value
    return sha256, face.box_xyxy, face.points_xy, face.score, vector, faults, 1, ok, ""


def _without_face(sha256: str, faces: int, outcome: Outcome, error: str) -> tuple[object, ...]:
    return sha256, None, None, 0.0, None, (), faces, outcome.value, error
