"""Photos of one person -> a template, stored in the vault.

Every photo must show exactly one face, and all the same person's; an error names the photo. A
photo that is nearly the same as an earlier one is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from mien.app.enrollment import EnrolledPhoto, Enrollment
from mien.app.face_search import FoundFace
from mien.app.match_word import match_word
from mien.app.neighbours import neighbours_in
from mien.app.pipeline import Pipeline
from mien.app.replacement import check_replacement
from mien.app.thumbnail import make_thumbnail
from mien.errors import (
    EnrollmentRefused,
    MienError,
    NoFaceFound,
    SeveralFacesFound,
    UnreadableImage,
    UsageError,
    VaultDamaged,
    quote_path,
)
from mien.faces.quality.advice import measure_quality
from mien.matching.policy import PLAIN_SPACE, VectorSpace, near_duplicates
from mien.media.image_file import ImageSource, read_image
from mien.results import Crop, FloatArray, Template
from mien.vault import (
    Record,
    already_enrolled,
    check_user_name,
    pack_template,
    unpack_template,
    utc_stamp,
)

if TYPE_CHECKING:
    from mien.vault.records.record import LivenessHistory
    from mien.vault.rotated_space import SpaceOf
    from mien.vault.vault import Vault

Clock = Callable[[], datetime]
Mode = Literal["new", "replace", "add", "replace_person"]
SourceProgress = Callable[[Sequence[ImageSource]], Iterable[ImageSource]]
MaySkip = Callable[[ImageSource], bool]
"""Whether a photo that cannot be used is left out, instead of refusing all."""


def skip_none(photo: ImageSource) -> bool:
    """Refuse all photos for one that cannot be used."""
    return False


def enroll(
    user: str,
    photos: Sequence[ImageSource],
    *,
    pipeline: Pipeline,
    vault: Vault,
    mode: Mode,
    clock: Clock,
    progress: SourceProgress = lambda photos: photos,
    may_skip: MaySkip = skip_none,
    liveness: LivenessHistory | None = None,
    keep_picture: bool = False,
) -> Enrollment:
    """Make a template and store it, or on any error nothing.

    mode: new refuses an enrolled name (AlreadyEnrolled), replace drops earlier photos if the new
    ones show the same face (AnotherFace), replace_person in any case, add keeps them. keep_picture:
    seal a thumbnail. Raises too what `enroll_photos` does.
    """
    user = check_user_name(user)
    if mode == "new" and vault.holds(user):  # checked again below
        raise already_enrolled(user)
    analysed = keep_good(analyse_photos(photos, pipeline, progress=progress, may_skip=may_skip))
    merge(analysed, pipeline)  # photos of two people are refused before the vault is touched
    if mode == "replace":
        check_replacement(user, analysed.vectors, vault, pipeline)
    picture = make_thumbnail(analysed.photos[0].crop) if keep_picture else b""
    made: list[Enrollment] = []

    def make(stored: Record | None, space_of: SpaceOf) -> Record:
        if stored is not None and mode == "new":
            raise already_enrolled(user)
        onto = unpack_template(stored.payload, expected_model=pipeline.model) if stored else None
        made.append(merge(analysed, pipeline, onto=onto, space=space_of(pipeline.model)))
        packed, at = pack_template(made[-1].template), utc_stamp(clock())
        new = Record(user, pipeline.model, at, packed, liveness, thumbnail=picture)
        return _with_earlier(new, stored)

    vault.update(user, make, replace=mode.startswith("replace"))  # the way out of damage
    return _compare_with_others(user, made[-1], vault, pipeline)


def _with_earlier(new: Record, earlier: Record | None) -> Record:
    """With what is kept of the earlier record when photos are added."""
    if earlier is None:
        return new
    liveness = earlier.liveness
    if new.liveness is not None:
        liveness = new.liveness.merged_with(earlier.liveness)
    thumbnail = new.thumbnail or earlier.thumbnail
    return replace(
        new,
        liveness=liveness,
        unlocks=earlier.unlocks,
        thumbnail=thumbnail,
        follows=earlier.follows,
        kept=earlier.kept,
    )


def _compare_with_others(
    user: str, enrollment: Enrollment, vault: Vault, pipeline: Pipeline
) -> Enrollment:
    """Add the warnings; if somebody's record is damaged, the reason why there are none."""
    try:
        neighbours, _ = neighbours_in(vault, pipeline.matcher)
        return neighbours.add_warnings(enrollment, user=user)
    except VaultDamaged as error:
        return replace(enrollment, not_compared=str(error))


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedPhoto:
    """The face on one photo.

    name: how messages name the photo. is_optional: it is left out where it cannot be used.
    """

    name: str
    found: FoundFace
    crop: Crop
    is_optional: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedPhotos:
    """The faces and embeddings of the photos, before any stored template is known.

    vectors: (k, d) float32 plain unit rows, a row for each photo. Never print them.
    left_out: why each photo that was skipped cannot be used; names the photo.
    faults: of each photo, what puts it outside the calibrated quality; empty for a good one.
    """

    vectors: FloatArray = field(repr=False)
    photos: tuple[AnalysedPhoto, ...] = field(repr=False)
    left_out: tuple[str, ...] = ()
    faults: tuple[tuple[str, ...], ...] = ()


def enroll_photos(
    photos: Sequence[ImageSource],
    pipeline: Pipeline,
    *,
    onto: Template | None = None,
    progress: SourceProgress = lambda photos: photos,
) -> Enrollment:
    """Make a template of these photos, on top of an earlier one if given.

    `analyse_photos`, `keep_good` and then `merge`: see there for the arguments and the errors.
    Nothing is stored here, so nothing is lost by a refusal.
    """
    analysed = keep_good(analyse_photos(photos, pipeline, progress=progress))
    return merge(analysed, pipeline, onto=onto)


def analyse_photos(
    photos: Sequence[ImageSource],
    pipeline: Pipeline,
    *,
    progress: SourceProgress = lambda photos: photos,
    may_skip: MaySkip = skip_none,
) -> AnalysedPhotos:
    """Read, detect, crop and embed: the slow part, which needs no stored template.

    photos: paths, bytes, PIL images or arrays, at least one. progress: wraps the
    list while it is walked, for a progress bar. may_skip: which photos are left out where they
    cannot be used. Raises UnreadableImage, NoFaceFound or SeveralFacesFound, each naming the
    photo, for another photo, and where none is left.
    """
    if len(photos) == 0:
        raise UsageError("no photo given; give at least one")
    faces: list[AnalysedPhoto] = []
    errors: list[MienError] = []
    for at, photo in enumerate(progress(photos)):
        is_optional = may_skip(photo)
        try:
            faces.append(_analyse(photo, at, pipeline, is_optional=is_optional))
        except (UnreadableImage, NoFaceFound, SeveralFacesFound) as error:
            if not is_optional:
                raise
            errors.append(error)
    if not faces:
        raise errors[0]
    vectors, faults = pipeline.embed_carefully(
        [one.found for one in faces], [one.crop for one in faces]
    )
    left_out = tuple(str(error) for error in errors)
    return AnalysedPhotos(vectors, tuple(faces), left_out, tuple(faults))


def keep_good(analysed: AnalysedPhotos) -> AnalysedPhotos:
    """The photos of the calibrated quality. EnrollmentRefused, with what to do, for others.

    An optional photo is left out instead, unless no photo would be left.
    """
    good = [row for row, faults in enumerate(analysed.faults) if not faults]
    poor = [
        (photo, f"{photo.name}: {'; '.join(faults)}")
        for photo, faults in zip(analysed.photos, analysed.faults, strict=True)
        if faults
    ]
    if not good or not all(photo.is_optional for photo, _ in poor):
        refused = ", ".join(words for photo, words in poor if not (good and photo.is_optional))
        raise EnrollmentRefused(f"outside the quality that can be enrolled safely: {refused}")
    return AnalysedPhotos(
        analysed.vectors[good],
        tuple(analysed.photos[row] for row in good),
        (*analysed.left_out, *(words for _, words in poor)),
        ((),) * len(good),
    )


def merge(
    analysed: AnalysedPhotos,
    pipeline: Pipeline,
    *,
    onto: Template | None = None,
    space: VectorSpace = PLAIN_SPACE,
) -> Enrollment:
    """Join the photos to an earlier template, or make a new one: fast, and reads no picture.

    space: of the earlier template, and of the new one. Raises EnrollmentRefused when the
    photos do not show one person.
    """
    new = space.protect(analysed.vectors)
    old = np.zeros((0, new.shape[1]), np.float32) if onto is None else onto.vectors
    vectors = np.concatenate([old, new])
    names = ["an earlier photo"] * len(old) + [one.name for one in analysed.photos]

    # duplicates among photos that are in already stay; only new ones can be skipped
    twins = {row: twin for row, twin in near_duplicates(vectors) if row >= len(old)}
    skipped = tuple((names[row], names[twin]) for row, twin in twins.items())
    kept = [row for row in range(len(vectors)) if row not in twins]
    plain = space.reveal(vectors[kept])
    left_out = _check_consistency(plain, [names[row] for row in kept], pipeline)
    enrolled, rest = [], pipeline.matcher.threshold_for(photos=max(1, len(kept) - 1))
    for row, similarity in zip(kept, left_out, strict=True):
        if row >= len(old):
            one = analysed.photos[row - len(old)]
            quality = measure_quality(one.found.face, one.crop)
            turned = 90 * one.found.quarter_turns
            face = one.found.face_as_read
            agrees = None if similarity is None else match_word(similarity - rest.value)
            enrolled.append(EnrolledPhoto(one.name, face, quality, similarity, turned, agrees))
    template = Template(vectors[kept], pipeline.model)
    expectation = pipeline.matcher.expectation(photos=len(kept))
    return Enrollment(template, tuple(enrolled), skipped, expectation, left_out=analysed.left_out)


def _analyse(
    photo: ImageSource, at: int, pipeline: Pipeline, *, is_optional: bool
) -> AnalysedPhoto:
    name = quote_path(photo) if isinstance(photo, (str, os.PathLike)) else f"photo {at + 1}"
    image = read_image(photo)
    try:
        found = pipeline.find_face(image, carefully=True)
        crop = pipeline.crop(found.image_rgb, found.face)
        return AnalysedPhoto(name, found, crop, is_optional)
    except (NoFaceFound, SeveralFacesFound) as error:
        raise type(error)(f"{name}: {error}") from error


def _check_consistency(
    vectors: FloatArray, names: list[str], pipeline: Pipeline
) -> list[float | None]:
    """Leave-one-out similarity of each photo; EnrollmentRefused if they show different people."""
    agreement = pipeline.matcher.check_consistency(vectors)
    if agreement.strangers:
        others = ", ".join(names[row] for row in agreement.strangers)
        highest = max(agreement.leave_one_out[row] for row in agreement.strangers)
        raise EnrollmentRefused(
            f"these photos do not show one person: {others} (similarity to the others at most "
            f"{highest:.2f}); leave out the photos of other people"
        )
    return [*agreement.leave_one_out] or [None] * len(names)
