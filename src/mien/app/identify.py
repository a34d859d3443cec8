"""Find out which enrolled person a face is, if any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mien.app.pipeline import Pipeline, Probe
from mien.app.reference import reference_of, refuse_marked
from mien.errors import NotEnrolled
from mien.matching.policy import VectorSpace, decide
from mien.media.halved_photo import DoorPhoto
from mien.results import Decision
from mien.vault import Record

if TYPE_CHECKING:
    from mien.vault.vault import Vault

MAX_TIES = 4  # how many others are looked at, and named


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """Who a face is. user: None for no match. decision: as of an unlock.

    also: other people whose threshold the face reaches too, the most alike first.
    """

    user: str | None
    decision: Decision
    also: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """For JSON: the user, the others who match, and the fields of the decision."""
        return {"user": self.user, "also": [*self.also], **self.decision.to_dict()}


def identify(photo: DoorPhoto, *, vault: Vault, pipeline: Pipeline) -> Identification:
    """The enrolled person most like the face on a photo, or no match.

    Charged and logged as an identification, which has its own attempt counter.
    Raises TooManyAttempts, NotEnrolled for an empty vault, NoFaceFound and
    SeveralFacesFound. Templates of other models are left out. The threshold rises
    with the number of people (`Calibration.threshold_among`), so that a stranger is
    taken for one of them no more often than for one alone.
    """
    if vault.is_empty():
        raise _nobody_enrolled()
    with vault.attempt(None) as attempt:
        probe = pipeline.embed_probe(photo)
        centroids, space = vault.centroids_of(pipeline.model)
        if not len(centroids) or space is None:
            raise _nobody_enrolled()
        nearest = centroids.nearest(space.protect(probe.vector[np.newaxis])[0], 1 + MAX_TIES)
        # the centroids only point to a record; the record itself is what decides
        records = vault.records_at(nearest.tags)
        tried = [
            _verify_record(record, len(centroids), space, probe, pipeline)
            for record in records
            if record is not None
        ]
        if not tried or records[0] is None:
            raise _nobody_enrolled()  # removed just now
        found = tried[0]
        if found.user is not None:
            also = tuple(one.user for one in tried[1:] if one.user is not None)
            found = replace(found, also=also)
        attempt.outcome, attempt.user = found.decision.outcome, found.user or ""
    return found


def _verify_record(
    record: Record,
    enrolled: int,
    space: VectorSpace,
    probe: Probe,
    pipeline: Pipeline,
) -> Identification:
    """Whether the probe is of the record, the nearest of so many who are enrolled."""
    matcher = pipeline.matcher
    reference = reference_of(record, pipeline)
    template = reference.template
    photos = len(template.vectors)
    score = matcher.score_template(template, probe.vector, space)
    decision = decide(
        score,
        threshold=matcher.threshold_among(enrolled, photos=photos),
        expected_model=pipeline.model.name,
        face=probe.face,
        odds="" if probe.faults else matcher.odds(score, photos=photos, among=enrolled),
        faults=probe.faults,
    )
    decision = refuse_marked(decision, score, probe.vector, reference, matcher, space)
    return Identification(record.user if decision else None, decision)


def _nobody_enrolled() -> NotEnrolled:
    return NotEnrolled("nobody is enrolled; run: mien enroll NAME PHOTO...")
