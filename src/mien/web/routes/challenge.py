"""A challenge: the person in front of the camera is asked to move, frame by frame."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form

from mien.app.live_challenge import FACE_THE_CAMERA
from mien.app.verify import Verifier
from mien.errors import ModelMissing, NotEnrolled, UsageError
from mien.liveness.plan import VALID_S
from mien.media.image_file import read_image
from mien.results import Decision
from mien.vault import check_user_name
from mien.web import schemas
from mien.web.auth import allows
from mien.web.challenges import Challenges
from mien.web.dependencies import Parts, Pool, ServiceParts, TokenScope
from mien.web.openapi import ATTEMPT_ERRORS, POST_ERRORS, describe_responses
from mien.web.responses import OutcomeResponse, challenge_response
from mien.web.routes.door import UploadedPhoto, UserField

router = APIRouter(tags=["challenge"])

MAX_FRAMES = 1000  # a challenge lasts 12 s


@router.post("/v1/challenge", responses=describe_responses(schemas.ChallengeStart, *POST_ERRORS))
async def begin_challenge(
    user: UserField, parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """Draw a challenge for this user. Nothing is charged before its first frame."""
    name = check_user_name(user)
    try:
        plan = await pool.run(lambda: _challenges_of(parts).draw(name))
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
        schemas.ChallengeFrame, 404, *ATTEMPT_ERRORS, refusal=schemas.ChallengeFrame
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
) -> OutcomeResponse:
    """The next frame: the response says what to do next, or is the decision.

    number: 1, 2, and so on. The next frame is due within 0.6 s.
    """
    content = await photo.read()
    may_list = allows(token_scope, "enroll")

    def begin(name: str) -> Verifier:
        return Verifier(
            name, vault=parts.vault, pipeline_of=parts.pipeline_of, tell_unknown=may_list
        )

    challenges, name = _challenges_of(parts), check_user_name(user)
    try:
        found = await pool.run(
            lambda: challenges.add_frame(nonce, name, number, read_image(content), begin)
        )
    except NotEnrolled as error:  # its message names a command
        raise NotEnrolled(f"{user} is not enrolled; GET /v1/people lists who is") from error
    if isinstance(found, Decision):
        parts.metrics.record_decision(found.outcome.value)
        return challenge_response(found, with_scores=may_list)
    return OutcomeResponse(schemas.ChallengeFrame(outcome="challenge", instruction=found))


def _challenges_of(parts: ServiceParts) -> Challenges:
    if parts.challenges is None:
        raise ModelMissing("there are no liveness models; run: mien models add liveness")
    return parts.challenges
