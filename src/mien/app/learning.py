"""A template that follows its owner: which face of an unlock it may learn.

A learned face is kept beside the enrolled photos, which stay as they are. It is always compared
with those photos alone, and never with what was learned before, so that a chain of faces, each
like the last, leads nowhere.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from mien.app.pipeline import Pipeline
from mien.app.reference import Reference, is_marked, template_of
from mien.errors import NoFaceFound, SeveralFacesFound, VaultDamaged
from mien.matching.matcher import Matcher
from mien.matching.policy import NEAR_DUPLICATE, VectorSpace
from mien.records import replace
from mien.results import ByteArray, FloatArray
from mien.vault import Record
from mien.vault.records.kept_faces import learns_on
from mien.vault.records.record import MAX_KEPT

if TYPE_CHECKING:
    from mien.vault.vault import Vault

STRICTER = 10
"""A face is learned at a tenth of the FMR at which it unlocks."""
MOST_NEAR = 5  # people whose records are opened, the person among them


def may_learn(record: Record | None, day: date, matcher: Matcher) -> bool:
    """Whether this template may learn on this day, in UTC, if a face is good enough.

    Not where the model was never calibrated: then no threshold is known to be stricter.
    """
    return record is not None and matcher.is_calibrated and learns_on(record, day)


def most_learned(reference: Reference) -> int:
    """How many faces are kept at most: no more than there are photos."""
    return min(MAX_KEPT["learned"], len(reference.enrolled.vectors))


def face_to_learn(
    image_rgb: ByteArray,
    user: str,
    reference: Reference,
    *,
    pipeline: Pipeline,
    vault: Vault,
    space: VectorSpace,
) -> FloatArray | None:
    """The plain embedding (d,) to learn from a frame that unlocked, or None.

    image_rgb: (H, W, 3) uint8 RGB. The frame must be of the quality that may be enrolled, reach the
    stricter threshold of the photos alone, add something, be like no face that was marked, and
    reach nobody else's template. A vault that cannot be read for that teaches nothing.
    """
    try:
        found = pipeline.find_face(image_rgb, carefully=True)
        crop = pipeline.crop(found.image_rgb, found.face)
    except (NoFaceFound, SeveralFacesFound):
        return None
    vectors, (faults,) = pipeline.embed_carefully([found], [crop])
    if faults or not _is_new_and_sure(vectors[0], reference, pipeline.matcher, space):
        return None
    try:
        near = _reaches_others(vectors[0], user, vault, pipeline)
    except VaultDamaged:  # the unlock itself did not need those records
        return None
    return None if near else vectors[0]


def _is_new_and_sure(
    vector: FloatArray, reference: Reference, matcher: Matcher, space: VectorSpace
) -> bool:
    enrolled = reference.enrolled
    score = matcher.score_template(enrolled, vector, space)
    strict = matcher.threshold_among(STRICTER, photos=len(enrolled.vectors))
    if not score.reaches(strict):
        return False
    photos_alone = replace(reference, learned=reference.learned[:0])
    if is_marked(score, vector, photos_alone, matcher, space):
        return False
    rows = space.reveal(reference.template.vectors)
    return bool(np.max(rows @ vector) <= NEAR_DUPLICATE)


def _reaches_others(vector: FloatArray, user: str, vault: Vault, pipeline: Pipeline) -> bool:
    """Whether the face would unlock as somebody else too."""
    centroids, space = vault.centroids_of(pipeline.model)
    if space is None:
        return True  # the vault was removed just now
    nearest = centroids.nearest(space.protect(vector[np.newaxis])[0], MOST_NEAR)
    for record in vault.records_at(nearest.tags):
        if record is None or record.user == user:
            continue
        template, matcher = template_of(record, pipeline), pipeline.matcher
        score = matcher.score_template(template, vector, space)
        if score.reaches(matcher.threshold_for(photos=len(template.vectors))):
            return True
    return False
