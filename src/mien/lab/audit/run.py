"""How far a photo can be changed before its owner is refused or a stranger accepted.

The whole photo is changed, as a camera would see it. Then its face is found, cropped and
embedded as for unlocking. `statistics` says what is compared with what, `steps` what is
done to the photos.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, SeveralFacesFound, UnreadableImage, UsageError
from mien.faces.embed import Embedder
from mien.lab.audit.statistics import (
    ChangeFigures,
    FlipGain,
    compare_vectors,
    make_references,
    measure_change,
    measure_flip_gain,
    pair_cosines,
)
from mien.lab.audit.steps import STEPS
from mien.lab.explore.folder import PhotoProgress
from mien.lab.people_layout import warn_of_mixed
from mien.lab.plots.style import resized
from mien.media.image_file import read_image
from mien.media.photo_paths import find_people_photos
from mien.results import ByteArray, Crop, FloatArray, Threshold

MAX_SIDE_PX = 1600  # a camera gives no more, and fifty copies of a phone's photo take long


@dataclass(frozen=True, slots=True)
class ModelAudit:
    """One embedder's figures. unchanged: of unchanged photos. steps: one for each of `STEPS`.

    threshold: for a template of one photo, before cohort score normalisation.
    """

    model: str
    threshold: Threshold
    unchanged: ChangeFigures
    steps: tuple[ChangeFigures, ...]
    gain: FlipGain


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found. left_out: (file name, outcome) of photos without one face as they are.

    people, photos: how many took part. single: people of one photo, which is compared
    with itself. mixed: a warning for each folder that may hold several people.
    """

    people: int
    photos: int
    single: int
    left_out: tuple[tuple[str, str], ...]
    models: tuple[ModelAudit, ...]
    mixed: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class _Vectors:
    """An embedder's vectors, a row per photo.

    steps: (1 + steps, d) each, the unchanged photo first, NaN where no face was found.
    averaged: (2, d) each, the photo and its mirror image, flip-averaged.
    """

    steps: list[FloatArray] = field(default_factory=list)
    averaged: list[FloatArray] = field(default_factory=list)


def run_audit(
    root: Path,
    pipelines: Sequence[Pipeline],
    rng: np.random.Generator,
    *,
    progress: PhotoProgress = lambda photos: photos,
) -> Audit:
    """Audit each pipeline's embedder on a folder of people; faces are found by the first.

    A photo that cannot be read or has no single face is left out and listed. Raises
    UsageError for a folder without people, and if no photo is left.
    """
    collected = [_Vectors() for _ in pipelines]
    people, left_out = [], []
    for path, person in progress(find_people_photos(root)):
        try:
            crops = _crop_all(limit_size(read_image(path)), pipelines, rng)
        except (UnreadableImage, NoFaceFound, SeveralFacesFound) as error:
            left_out.append((path.name, error.outcome.value))
            continue
        people.append(person)
        for one, pipeline, its_crops in zip(collected, pipelines, crops, strict=True):
            _embed_into(one, pipeline, its_crops)
    if not people:
        raise UsageError(f"no face found in the {len(left_out)} photos; choose another folder")
    return Audit(
        people=len(set(people)),
        photos=len(people),
        single=sum(people.count(person) == 1 for person in set(people)),
        left_out=tuple(left_out),
        models=tuple(
            _model_audit(one, pipeline, people)
            for one, pipeline in zip(collected, pipelines, strict=True)
        ),
        mixed=tuple(
            warn_of_mixed(
                people, np.stack([one[0] for one in collected[0].steps]), pipelines[0].matcher
            )
        ),
    )


def limit_size(image: ByteArray) -> ByteArray:
    """The photo, shrunk if its longer side is over `MAX_SIDE_PX`."""
    height, width = image.shape[:2]
    scale = MAX_SIDE_PX / max(height, width)
    return image if scale >= 1 else resized(image, round(width * scale), round(height * scale))


def _crop_all(
    image: ByteArray, pipelines: Sequence[Pipeline], rng: np.random.Generator
) -> list[list[Crop | None]]:
    """For each pipeline, the crop of the photo and those of all its changes, in order.

    None where no single face is found. Raises NoFaceFound or SeveralFacesFound if that
    is so for the photo as it is.
    """
    first = _crop(image, pipelines)  # before fifty changes are tried
    changed = [_crop_or_none(step.apply(image, rng), pipelines) for step in STEPS]
    return [[first[at], *(cut[at] for cut in changed)] for at in range(len(pipelines))]


def _crop_or_none(
    image: ByteArray, pipelines: Sequence[Pipeline]
) -> Sequence[Crop] | Sequence[None]:
    try:
        return _crop(image, pipelines)
    except (NoFaceFound, SeveralFacesFound):
        return [None] * len(pipelines)


def _crop(image: ByteArray, pipelines: Sequence[Pipeline]) -> list[Crop]:
    face = pipelines[0].door_face(image)
    try:
        return [pipeline.crop(image, face) for pipeline in pipelines]
    except ValueError as error:  # points that fall together, or a box outside the photo
        raise NoFaceFound("the face cannot be cropped; choose another photo") from error


def _embed_into(collected: _Vectors, pipeline: Pipeline, crops: Sequence[Crop | None]) -> None:
    collected.steps.append(_vectors(_embedder(pipeline, flip_average=False), crops))
    # the first two: the photo, and `STEPS` starts with its mirror image
    collected.averaged.append(_vectors(_embedder(pipeline, flip_average=True), crops[:2]))


def _embedder(pipeline: Pipeline, *, flip_average: bool) -> Embedder:
    """The pipeline's embedder with averaging on or off; both share one loaded net."""
    twin = copy.copy(pipeline.embedder)
    twin.flip_average = flip_average
    return twin


def _vectors(embedder: Embedder, crops: Sequence[Crop | None]) -> FloatArray:
    """(n, d) float32, NaN where there is no crop."""
    vectors = np.full((len(crops), embedder.row.dims), np.nan, np.float32)
    there = [row for row, crop in enumerate(crops) if crop is not None]
    vectors[there] = embedder.embed([crop for crop in crops if crop is not None])
    return vectors


def _model_audit(collected: _Vectors, pipeline: Pipeline, people: Sequence[str]) -> ModelAudit:
    steps = np.stack(collected.steps, axis=1)  # (1 + steps, n, d)
    averaged = np.stack(collected.averaged, axis=1)  # (2, n, d)
    matcher, originals = pipeline.matcher, steps[0]
    references = make_references(originals, people)
    figures = [
        measure_change(
            pair_cosines(vectors, originals),
            *compare_vectors(vectors, references, matcher),
            itself=references.itself,
        )
        for vectors in steps
    ]
    gain = measure_flip_gain(originals, averaged[0], averaged[1], people, matcher)
    threshold = matcher.threshold_for(photos=1)
    return ModelAudit(pipeline.model.name, threshold, figures[0], tuple(figures[1:]), gain)
