"""The use cases: enrol, unlock, identify, compare, forget. Their parts come as arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from mien.enrolment import Enrolment, Progress, look_at, merge, warned
from mien.errors import NoFaceFound, NotEnrolled, SeveralFacesFound, VaultDamaged
from mien.images import Source
from mien.models.calibration import TARGET_FMR
from mien.pipeline import Pipeline
from mien.policy import PLAIN, Space, centre_of, decide, similarity_to
from mien.results import ByteArray, Decision, Face, FloatArray, Template, Threshold
from mien.vault import (
    Record,
    Vault,
    already_enrolled,
    check_user_name,
    pack_template,
    unpack_template,
    utc_stamp,
)

Mode = Literal["new", "replace", "add"]
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """Who stands at the door: a user, or None for nobody enrolled. decision: as for unlock."""

    user: str | None
    decision: Decision


def enrol(
    user: str,
    photos: Sequence[Source],
    *,
    pipeline: Pipeline,
    vault: Vault,
    mode: Mode,
    clock: Clock,
    progress: Progress = lambda photos: photos,
    space: Space = PLAIN,
) -> Enrolment:
    """Make a template and store it in one step; on any error the vault stays as it was.

    mode: new refuses a name that is taken (AlreadyEnrolled), replace forgets the
    earlier photos, add keeps them. space: of the stored templates. Other errors: those
    of `enrol_photos`.
    """
    user = check_user_name(user)
    # replace does not look at what is stored: it is the way out of a damaged record
    stored = None if mode == "replace" else vault.get(user)
    if stored is not None and mode == "new":
        raise already_enrolled(user)  # before any photo is looked at; `put` checks again
    onto = None
    if stored is not None:
        onto = unpack_template(stored.payload, expected_model=pipeline.model)
    looked = look_at(photos, pipeline, progress=progress).protected(space)
    enrolment = merge(looked, pipeline, onto=onto)
    enrolment = warned(enrolment, _others(user, vault, pipeline), pipeline, space)
    record = Record(
        user=user,
        model=pipeline.model,
        created_at=utc_stamp(clock()),
        payload=pack_template(enrolment.template),
    )
    vault.put(record, replace=mode == "replace" or stored is not None)
    return enrolment


def _others(user: str, vault: Vault, pipeline: Pipeline) -> dict[str, Template]:
    """The templates of everybody else with this model; none where the vault cannot be read."""
    try:
        found = list(vault.records(pipeline.model))
        return {one.user: template_of(one, pipeline) for one in found if one.user != user}
    except VaultDamaged:
        return {}  # a warning must not stop `replace`, which is the way out of the damage


def load_record(user: str, vault: Vault) -> Record:
    """The stored record. Raises NotEnrolled or VaultDamaged; needs no model."""
    user = check_user_name(user)
    stored = vault.get(user)
    if stored is None:
        raise NotEnrolled(f"{user} is not enrolled; run: mien enroll {user} PHOTO...")
    return stored


def template_of(record: Record, pipeline: Pipeline) -> Template:
    """The record's template. Raises VaultDamaged, or ModelMismatch if another model made it."""
    return unpack_template(record.payload, expected_model=pipeline.model)


def unlock(
    image_rgb: ByteArray,
    template: Template,
    pipeline: Pipeline,
    threshold: Threshold | None = None,
    *,
    target_fmr: float | None = None,
    space: Space = PLAIN,
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
        return Decision(float("nan"), fitted, str(error), error.exit_code)
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


def _shift(template: Template, probe: FloatArray, space: Space, pipeline: Pipeline) -> float:
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
) -> Decision:
    return decide(
        similarity,
        threshold=threshold,
        expected_model=pipeline.model.name,
        face=face,
        odds=pipeline.odds(similarity - shift, photos=photos),
    )


def identify(
    image_rgb: ByteArray,
    *,
    vault: Vault,
    pipeline: Pipeline,
    space: Space = PLAIN,
) -> Identification:
    """The enrolled person most like the face at the door, or nobody.

    Raises NotEnrolled for an empty vault, NoFaceFound and SeveralFacesFound.
    Templates of other models are not looked at. The threshold rises with the number of
    people, so that a stranger is still taken for one of them once in 1 / `TARGET_FMR`,
    down to the lowest FMR that the evidence supports. space: of the stored templates.
    """
    face, plain = pipeline.embed_door(image_rgb)
    probe = space.protect(plain[np.newaxis])[0]
    records = list(vault.records(pipeline.model))
    if not records:
        raise NotEnrolled("nobody is enrolled; run: mien enroll NAME PHOTO...")
    templates = [template_of(record, pipeline) for record in records]
    similarities = np.stack([centre_of(t.vectors) for t in templates]) @ probe  # (n,)
    best = int(np.argmax(similarities))
    photos = len(templates[best].vectors)
    shift = _shift(templates[best], plain, space, pipeline)
    decision = _judged(
        float(similarities[best]),
        shift,
        threshold=_threshold_of_many(len(records), photos, pipeline).moved(shift),
        photos=photos,
        pipeline=pipeline,
        face=face,
    )
    return Identification(records[best].user if decision else None, decision)


def _threshold_of_many(enrolled: int, photos: int, pipeline: Pipeline) -> Threshold:
    """A stranger is compared with everybody: each comparison may pass so much more rarely."""
    strictest = pipeline.strictest_fmr(photos=photos)
    if strictest >= TARGET_FMR:
        return pipeline.threshold_for(photos=photos)
    wanted = max(TARGET_FMR / enrolled, strictest)
    return pipeline.threshold_for(photos=photos, target_fmr=wanted)


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
