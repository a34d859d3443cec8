"""The use cases: enroll, unlock, identify, compare, forget. Their parts come as arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from mien.app.enroll import Enrollment, Neighbours, Progress, analyse_photos, merge
from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, NotEnrolled, SeveralFacesFound, VaultDamaged
from mien.matching.policy import PLAIN_SPACE, VectorSpace, decide, similarity_to
from mien.media.image_file import ImageSource
from mien.results import ByteArray, Decision, Face, FloatArray, ModelId, Template, Threshold
from mien.vault import (
    Record,
    already_enrolled,
    check_user_name,
    pack_template,
    unpack_template,
    utc_stamp,
)
from mien.vectors import centre_of

if TYPE_CHECKING:
    from mien.vault.rotated_space import LookupResult, SpaceOf
    from mien.vault.vault import Vault

Mode = Literal["new", "replace", "add"]
Clock = Callable[[], datetime]
Look = Callable[[ByteArray], Decision]
"""Decides on one picture, (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """Who stands at the door: a user, or None for nobody enrolled. decision: as for unlock."""

    user: str | None
    decision: Decision


def enroll(
    user: str,
    photos: Sequence[ImageSource],
    *,
    pipeline: Pipeline,
    vault: Vault,
    mode: Mode,
    clock: Clock,
    progress: Progress = lambda photos: photos,
) -> Enrollment:
    """Make a template and store it in one step; on any error the vault stays as it was.

    mode: new refuses a name that is taken (AlreadyEnrolled), replace forgets the
    earlier photos, add keeps them. Other errors: those of `enroll_photos`.
    """
    user = check_user_name(user)
    if mode == "new" and vault.holds(user):
        raise already_enrolled(user)  # before any photo is looked at; asked again below
    looked = analyse_photos(photos, pipeline, progress=progress)
    merge(looked, pipeline)  # photos of two people are refused before the vault is touched
    made: list[Enrollment] = []

    def make(stored: Record | None, space_of: SpaceOf) -> Record:
        if stored is not None and mode == "new":
            raise already_enrolled(user)
        onto = None
        if stored is not None:
            onto = unpack_template(stored.payload, expected_model=pipeline.model)
        made.append(merge(looked.protected(space_of(pipeline.model)), pipeline, onto=onto))
        payload = pack_template(made[-1].template)
        return Record(user, pipeline.model, utc_stamp(clock()), payload)

    # replace does not look at what is stored: it is the way out of a damaged record
    vault.update(user, make, replace=mode == "replace")
    return _compared_with_others(user, made[-1], vault, pipeline)


def _compared_with_others(
    user: str, enrollment: Enrollment, vault: Vault, pipeline: Pipeline
) -> Enrollment:
    """With the warnings; where somebody's record is damaged, without those, and saying so."""
    try:
        records, space = vault.records_of(pipeline.model)
        others = {one.user: template_of(one, pipeline) for one in records if one.user != user}
    except VaultDamaged as error:
        return replace(enrollment, not_compared=str(error))
    return Neighbours(others, pipeline, space or PLAIN_SPACE).warn(enrollment, user=user)


def template_of(record: Record, pipeline: Pipeline) -> Template:
    """The record's template. Raises VaultDamaged, or ModelMismatch if another model made it."""
    return unpack_template(record.payload, expected_model=pipeline.model)


def open_door(
    user: str,
    image_rgb: ByteArray,
    *,
    vault: Vault,
    pipeline_of: Callable[[ModelId | None], Pipeline],
    target_fmr: float | None = None,
    tell_unknown: bool,
) -> Decision:
    """One try at this user's door with one picture; see `try_door`."""
    return try_door(
        user,
        lambda look: look(image_rgb),
        vault=vault,
        pipeline_of=pipeline_of,
        target_fmr=target_fmr,
        tell_unknown=tell_unknown,
    )


def try_door(
    user: str,
    show: Callable[[Look], Decision],
    *,
    vault: Vault,
    pipeline_of: Callable[[ModelId | None], Pipeline],
    target_fmr: float | None = None,
    tell_unknown: bool,
) -> Decision:
    """One try at this user's door, counted and written down.

    show: gets what decides on a picture, shows it one or several, and gives the decision
    that counts. pipeline_of: the pipeline of the model that enrolled somebody, or of None,
    the usual one. tell_unknown: NotEnrolled for a name that nobody has; otherwise it is answered as
    a stranger is, after the same work, with the face of somebody of the cohort as the
    template. Raises TooManyAttempts, and what `unlock` raises: the door stays locked.
    """
    user = check_user_name(user)
    if tell_unknown and not vault.holds(user):
        raise not_enrolled(user)
    with vault.attempt(user) as attempt:
        found = vault.look_up(user)
        if found is None:
            raise not_enrolled(user)  # somebody took the whole vault away just now
        decision = show(_look_at(found, pipeline_of, target_fmr))
        attempt.outcome = decision.outcome
    return decision


def _look_at(
    found: LookupResult,
    pipeline_of: Callable[[ModelId | None], Pipeline],
    target_fmr: float | None,
) -> Look:
    """What decides on a picture at this door, or at a name that nobody has."""
    record = found.record
    pipeline = pipeline_of(None if record is None else record.model)
    space = found.space_of(pipeline.model)
    if record is not None:
        template = template_of(record, pipeline)
        return lambda image: unlock(image, template, pipeline, target_fmr=target_fmr, space=space)
    plain = pipeline.decoy(found.decoy_seed)
    decoy = Template(space.protect(plain.vectors), plain.model)
    return lambda image: _no(
        unlock(image, decoy, pipeline, target_fmr=target_fmr, space=space), pipeline
    )


def _no(decision: Decision, pipeline: Pipeline) -> Decision:
    """At a name that nobody has, it is a no, whoever it is."""
    if not decision:
        return decision
    # somebody who happens to look like the decoy: a little less, and it reads like any no
    return decide(
        decision.threshold.value - 1e-3,
        threshold=decision.threshold,
        expected_model=pipeline.model.name,
        face=decision.face,
        odds=decision.odds,
    )


def not_enrolled(user: str) -> NotEnrolled:
    """The error for a name that nobody has, in the same words everywhere."""
    return NotEnrolled(f"{user} is not enrolled; run: mien enroll {user} PHOTO...")


def unlock(
    image_rgb: ByteArray,
    template: Template,
    pipeline: Pipeline,
    threshold: Threshold | None = None,
    *,
    target_fmr: float | None = None,
    space: VectorSpace = PLAIN_SPACE,
) -> Decision:
    """Is the face at the door the template's? No face and several faces are a no, with reason.

    threshold: None takes the one calibrated for `target_fmr` and the template's photos,
    moved by how near the two faces are to the model's cohort of strangers.
    space: that the template lies in.
    """
    photos = len(template.vectors)
    fitted = threshold or pipeline.threshold_for(photos=photos, target_fmr=target_fmr)
    try:
        face, probe = pipeline.embed_door(image_rgb)
    except (NoFaceFound, SeveralFacesFound) as error:
        return Decision(float("nan"), fitted, str(error), error.outcome)
    similarity = similarity_to(template, space.protect(probe[np.newaxis])[0])
    shift = _shift(template, probe, space, pipeline)
    return _judged(
        similarity,
        shift,
        # what the caller set is meant as it is
        threshold=fitted if threshold else fitted.moved(shift),
        photos=photos,
        pipeline=pipeline,
        face=face,
    )


def _shift(template: Template, probe: FloatArray, space: VectorSpace, pipeline: Pipeline) -> float:
    """How like strangers the two faces are; probe: plain (d,). The cohort is plain, too."""
    return pipeline.shift(space.reveal(centre_of(template.vectors)[np.newaxis])[0], probe)


def _judged(
    similarity: float,
    shift: float,
    *,
    threshold: Threshold,
    photos: int,
    pipeline: Pipeline,
    face: Face | None = None,
    among: int = 1,
) -> Decision:
    return decide(
        similarity,
        threshold=threshold,
        expected_model=pipeline.model.name,
        face=face,
        odds=pipeline.odds(similarity - shift, photos=photos, among=among),
    )


def identify(image_rgb: ByteArray, *, vault: Vault, pipeline: Pipeline) -> Identification:
    """The enrolled person most like the face at the door, or nobody.

    Counted and written down as a try to be recognised, which has a count of its own.
    Raises TooManyAttempts, NotEnrolled for an empty vault, NoFaceFound and
    SeveralFacesFound. Templates of other models are not looked at. The threshold rises
    with the number of people (`Calibration.threshold_among`), so that a stranger is
    taken for one of them no more often than for one alone.
    """
    if vault.is_empty():
        raise _nobody()
    with vault.attempt(None) as attempt:
        face, plain = pipeline.embed_door(image_rgb)
        centroids, space = vault.centroids_of(pipeline.model)
        if not centroids.tags or space is None:
            raise _nobody()
        best = int(np.argmax(centroids.rows @ space.protect(plain[np.newaxis])[0]))
        # the centroids only point; whether it is the one, the record itself says
        record = vault.record_at(centroids.tags[best])
        if record is None:
            raise _nobody()  # forgotten just now
        found = _is_it(record, len(centroids.tags), space, face, plain, pipeline)
        attempt.outcome, attempt.user = found.decision.outcome, found.user or ""
    return found


def _is_it(
    record: Record,
    enrolled: int,
    space: VectorSpace,
    face: Face,
    plain: FloatArray,
    pipeline: Pipeline,
) -> Identification:
    """Whether the face is that of the record, the nearest of so many who are enrolled."""
    template = template_of(record, pipeline)
    photos = len(template.vectors)
    shift = _shift(template, plain, space, pipeline)
    decision = _judged(
        similarity_to(template, space.protect(plain[np.newaxis])[0]),
        shift,
        threshold=pipeline.threshold_among(enrolled, photos=photos).moved(shift),
        photos=photos,
        pipeline=pipeline,
        face=face,
        among=enrolled,
    )
    return Identification(record.user if decision else None, decision)


def _nobody() -> NotEnrolled:
    return NotEnrolled("nobody is enrolled; run: mien enroll NAME PHOTO...")


def compare(a_rgb: ByteArray, b_rgb: ByteArray, pipeline: Pipeline) -> tuple[Decision, Face, Face]:
    """Do two photos show the same person? Raises NoFaceFound or SeveralFacesFound."""
    a_face, a_vector = pipeline.embed_door(a_rgb)
    b_face, b_vector = pipeline.embed_door(b_rgb)
    similarity = float(np.clip(np.dot(a_vector, b_vector), -1.0, 1.0))
    shift = pipeline.shift(a_vector, b_vector)
    threshold = pipeline.threshold_for(photos=1).moved(shift)
    decision = _judged(similarity, shift, threshold=threshold, photos=1, pipeline=pipeline)
    return decision, a_face, b_face


def forget(user: str, vault: Vault) -> str:
    """Remove a template; returns the name as it was stored. Raises NotEnrolled if there is none."""
    user = check_user_name(user)
    if not vault.remove(user):
        raise NotEnrolled(f"{user} is not enrolled; mien list shows who is")
    return user
