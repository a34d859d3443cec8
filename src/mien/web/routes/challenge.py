"""A challenge: the person in front of the camera is asked to move, frame by frame."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form

from mien.app.enroll import Mode, enroll
from mien.app.enrollment import Enrollment
from mien.app.live_challenge import FACE_THE_CAMERA
from mien.app.live_enrollment import LivingFrames
from mien.app.verify import Verifier
from mien.app.voting import choose_frames
from mien.errors import ModelMissing, NoFaceFound, SeveralFacesFound, UsageError
from mien.liveness.plan import VALID_S
from mien.media.image_file import read_image
from mien.results import Decision
from mien.vault import check_user_name
from mien.web import schemas
from mien.web.auth import allows
from mien.web.budget import within_budget
from mien.web.challenges import (
    Begin,
    ChallengeKey,
    Challenges,
    EnrollTrial,
    LivenessModels,
    Purpose,
    Trial,
    UnlockTrial,
)
from mien.web.dependencies import Parts, Pool, ServiceParts, TokenScope
from mien.web.openapi import ATTEMPT_ERRORS, POST_ERRORS, describe_responses
from mien.web.people_errors import errors_for_http, name_taken
from mien.web.responses import OutcomeResponse, challenge_response, message_response
from mien.web.routes.door import UploadedPhoto, UserField
from mien.web.routes.people import KeepPictureField, ModeField

router = APIRouter(tags=["challenge"])

MAX_FRAMES = 1000  # a challenge lasts 12 s
MAY_NOT_ENROLL = "this token may not enroll; use one of scope enroll"


PurposeField = Annotated[Purpose, Form(description="enroll needs the scope enroll")]


@router.post(
    "/v1/challenge",
    responses=describe_responses(schemas.ChallengeStart, 409, *POST_ERRORS),
)
async def begin_challenge(
    user: UserField,
    parts: Parts,
    pool: Pool,
    token_scope: TokenScope,
    purpose: PurposeField = "unlock",
    mode: ModeField = "new",
) -> OutcomeResponse:
    """Draw a challenge for this user. Nothing is charged before its first frame."""
    name = check_user_name(user)
    parts.blanks.check(pool.client)
    key = ChallengeKey(name, purpose, mode, pool.client)
    if purpose == "enroll":
        if not allows(token_scope, "enroll"):
            return message_response("forbidden", 403, MAY_NOT_ENROLL)
        if mode == "new" and await pool.run(lambda: parts.vault.holds(name)):
            raise name_taken(name)
    try:
        plan = await pool.run(lambda: _challenges_of(parts).draw(key))
    except ModelMissing as error:  # not a fault of the service, which can do without
        raise UsageError(
            "this service has no models for challenges; run there: mien models add liveness"
        ) from error
    content = schemas.ChallengeStart(
        outcome="challenge", nonce=plan.nonce, instruction=FACE_THE_CAMERA, valid_s=VALID_S
    )
    return OutcomeResponse(content)


@router.post(
    "/v1/challenge/frame",
    responses=describe_responses(
        schemas.ChallengeFrame, 404, 409, *ATTEMPT_ERRORS, refusal=schemas.ChallengeFrame
    ),
)
async def add_frame(
    user: UserField,
    nonce: Annotated[str, Form(max_length=64)],
    number: Annotated[int, Form(ge=1, le=MAX_FRAMES)],
    photo: UploadedPhoto,
    parts: Parts,
    pool: Pool,
    token_scope: TokenScope,
    purpose: PurposeField = "unlock",
    mode: ModeField = "new",
    keep_picture: KeepPictureField = False,
) -> OutcomeResponse:
    """The next frame: the response says what to do next, or is the decision or the enrollment.

    number: 1, 2, and so on, each within 0.6 s. The rest: as of the challenge and of enrolling.
    """
    content, may_list = await photo.read(), allows(token_scope, "enroll")
    if purpose == "enroll" and not may_list:
        return message_response("forbidden", 403, MAY_NOT_ENROLL)

    name = check_user_name(user)
    key = ChallengeKey(name, purpose, mode, pool.client)
    begin = _begin(name, purpose, parts, may_list=may_list)

    def measure() -> str | Decision | Enrollment:
        image, challenges = read_image(content), _challenges_of(parts)
        found = challenges.add_frame(nonce, key, number, image, begin)
        if isinstance(found, LivingFrames):
            return _enroll(name, found, mode, parts, keep_picture=keep_picture)
        return found

    try:
        with errors_for_http(name):
            found = await pool.run(measure)
    except (NoFaceFound, SeveralFacesFound):
        parts.blanks.add(pool.client)
        raise
    if isinstance(found, Decision) and purpose == "unlock":
        parts.metrics.record_decision(found.outcome.value)
    return _response_to(found, name, may_list=may_list)


def _response_to(
    found: str | Decision | Enrollment, name: str, *, may_list: bool
) -> OutcomeResponse:
    if isinstance(found, Enrollment):
        return OutcomeResponse(schemas.Enrollment.model_validate(found.to_dict(name)))
    if isinstance(found, Decision):
        return challenge_response(found, with_scores=may_list)
    return OutcomeResponse(schemas.ChallengeFrame(outcome="challenge", instruction=found))


def _begin(name: str, purpose: Purpose, parts: ServiceParts, *, may_list: bool) -> Begin:
    def begin(models: LivenessModels) -> Trial:
        if purpose == "enroll":
            return EnrollTrial(parts.pipeline_of(None), models)
        verifier = Verifier(
            name,
            vault=parts.vault,
            pipeline_of=parts.pipeline_of,
            tell_unknown=may_list,
            from_camera=True,  # a saved film cannot do what a challenge asks
        )
        return UnlockTrial(verifier, models)

    return begin


def _enroll(
    name: str, living: LivingFrames, mode: Mode, parts: ServiceParts, *, keep_picture: bool
) -> Enrollment:
    pipeline = parts.pipeline_of(None)
    return enroll(
        name,
        choose_frames(living.frames, pipeline),
        pipeline=pipeline,
        vault=parts.vault,
        mode=mode,
        clock=parts.clock,
        progress=within_budget,
        may_skip=lambda photo: True,
        liveness=living.history,
        keep_picture=keep_picture,
    )


def _challenges_of(parts: ServiceParts) -> Challenges:
    if parts.challenges is None:
        raise UsageError("a challenge needs a service of one process: mien serve without --workers")
    return parts.challenges
