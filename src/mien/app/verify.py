"""Verify that a face is an enrolled person's: one attempt, one or several frames."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from mien.app.face_search import FoundFace
from mien.app.frame_search import FrameSearch
from mien.app.learning import face_to_learn, may_learn, most_learned
from mien.app.pipeline import Pipeline, Probe
from mien.app.reference import Reference, reference_of, refuse_marked
from mien.errors import NoFaceFound, NotEnrolled, Outcome, SeveralFacesFound
from mien.matching.policy import PLAIN_SPACE, VectorSpace, decide
from mien.matching.score import Score
from mien.media.frame import Frame
from mien.media.halved_photo import DoorPhoto, HalvedPhoto
from mien.records import dataclass, field, replace
from mien.results import ByteArray, Decision, Face, FloatArray, ModelId, Template, Threshold
from mien.vault import check_user_name
from mien.vault.records.kept_faces import marks_of

if TYPE_CHECKING:
    from mien.vault.attempt import Attempt
    from mien.vault.records.record import LivenessHistory
    from mien.vault.rotated_space import LookupResult
    from mien.vault.vault import Vault

KEPT_SEEN = 5  # a vote looks at five faces, and a challenge decides on its last one

PipelineOf = Callable[["ModelId | None"], Pipeline]
"""The pipeline of the model that enrolled a person, or of None, the default one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A face that was accepted. vector: plain (d,). image_rgb: None where it is not needed."""

    face: Face
    vector: FloatArray = field(repr=False)
    image_rgb: ByteArray | None = field(repr=False)


class Verifier:
    """One attempt to unlock as a user, with one frame or several.

        with Verifier("anna", vault=vault, pipeline_of=..., tell_unknown=True) as verifier:
            decision = verifier.conclude(verifier(image_rgb))

    The attempt is charged when the block starts, and settled and logged when it ends, however it
    ends: it stays a failure unless `conclude` was given a decision that says otherwise.

    tell_unknown: NotEnrolled for a name that is not enrolled, logged and not charged;
    otherwise such a name is refused like a stranger, after the same work, with a member of
    the cohort as the template. from_camera: the frames are of a camera just now; only from such a
    look, and if it was checked for life, a template that follows its owner learns. Entering raises
    UsageError, NotEnrolled, TooManyAttempts, VaultDamaged and ModelMismatch; then nothing is
    unlocked.
    """

    def __init__(
        self,
        user: str,
        *,
        vault: Vault,
        pipeline_of: PipelineOf,
        target_fmr: float | None = None,
        tell_unknown: bool,
        from_camera: bool = False,
    ) -> None:
        self._user = check_user_name(user)
        self._vault = vault
        self._pipeline_of = pipeline_of
        self._target_fmr = target_fmr
        self._tell_unknown = tell_unknown
        self._from_camera = from_camera
        self._seen: deque[_Seen] = deque(maxlen=KEPT_SEEN)
        self._stack = ExitStack()

    def __enter__(self) -> Verifier:
        if self._tell_unknown and not self._vault.holds(self._user):
            self._vault.log_unknown_name(self._user)
            raise not_enrolled(self._user)
        with ExitStack() as stack:
            self._attempt: Attempt = stack.enter_context(self._vault.attempt(self._user))
            found = self._vault.look_up(self._user)
            if found is None:
                raise not_enrolled(self._user)  # somebody removed the whole vault just now
            self._choose_template(found)
            self._stack = stack.pop_all()
        return self

    def __call__(self, photo: DoorPhoto) -> Decision:
        """Decide on one photo. Raises what `verify_photo` raises."""
        whole = None if isinstance(photo, HalvedPhoto) else photo
        return self._decide(lambda: self._pipeline.embed_probe(photo), whole)

    def decide_frame(self, frame: Frame, *, whole: bool) -> Decision:
        """Decide on the next frame of a camera or a film, on which the face may be followed.

        whole: search all of it. Raises what `verify_photo` raises.
        """
        search = self._frames
        return self._decide(lambda: search.embed_probe(frame, whole=whole), frame.image_rgb)

    def find_on_frame(self, frame: Frame, *, whole: bool) -> FoundFace:
        """The face of the next frame; see `FrameSearch.find_face`."""
        return self._frames.find_face(frame, whole=whole)

    def decide_on_probe(self, frame: Frame, probe: Probe) -> Decision:
        """Decide on the face that was found on a frame, and embedded."""
        return self._decide(lambda: probe, frame.image_rgb)

    def _decide(self, embed: Callable[[], Probe], image_rgb: ByteArray | None) -> Decision:
        decision, vector = _compare_probe(
            embed,
            self._reference,
            self._pipeline,
            target_fmr=self._target_fmr,
            space=self._space,
        )
        self._attempt.compared |= decision.face is not None
        if not self._is_enrolled:
            return _refuse(decision)
        if decision and decision.face is not None and vector is not None:
            image = image_rgb if self._may_learn else None
            self._seen.append(_Seen(decision.face, vector, image))
        return decision

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline of the template's model."""
        return self._pipeline

    @property
    def earlier_failures(self) -> int:
        """How many attempts of this name failed since its last success."""
        return self._attempt.earlier_failures

    def liveness_history_of(self, decision: Decision) -> LivenessHistory | None:
        """How alive the person looked before; None for an unknown name and one not checked."""
        return self._history

    def conclude(self, decision: Decision) -> Decision:
        """The decision that the attempt ends with; returns it."""
        self._attempt.outcome = decision.outcome
        self._attempt.similarity = decision.similarity
        if decision.liveness is not None:
            self._attempt.refused_by = decision.liveness.refused_by
            self._attempt.is_live = not decision.liveness.refused_by
        if decision:
            self._note_face(decision)
        return decision

    def _note_face(self, decision: Decision) -> None:
        """Have the face of the decision kept, and learned where that is safe."""
        seen = next((one for one in self._seen if one.face is decision.face), None)
        if seen is None:
            return
        self._attempt.face = self._packed(seen.vector)
        # a laxer threshold, a film and a look that was not checked for life teach nothing
        if seen.image_rgb is None or not self._attempt.is_live or self._attempt.is_laxer:
            return
        learned = face_to_learn(
            seen.image_rgb,
            self._user,
            self._reference,
            pipeline=self._pipeline,
            vault=self._vault,
            space=self._space,
        )
        if learned is not None:
            self._attempt.learned = self._packed(learned)
            self._attempt.most_learned = most_learned(self._reference)

    def _packed(self, vector: FloatArray) -> bytes:
        packed: bytes = self._space.protect(vector[None])[0].astype("<f4").tobytes()
        return packed

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _choose_template(self, found: LookupResult) -> None:
        record = found.record
        self._is_enrolled = record is not None
        self._history = None if record is None else record.liveness
        self._pipeline = self._pipeline_of(None if record is None else record.model)
        self._frames = FrameSearch(self._pipeline)
        self._space = found.space_of(self._pipeline.model)
        if record is not None:
            self._reference = reference_of(record, self._pipeline)
            self._attempt.payload, self._attempt.marks = record.payload, marks_of(record)
        else:
            decoy = self._pipeline.matcher.decoy(found.decoy_seed)
            template = Template(self._space.protect(decoy.vectors), decoy.model)
            self._reference = Reference.of(template)
        day, matcher = self._attempt.day, self._pipeline.matcher
        self._may_learn = self._from_camera and may_learn(record, day, matcher)
        if self._target_fmr is not None:
            photos = len(self._reference.template.vectors)
            asked = matcher.threshold_for(photos=photos, target_fmr=self._target_fmr)
            self._attempt.is_laxer = asked.value < matcher.threshold_for(photos=photos).value


def verify(
    user: str,
    photo: DoorPhoto,
    *,
    vault: Vault,
    pipeline_of: PipelineOf,
    target_fmr: float | None = None,
    tell_unknown: bool,
) -> Decision:
    """One attempt with one photo; see `Verifier` for the rest."""
    with Verifier(
        user,
        vault=vault,
        pipeline_of=pipeline_of,
        target_fmr=target_fmr,
        tell_unknown=tell_unknown,
    ) as verifier:
        return verifier.conclude(verifier(photo))


def _refuse(decision: Decision) -> Decision:
    """Never accept for a name that is not enrolled, whoever the face is."""
    if not decision:
        return decision
    # a face that happens to resemble the decoy: a little less, so that it reads like any refusal
    return decide(
        Score(decision.threshold.value - 1e-3),
        threshold=decision.threshold,
        expected_model=decision.threshold.model,
        face=decision.face,
        odds=decision.odds,
        faults=decision.faults,
    )


def not_enrolled(user: str) -> NotEnrolled:
    """The error for a name that is not enrolled, in the same words everywhere."""
    return NotEnrolled(f"{user} is not enrolled; run: mien enroll {shlex.quote(user)} PHOTO...")


def verify_photo(
    photo: DoorPhoto,
    template: Template,
    pipeline: Pipeline,
    threshold: Threshold | None = None,
    *,
    target_fmr: float | None = None,
    space: VectorSpace = PLAIN_SPACE,
) -> Decision:
    """Decide whether the photo shows the template's person. No face or several: locked.

    photo: whole or halved; see `Pipeline.embed_probe`. threshold: None takes the one calibrated for
    `target_fmr` and the template's photos, moved by how near the two faces are to the model's
    cohort of strangers; one given by the caller is not moved. space: the vector space of the
    template. Raises ModelMismatch, ModelUnavailable, and NotEnoughEvidence for the target.
    """
    return _compare_probe(
        lambda: pipeline.embed_probe(photo),
        Reference.of(template),
        pipeline,
        threshold,
        target_fmr=target_fmr,
        space=space,
    )[0]


def _compare_probe(
    embed: Callable[[], Probe],
    reference: Reference,
    pipeline: Pipeline,
    threshold: Threshold | None = None,
    *,
    target_fmr: float | None = None,
    space: VectorSpace = PLAIN_SPACE,
) -> tuple[Decision, FloatArray | None]:
    """`verify_photo` of the face that `embed` finds, with what is kept beside the photos.

    Also gives the plain embedding (d,) of the face; None where there is not one face.
    """
    matcher, template = pipeline.matcher, reference.template
    photos = len(template.vectors)
    fitted = threshold or matcher.threshold_for(photos=photos, target_fmr=target_fmr)
    try:
        probe = embed()
    except (NoFaceFound, SeveralFacesFound) as error:
        return Decision(float("nan"), fitted, str(error), error.outcome), None
    score = matcher.score_template(template, probe.vector, space)
    decision = decide(
        Score(score.cosine) if threshold else score,
        threshold=fitted,
        expected_model=pipeline.model.name,
        face=probe.face,
        odds="" if probe.faults else matcher.odds(score, photos=photos),
        faults=probe.faults,
    )
    decision = refuse_marked(decision, score, probe.vector, reference, matcher, space)
    return decision, probe.vector


def compare_images(
    a_rgb: ByteArray, b_rgb: ByteArray, pipeline: Pipeline
) -> tuple[Decision, Face, Face]:
    """Decide whether two photos, (H, W, 3) uint8 RGB, show the same person.

    A photo outside the calibrated quality is never accepted: the reason says what is wrong with
    it, and there are no odds. Raises NoFaceFound or SeveralFacesFound.
    """
    found = [pipeline.find_face(image, carefully=True) for image in (a_rgb, b_rgb)]
    crops = [pipeline.crop(one.image_rgb, one.face) for one in found]
    vectors, faults = pipeline.embed_carefully(found, crops)
    score = pipeline.matcher.score(vectors[0], vectors[1])
    named = tuple(
        f"{name} photo: {words}"
        for name, of_photo in zip(("first", "second"), faults, strict=True)
        for words in of_photo
    )
    decision = decide(
        score,
        threshold=pipeline.matcher.threshold_for(photos=1),
        expected_model=pipeline.model.name,
        odds="" if named else pipeline.matcher.odds(score, photos=1),
        faults=named,
    )
    if named:
        reason = "cannot be told, because a photo is outside the calibrated quality"
        decision = replace(decision, outcome=Outcome.NOT_THE_OWNER, reason=reason)
    return decision, found[0].face_as_read, found[1].face_as_read


def forget(user: str, vault: Vault) -> str:
    """Remove a template; returns the stored spelling of the name. Raises NotEnrolled if unknown."""
    user = check_user_name(user)
    if not vault.remove(user):
        raise NotEnrolled(f"{user} is not enrolled; mien list shows who is")
    return user
