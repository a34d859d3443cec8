"""Photos of many people -> their templates, stored in few transactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal

from mien.app.enroll import (
    MaySkip,
    SourceProgress,
    analyse_photos,
    keep_good,
    merge,
    skip_none,
)
from mien.app.enrollment import Enrollment
from mien.app.neighbours import neighbours_in
from mien.app.pipeline import Pipeline
from mien.app.replacement import check_replacement
from mien.errors import (
    AlreadyEnrolled,
    MienError,
    NoFaceFound,
    SeveralFacesFound,
    UnreadableImage,
    UsageError,
    VaultDamaged,
)
from mien.matching.policy import VectorSpace
from mien.media.image_file import ImageSource
from mien.records import dataclass, replace
from mien.results import Template
from mien.vault import already_enrolled, check_user_name
from mien.vault.bulk_enrollment import came_before

if TYPE_CHECKING:
    from mien.vault.bulk_enrollment import EnrolledPerson
    from mien.vault.vault import Vault

BulkMode = Literal["new", "replace", "replace_person"]
AT_ONCE = 100  # people whose templates are made before they are stored

OF_ONE_PERSON = (UsageError, NoFaceFound, SeveralFacesFound, UnreadableImage)
"""What refuses one person of many, and not the others."""


@dataclass(frozen=True, slots=True, eq=False)
class PersonResult:
    """Of one person: the enrollment, or else the error for which nothing was stored."""

    user: str
    enrollment: Enrollment | None = None
    error: MienError | None = None


def enroll_people(
    people: Iterable[tuple[str, Sequence[ImageSource]]],
    *,
    pipeline: Pipeline,
    vault: Vault,
    mode: BulkMode,
    progress: SourceProgress = lambda photos: photos,
    may_skip: MaySkip = skip_none,
) -> Iterator[PersonResult]:
    """Enroll each (name, photos) who can be; the results, in that order, come as they are stored.

    A name that comes twice, maybe in another spelling, is refused the second time. mode, progress,
    may_skip: as of `enroll`. Raises VaultDamaged and KeyUnavailable; who was enrolled before stays
    enrolled.
    """
    left, came = iter(people), set[str]()
    while some := list(islice(left, AT_ONCE)):
        made = [
            _make(user, photos, pipeline, vault, mode, came, progress=progress, may_skip=may_skip)
            for user, photos in some
        ]
        yield from _store(made, pipeline, vault, replace=mode != "new")


def _make(
    user: str,
    photos: Sequence[ImageSource],
    pipeline: Pipeline,
    vault: Vault,
    mode: BulkMode,
    came: set[str],
    *,
    progress: SourceProgress,
    may_skip: MaySkip,
) -> PersonResult:
    """The template, which is not stored yet. came: the names before; this one is added."""
    try:
        name = check_user_name(user)
        if name in came:
            raise came_before(name)
        came.add(name)
        if mode == "new" and vault.holds(name):
            raise already_enrolled(name)
        photos_of = analyse_photos(photos, pipeline, progress=progress, may_skip=may_skip)
        analysed = keep_good(photos_of)
        enrollment = merge(analysed, pipeline)
        if mode == "replace":
            check_replacement(name, analysed.vectors, vault, pipeline)
        return PersonResult(name, enrollment)
    except OF_ONE_PERSON as error:
        return PersonResult(user, error=error)


def _store(
    made: Sequence[PersonResult], pipeline: Pipeline, vault: Vault, *, replace: bool
) -> list[PersonResult]:
    templates = [
        (one.user, one.enrollment.template.vectors) for one in made if one.enrollment is not None
    ]
    stored = iter(vault.enroll_many(templates, model=pipeline.model, replace=replace))
    results = [one if one.enrollment is None else _stored(one, next(stored)) for one in made]
    kept = [(one.user, one.enrollment) for one in results if one.enrollment is not None]
    known = iter(_compared(kept, pipeline, vault))
    return [
        one if one.enrollment is None else PersonResult(one.user, next(known)) for one in results
    ]


def _stored(made: PersonResult, found: EnrolledPerson) -> PersonResult:
    if found.outcome == "already_enrolled":  # meanwhile
        return PersonResult(made.user, error=AlreadyEnrolled(found.why))
    if found.outcome == "refused":
        return PersonResult(made.user, error=UsageError(found.why))
    return made


def _compared(
    enrollments: Sequence[tuple[str, Enrollment]], pipeline: Pipeline, vault: Vault
) -> list[Enrollment]:
    """With the warnings; if somebody's record is damaged, with the reason why there are none."""
    try:
        neighbours, space = neighbours_in(vault, pipeline.matcher)
        stored = [(user, _as_stored(one, space)) for user, one in enrollments]
        return neighbours.add_all_warnings(stored)
    except VaultDamaged as error:
        return [replace(one, not_compared=str(error)) for _, one in enrollments]


def _as_stored(enrollment: Enrollment, space: VectorSpace) -> Enrollment:
    template = enrollment.template
    return replace(enrollment, template=Template(space.protect(template.vectors), template.model))
