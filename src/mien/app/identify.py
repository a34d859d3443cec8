"""Find out which enrolled person a face is, if any."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from mien.app.face_search import FoundFace
from mien.app.frame_search import FrameSearch
from mien.app.pipeline import Pipeline, Probe
from mien.app.reference import reference_of, refuse_marked
from mien.errors import NoFaceFound, NotEnrolled, SeveralFacesFound, VaultDamaged
from mien.matching.policy import VectorSpace, decide
from mien.media.frame import Frame
from mien.media.halved_photo import DoorPhoto
from mien.results import Decision
from mien.vault import Record

if TYPE_CHECKING:
    from mien.vault.attempt import Attempt
    from mien.vault.records.record import LivenessHistory
    from mien.vault.vault import Vault

MAX_TIES = 4  # how many others are looked at, and named
MAX_LOOKS = 3  # of which each may meet a change by another program


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


class Identifier:
    """One attempt to identify, with one photo or several frames.

        with Identifier(vault=vault, pipeline=pipeline) as identifier:
            found = identifier.conclude(identifier(photo))

    The attempt is charged when the block starts, by the counter of all identifications, and
    settled and logged when it ends; it stays a failure unless `conclude` was given a decision that
    says otherwise. Entering raises TooManyAttempts, and NotEnrolled for an empty vault.
    """

    def __init__(self, *, vault: Vault, pipeline: Pipeline) -> None:
        self._vault, self._pipeline = vault, pipeline
        self._frames = FrameSearch(pipeline)
        self._stack = ExitStack()
        self._also: dict[str, tuple[str, ...]] = {}
        self._histories: dict[str, LivenessHistory | None] = {}

    def __enter__(self) -> Identifier:
        if self._vault.is_empty():
            raise _nobody_enrolled()
        self._attempt: Attempt = self._stack.enter_context(self._vault.attempt(None))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __call__(self, photo: DoorPhoto) -> Decision:
        """Decide on one photo. Raises NoFaceFound and SeveralFacesFound."""
        return self._decide(self._pipeline.embed_probe(photo))

    def decide_frame(self, frame: Frame, *, whole: bool) -> Decision:
        """Decide on the next frame, as `Verifier.decide_frame`. No face or several: locked."""
        try:
            probe = self._frames.embed_probe(frame, whole=whole)
        except (NoFaceFound, SeveralFacesFound) as error:
            least = self._pipeline.matcher.threshold_for(photos=1)
            return Decision(math.nan, least, str(error), error.outcome)
        return self._decide(probe)

    def find_on_frame(self, frame: Frame, *, whole: bool) -> FoundFace:
        """The face of the next frame; see `FrameSearch.find_face`."""
        return self._frames.find_face(frame, whole=whole)

    def decide_on_probe(self, frame: Frame, probe: Probe) -> Decision:
        """Decide on the face that was found on a frame, and embedded."""
        return self._decide(probe)

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that it was made with."""
        return self._pipeline

    @property
    def earlier_failures(self) -> int:
        """How many identifications failed since the last that named somebody."""
        return self._attempt.earlier_failures

    def liveness_history_of(self, decision: Decision) -> LivenessHistory | None:
        """How alive the person of a decision looked before; None for no match."""
        return self._histories.get(decision.user)

    def conclude(self, decision: Decision) -> Identification:
        """The identification that the attempt ends with."""
        self._attempt.outcome, self._attempt.user = decision.outcome, decision.user
        if decision.liveness is not None:
            self._attempt.refused_by = decision.liveness.refused_by
        return Identification(decision.user or None, decision, self._also.get(decision.user, ()))

    def _decide(self, probe: Probe) -> Decision:
        for looks_left in reversed(range(MAX_LOOKS)):
            decision = self._compare(probe, is_last=not looks_left)
            if decision is not None:
                return decision
        raise VaultDamaged("the vault was changed during each look; try again in a moment")

    def _compare(self, probe: Probe, *, is_last: bool) -> Decision | None:
        """None if the nearest person was removed or renamed, or the key rotated, meanwhile."""
        centroids, space = self._vault.centroids_of(self._pipeline.model)
        if not len(centroids) or space is None:
            raise _nobody_enrolled()
        nearest = centroids.nearest(space.protect(probe.vector[np.newaxis])[0], 1 + MAX_TIES)
        # the centroids only point to a record; the record itself is what decides
        records = self._vault.records_at(nearest.tags)
        if not records and is_last:
            raise _nobody_enrolled()  # of this model
        # after a rotation records have other tags, and vectors that this space says nothing about
        if not records or records[0] is None or space.tag_of(records[0].user) != nearest.tags[0]:
            return None
        found, *others = (
            _verify_record(record, len(centroids), space, probe, self._pipeline)
            for record in records
            if record is not None
        )
        self._attempt.compared = True
        if found:
            self._also[found.user] = tuple(one.user for one in others if one)
            self._histories[found.user] = records[0].liveness
        return found


def identify(photo: DoorPhoto, *, vault: Vault, pipeline: Pipeline) -> Identification:
    """The enrolled person most like the face on a photo, or no match.

    Charged and logged as an identification, which has its own attempt counter.
    Raises TooManyAttempts, NotEnrolled for an empty vault, NoFaceFound, SeveralFacesFound, and
    VaultDamaged for a vault that changes during each of three looks. Templates of other models
    are left out. The threshold rises with the number of people
    (`Calibration.threshold_among`), so that a stranger is taken for one of them no more often
    than for one alone.
    """
    with Identifier(vault=vault, pipeline=pipeline) as identifier:
        return identifier.conclude(identifier(photo))


def _verify_record(
    record: Record,
    enrolled: int,
    space: VectorSpace,
    probe: Probe,
    pipeline: Pipeline,
) -> Decision:
    """Whether the probe is of the record, one of the nearest of so many who are enrolled."""
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
    return replace(decision, user=record.user) if decision else decision


def _nobody_enrolled() -> NotEnrolled:
    return NotEnrolled("nobody is enrolled; run: mien enroll NAME PHOTO...")
