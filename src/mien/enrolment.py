"""Photos of one person -> a template, or a clear no that names the photo.

Every photo must show exactly one face, and all the same person's. A photo that is
nearly the same as an earlier one is skipped, and that is said.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.errors import EnrolmentRefused, MienError, NoFaceFound, SeveralFacesFound, UsageError
from mien.images import Source, read_image
from mien.photos import shown
from mien.pipeline import Pipeline
from mien.policy import consistency, near_duplicates
from mien.quality import Quality, measure
from mien.results import Crop, Face, FloatArray, Template

Progress = Callable[[Sequence[Source]], Iterable[Source]]


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledPhoto:
    """One photo that went into the template.

    leave_one_out: cosine to the centre of the other photos, None for a single one.
    """

    name: str
    face: Face = field(repr=False)
    quality: Quality
    leave_one_out: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """A template and what is to be said about it. skipped: (photo, the photo that it repeats)."""

    template: Template
    photos: tuple[EnrolledPhoto, ...]
    skipped: tuple[tuple[str, str], ...]

    @property
    def advice(self) -> tuple[str, ...]:
        """What would make the template better, a line each."""
        lines = [f"{p.name}: {words}" for p in self.photos for words in p.quality.advice]
        if len(self.photos) == 1:
            lines.append("one photo only: two to four more, in other light, make it surer")
        return tuple(lines)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    name: str
    face: Face
    crop: Crop


def enrol_photos(
    photos: Sequence[Source],
    pipeline: Pipeline,
    *,
    onto: Template | None = None,
    progress: Progress = lambda photos: photos,
) -> Enrolment:
    """Make a template of these photos, on top of an earlier one if given.

    photos: paths, bytes, PIL images or arrays, at least one. progress: wraps the
    list while it is walked, for a progress bar. Raises UnreadableImage,
    NoFaceFound, SeveralFacesFound or EnrolmentRefused, each naming the photo;
    nothing is stored here, so nothing is lost by a refusal.
    """
    if len(photos) == 0:
        raise UsageError("no photos to enrol; name at least one picture")
    seen = [_look(photo, at, pipeline) for at, photo in enumerate(progress(photos))]
    new = pipeline.embed([one.crop for one in seen])
    old = np.zeros((0, new.shape[1]), np.float32) if onto is None else onto.vectors
    vectors = np.concatenate([old, new])
    names = ["an earlier photo"] * len(old) + [one.name for one in seen]

    # duplicates among photos that are in already stay; only new ones can be skipped
    twins = {row: twin for row, twin in near_duplicates(vectors) if row >= len(old)}
    skipped = tuple((names[row], names[twin]) for row, twin in twins.items())
    kept = [row for row in range(len(vectors)) if row not in twins]
    left_out = _agreeing(vectors[kept], [names[row] for row in kept], pipeline)
    enrolled = []
    for row, similarity in zip(kept, left_out, strict=True):
        if row >= len(old):
            one = seen[row - len(old)]
            quality = measure(one.face, one.crop)
            enrolled.append(EnrolledPhoto(one.name, one.face, quality, similarity))
    return Enrolment(Template(vectors[kept], pipeline.model), tuple(enrolled), skipped)


def _look(photo: Source, at: int, pipeline: Pipeline) -> _Seen:
    name = shown(photo) if isinstance(photo, (str, os.PathLike)) else f"photo {at + 1}"
    image = read_image(photo)
    try:
        face = pipeline.door_face(image)
    except (NoFaceFound, SeveralFacesFound) as error:
        raise _named(error, name) from error
    return _Seen(name, face, pipeline.crop(image, face))


def _named(error: MienError, name: str) -> MienError:
    return type(error)(f"{name}: {error}")


def _agreeing(vectors: FloatArray, names: list[str], pipeline: Pipeline) -> list[float | None]:
    """Leave-one-out similarity of each photo; EnrolmentRefused if they show different people."""
    agreement = consistency(vectors, pipeline.threshold)
    if agreement.strangers:
        culprits = ", ".join(names[row] for row in agreement.strangers)
        raise EnrolmentRefused(
            f"these photos do not show one person: {culprits} "
            f"(similarity to the others under {pipeline.threshold.value:.2f}); "
            "leave out the photos of somebody else"
        )
    return [*agreement.leave_one_out] or [None] * len(names)
