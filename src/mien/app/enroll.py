"""Photos of one person -> a template, or a clear no that names the photo.

Every photo must show exactly one face, and all the same person's. A photo that is
nearly the same as an earlier one is skipped, and that is said.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mien.app.pipeline import Pipeline
from mien.errors import (
    EnrollmentRefused,
    MienError,
    NoFaceFound,
    SeveralFacesFound,
    UsageError,
    quote_path,
)
from mien.faces.quality import Quality, measure_quality
from mien.matching.policy import PLAIN_SPACE, VectorSpace, consistency, look_alikes, near_duplicates
from mien.media.image_file import ImageSource, read_image
from mien.results import Crop, Face, FloatArray, Template
from mien.vectors import centre_of

Progress = Callable[[Sequence[ImageSource]], Iterable[ImageSource]]


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
class Enrollment:
    """A template and what is to be said about it. skipped: (photo, the photo that it repeats).

    expectation: how often the owner will be refused, in words; empty without evidence.
    look_alikes: (user, cosine of the centres) of enrolled people who may be taken for this one.
    closest_stranger: similarity of the nearest of the model's cohort of strangers; margin: how
    far under its threshold that is. None without a cohort. not_compared: why nobody else who
    is enrolled was looked at; empty if they were.
    """

    template: Template
    photos: tuple[EnrolledPhoto, ...]
    skipped: tuple[tuple[str, str], ...]
    expectation: str = ""
    look_alikes: tuple[tuple[str, float], ...] = ()
    closest_stranger: float | None = None
    margin: float | None = None
    not_compared: str = ""

    @property
    def advice(self) -> tuple[str, ...]:
        """What would make the template better, a line each."""
        lines = [f"{p.name}: {words}" for p in self.photos for words in p.quality.advice]
        if len(self.template.vectors) == 1:
            lines.append("one photo only: two to four more, in other light, make it surer")
        lines += [
            f"looks like {user}, who is enrolled ({cosine:.3f}): either may open the other's door"
            for user, cosine in self.look_alikes
        ]
        if self.margin is not None and self.margin <= 0:
            lines.append(
                f"a stranger of the cohort scores {self.closest_stranger:.3f} and would get in:"
                " more photos in other light, or a lower --target-fmr, make the door stricter"
            )
        if self.not_compared:
            lines.append(f"look-alikes among the enrolled were not checked: {self.not_compared}")
        return tuple(lines)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    name: str
    face: Face
    crop: Crop


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedPhotos:
    """What the photos showed, before any stored template is known.

    vectors: (k, d) float32 unit rows, a row for each photo. Never print them.
    """

    vectors: FloatArray = field(repr=False)
    seen: tuple[_Seen, ...] = field(repr=False)

    def protected(self, space: VectorSpace) -> AnalysedPhotos:
        """The same photos with their vectors mapped into the space of the stored templates."""
        return replace(self, vectors=space.protect(self.vectors))


def enroll_photos(
    photos: Sequence[ImageSource],
    pipeline: Pipeline,
    *,
    onto: Template | None = None,
    progress: Progress = lambda photos: photos,
) -> Enrollment:
    """Make a template of these photos, on top of an earlier one if given.

    `analyse_photos` and then `merge`: see there for the arguments and the errors.
    Nothing is stored here, so nothing is lost by a refusal.
    """
    return merge(analyse_photos(photos, pipeline, progress=progress), pipeline, onto=onto)


def analyse_photos(
    photos: Sequence[ImageSource],
    pipeline: Pipeline,
    *,
    progress: Progress = lambda photos: photos,
) -> AnalysedPhotos:
    """Read, search, cut and embed: the slow part, which needs no stored template.

    photos: paths, bytes, PIL images or arrays, at least one. progress: wraps the
    list while it is walked, for a progress bar. Raises UnreadableImage, NoFaceFound
    or SeveralFacesFound, each naming the photo.
    """
    if len(photos) == 0:
        raise UsageError("no photos to enroll; name at least one picture")
    seen = tuple(_look(photo, at, pipeline) for at, photo in enumerate(progress(photos)))
    return AnalysedPhotos(pipeline.embed([one.crop for one in seen]), seen)


def merge(
    looked: AnalysedPhotos, pipeline: Pipeline, *, onto: Template | None = None
) -> Enrollment:
    """Join the photos to an earlier template, or make a new one: fast, and reads no picture.

    onto: in the same space as looked.vectors. Raises EnrollmentRefused when the photos
    do not show one person.
    """
    new = looked.vectors
    old = np.zeros((0, new.shape[1]), np.float32) if onto is None else onto.vectors
    vectors = np.concatenate([old, new])
    names = ["an earlier photo"] * len(old) + [one.name for one in looked.seen]

    # duplicates among photos that are in already stay; only new ones can be skipped
    twins = {row: twin for row, twin in near_duplicates(vectors) if row >= len(old)}
    skipped = tuple((names[row], names[twin]) for row, twin in twins.items())
    kept = [row for row in range(len(vectors)) if row not in twins]
    left_out = _agreeing(vectors[kept], [names[row] for row in kept], pipeline)
    enrolled = []
    for row, similarity in zip(kept, left_out, strict=True):
        if row >= len(old):
            one = looked.seen[row - len(old)]
            quality = measure_quality(one.face, one.crop)
            enrolled.append(EnrolledPhoto(one.name, one.face, quality, similarity))
    template = Template(vectors[kept], pipeline.model)
    words = pipeline.expectation(photos=len(kept))
    return Enrollment(template, tuple(enrolled), skipped, words)


class Neighbours:
    """Everybody who is enrolled, to find those whom a template resembles. For many questions.

    templates: user -> template. space: that they lie in, and the templates asked about.
    """

    def __init__(
        self,
        templates: Mapping[str, Template],
        pipeline: Pipeline,
        space: VectorSpace = PLAIN_SPACE,
    ) -> None:
        self._pipeline = pipeline
        self._space = space
        self._users = tuple(templates)
        centres = [centre_of(template.vectors) for template in templates.values()]
        none = np.zeros((0, pipeline.embedder.row.dims), np.float32)
        self._plain = space.reveal(np.stack(centres)) if centres else none  # as the cohort is
        self._shifts = pipeline.shifts(self._plain)

    def warn(self, enrollment: Enrollment, *, user: str) -> Enrollment:
        """The same enrollment, with the stranger and those who look most like it.

        user: whose template it is; somebody of that name is left out.
        """
        vectors = enrollment.template.vectors
        threshold = self._pipeline.threshold_for(photos=len(vectors))
        ours = self._space.reveal(centre_of(vectors)[np.newaxis])
        shifts = self._shifts + self._pipeline.shifts(ours)
        found = look_alikes(self._users, self._plain @ ours[0], shifts, threshold)
        others = tuple(one for one in found if one[0] != user)
        known = replace(enrollment, look_alikes=others)
        stranger = self._pipeline.closest_stranger(ours[0])
        if stranger is None:
            return known
        similarity, shift = stranger
        margin = threshold.moved(shift).value - similarity
        return replace(known, closest_stranger=similarity, margin=margin)


def _look(photo: ImageSource, at: int, pipeline: Pipeline) -> _Seen:
    name = quote_path(photo) if isinstance(photo, (str, os.PathLike)) else f"photo {at + 1}"
    image = read_image(photo)
    try:
        face = pipeline.door_face(image)
    except (NoFaceFound, SeveralFacesFound) as error:
        raise _named(error, name) from error
    return _Seen(name, face, pipeline.crop(image, face))


def _named(error: MienError, name: str) -> MienError:
    return type(error)(f"{name}: {error}")


def _agreeing(vectors: FloatArray, names: list[str], pipeline: Pipeline) -> list[float | None]:
    """Leave-one-out similarity of each photo; EnrollmentRefused if they show different people."""
    agreement = consistency(vectors, pipeline.threshold)
    if agreement.strangers:
        culprits = ", ".join(names[row] for row in agreement.strangers)
        raise EnrollmentRefused(
            f"these photos do not show one person: {culprits} "
            f"(similarity to the others under {pipeline.threshold.value:.2f}); "
            "leave out the photos of somebody else"
        )
    return [*agreement.leave_one_out] or [None] * len(names)
