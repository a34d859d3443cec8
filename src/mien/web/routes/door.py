"""Decisions on photos: unlock, identify, compare; and advice on a photo."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile

from mien.app.identify import identify as identify_photo
from mien.app.pipeline import Pipeline
from mien.app.verify import Verifier, compare_images, verify
from mien.app.voting import vote
from mien.errors import NoFaceFound, NotEnrolled, Outcome, SeveralFacesFound
from mien.faces.quality.advice import measure_quality
from mien.media.frame import Frame
from mien.media.image_file import read_door_photo, read_image
from mien.results import Decision, Face
from mien.web import schemas
from mien.web.auth import allows
from mien.web.budget import within_budget
from mien.web.dependencies import Parts, Pool, ServiceParts, TokenScope
from mien.web.openapi import ATTEMPT_ERRORS, POST_ERRORS, describe_responses
from mien.web.people_errors import errors_for_http
from mien.web.pool import ClientPool
from mien.web.responses import (
    OutcomeResponse,
    challenge_needed_response,
    decision_response,
    identification_response,
)

router = APIRouter(tags=["door"])

MAX_VOTING_FRAMES = 10  # of which some may be dark, or show no face

UserField = Annotated[str, Form(min_length=1, max_length=schemas.MAX_NAME, examples=["anna"])]
UploadedPhoto = Annotated[UploadFile, File()]


@router.post(
    "/v1/unlock",
    responses=describe_responses(schemas.Decision, 404, *ATTEMPT_ERRORS, refusal=schemas.Decision),
)
async def unlock(
    user: UserField, photo: UploadedPhoto, parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """Does the photo show this user? 403 if not.

    If nobody of this name is enrolled: 404 for whoever may list the names, else 403 too.
    """
    if parts.needs_challenge:
        return challenge_needed_response()
    parts.blanks.check(pool.client)
    content = await photo.read()
    may_list = allows(token_scope, "enroll")
    with errors_for_http(user):
        decision = await pool.run(
            lambda: verify(
                user,
                read_door_photo(content),
                vault=parts.vault,
                pipeline_of=parts.pipeline_of,
                tell_unknown=may_list,
            )
        )
    return _answer(decision, parts, pool, with_scores=may_list)


@router.post(
    "/v1/unlock/frames",
    responses=describe_responses(schemas.Decision, 404, *ATTEMPT_ERRORS, refusal=schemas.Decision),
)
async def unlock_by_frames(
    user: UserField,
    photos: Annotated[list[UploadFile], File(max_length=MAX_VOTING_FRAMES)],
    parts: Parts,
    pool: Pool,
    token_scope: TokenScope,
) -> OutcomeResponse:
    """Do frames of a camera show this user? Three of the first five with one face decide.

    It is one attempt, with the vote of the command line's `--camera`. Statuses as of `/v1/unlock`.
    """
    if parts.needs_challenge:
        return challenge_needed_response()
    parts.blanks.check(pool.client)
    contents = [await photo.read() for photo in photos]
    may_list = allows(token_scope, "enroll")

    def decide() -> Decision:
        frames = (
            Frame(float(number), read_image(content))
            for number, content in enumerate(within_budget(contents))
        )
        with Verifier(
            user, vault=parts.vault, pipeline_of=parts.pipeline_of, tell_unknown=may_list
        ) as verifier:
            return verifier.conclude(vote(frames, verifier.decide_frame))

    try:
        with errors_for_http(user):
            decision = await pool.run(decide)
    except NoFaceFound:  # every frame was dark
        parts.blanks.add(pool.client)
        raise
    return _answer(decision, parts, pool, with_scores=may_list)


@router.post(
    "/v1/identify",
    responses=describe_responses(
        schemas.Identification, 404, *ATTEMPT_ERRORS, refusal=schemas.Identification
    ),
)
async def identify(
    photo: UploadedPhoto, parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """Which enrolled person does the photo show? 403 if none."""
    if parts.needs_challenge:
        return challenge_needed_response()
    parts.blanks.check(pool.client)
    content = await photo.read()
    try:
        found = await pool.run(
            lambda: identify_photo(
                read_door_photo(content), vault=parts.vault, pipeline=parts.pipeline_of(None)
            )
        )
    except (NoFaceFound, SeveralFacesFound):
        parts.blanks.add(pool.client)
        raise
    except NotEnrolled as error:  # its message names a command
        raise NotEnrolled("nobody is enrolled; POST /v1/people/NAME enrolls a person") from error
    parts.metrics.record_decision(found.decision.outcome.value)
    return identification_response(
        found.decision, found.user, found.also, with_scores=allows(token_scope, "enroll")
    )


@router.post(
    "/v1/compare",
    responses=describe_responses(schemas.Decision, *POST_ERRORS, refusal=schemas.Decision),
)
async def compare(
    a: UploadedPhoto, b: UploadedPhoto, parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """Do two photos show the same person? Nothing is stored or counted."""
    first, second = await a.read(), await b.read()
    decision, _, _ = await pool.run(
        lambda: compare_images(read_image(first), read_image(second), parts.pipeline_of(None))
    )
    return decision_response(decision, with_scores=True)


@router.post("/v1/look", responses=describe_responses(schemas.PhotoAdvice, *POST_ERRORS, 422))
async def look(
    photo: UploadedPhoto, parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """Where is the face, and what would make the photo better? Nothing is stored or counted."""
    content = await photo.read()
    advice = await pool.run(lambda: advise_on_photo(content, parts.pipeline_of(None)))
    return OutcomeResponse(advice)


def _answer(
    decision: Decision, parts: ServiceParts, pool: ClientPool, *, with_scores: bool
) -> OutcomeResponse:
    """Count the decision of an attempt, and the attempt if it showed no single face."""
    if decision.outcome in (Outcome.NO_FACE, Outcome.SEVERAL_FACES):
        parts.blanks.add(pool.client)
    parts.metrics.record_decision(decision.outcome.value)
    return decision_response(decision, with_scores=with_scores)


def advise_on_photo(content: bytes, pipeline: Pipeline) -> schemas.PhotoAdvice:
    """Find the face and measure the photo's quality. Raises UnreadableImage."""
    image = read_image(content)
    height, width = image.shape[:2]
    try:
        found = pipeline.find_face(image, carefully=True)
        crop = pipeline.crop(found.image_rgb, found.face)
    except (NoFaceFound, SeveralFacesFound) as error:
        several = isinstance(error, SeveralFacesFound)
        rivals = list(pipeline.door_faces(image)) if several else []
        return schemas.PhotoAdvice(
            outcome="several_faces" if several else "no_face",
            advice=[str(error)],
            face=None,
            faces=[_face_place(face) for face in rivals],
            width=width,
            height=height,
        )
    _, (faults,) = pipeline.embed_carefully([found], [crop])
    quality = measure_quality(found.face, crop)
    return schemas.PhotoAdvice(
        outcome="found",
        advice=[*faults, *quality.advice],
        face=_face_place(found.face_as_read),
        turn=round(quality.turn, 3),
        brightness=round(quality.brightness, 1),
        eye_distance_px=round(quality.eye_distance_px, 1),
        width=width,
        height=height,
    )


def _face_place(face: Face) -> schemas.FacePlace:
    return schemas.FacePlace(
        box_xyxy=[round(float(edge), 1) for edge in face.box_xyxy],
        points_xy=[[round(float(value), 1) for value in point] for point in face.points_xy],
    )
