"""The enrolled people: list, enroll and forget them, and read the log of what happened."""

from __future__ import annotations

from datetime import timezone
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi import Path as PathParameter

from mien.app.enroll import Mode
from mien.app.enroll import enroll as enroll_photos
from mien.app.enroll_people import BulkMode, PersonResult, enroll_people
from mien.app.enrollment import Enrollment
from mien.app.kept_faces import kept_times, markable_unlocks
from mien.app.neighbours import neighbours_in
from mien.app.pipeline import Pipeline
from mien.app.reference import template_of
from mien.app.verify import forget as forget_person
from mien.errors import NotEnrolled, Outcome, UsageError
from mien.matching.policy import VectorSpace
from mien.media.image_file import ImageSource
from mien.vault import Record, check_user_name
from mien.vault.integrity.audit_log import describe_entries
from mien.vault.vault import Vault
from mien.web import schemas
from mien.web.auth import NAME_PATTERN, PERSON_PATTERN, PICTURE_PATTERN
from mien.web.budget import Budget, within_budget
from mien.web.dependencies import Parts, Pool, TokenScope
from mien.web.error_handlers import NOT_FOUND
from mien.web.openapi import POST_ERRORS, describe_responses
from mien.web.people_errors import errors_for_http, words_for_http
from mien.web.responses import OutcomeResponse, message_response
from mien.web.routes.lab import MAX_PHOTOS, jpeg_data_url

router = APIRouter(tags=["people"])

NEEDS_CHALLENGE = "from a camera this service enrolls by a challenge; POST /v1/challenge begins one"

ModeField = Annotated[Mode, Form()]
KeepPictureField = Annotated[bool, Form(description="a small one of the face, sealed")]
User = Annotated[str, PathParameter(min_length=1, max_length=schemas.MAX_NAME, examples=["anna"])]


@router.get("/v1/people", responses=describe_responses(schemas.People, 401, 503))
async def people(
    parts: Parts,
    pool: Pool,
    token_scope: TokenScope,
    after: Annotated[str, Query(max_length=schemas.MAX_NAME)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> OutcomeResponse:
    """List who is enrolled, and how good each template is.

    In code point order of the names, at most `limit` of them, from the first one after `after`.
    """
    page = await pool.run(
        lambda: list_people(parts.vault, parts.pipeline_of(None), after=after, limit=limit)
    )
    return OutcomeResponse(page)


@router.post(
    "/v1/people",
    responses=describe_responses(schemas.EnrolledPeople, *POST_ERRORS),
)
async def enroll_many(
    users: Annotated[list[str], Form(min_length=1, max_length=MAX_PHOTOS)],
    photos: Annotated[list[UploadFile], File(max_length=MAX_PHOTOS)],
    parts: Parts,
    pool: Pool,
    token_scope: TokenScope,
    mode: Annotated[BulkMode, Form()] = "new",
) -> OutcomeResponse:
    """Enroll many people, whose templates are stored together.

    users: of each photo, whose it is, in the order of the photos; a name is repeated for each of
    its photos. Photos that cannot be used are left out. Whoever cannot be enrolled is named with
    the reason, and the others are enrolled.
    """
    if len(users) != len(photos):
        raise UsageError(f"send a name in users for each photo: {len(photos)}, not {len(users)}")
    photos_of: dict[str, list[ImageSource]] = {}
    for user, photo in zip(users, photos, strict=True):
        photos_of.setdefault(_one_spelling(user), []).append(await photo.read())
    found = await pool.run(
        lambda: list(
            enroll_people(
                photos_of.items(),
                pipeline=parts.pipeline_of(None),
                vault=parts.vault,
                mode=mode,
                progress=Budget().within,
                may_skip=lambda photo: True,
            )
        )
    )
    people = [_person_of_many(one) for one in found]
    enrolled = sum(one.error is None for one in people)
    content = schemas.EnrolledPeople(
        outcome="finished", exit_code=0, enrolled=enrolled, people=people
    )
    return OutcomeResponse(content)


@router.post(
    PERSON_PATTERN,
    responses=describe_responses(schemas.Enrollment, *POST_ERRORS, 404, 409, 422),
)
async def enroll(
    user: User,
    photos: Annotated[list[UploadFile], File(max_length=MAX_PHOTOS)],
    parts: Parts,
    pool: Pool,
    token_scope: TokenScope,
    mode: ModeField = "new",
    source: Annotated[Literal["files", "camera"], Form()] = "files",
    keep_picture: KeepPictureField = False,
) -> OutcomeResponse:
    """Enroll a person from photos. If one photo is refused, nothing is stored.

    source: camera for photos that were taken just now; where photos unlock nothing, 403: whoever
    sits before a camera enrolls by a challenge. keep_picture: keep a small picture of the face, if
    the person wants that.
    """
    if source == "camera" and parts.needs_challenge:
        return message_response(Outcome.NOT_LIVE.value, 403, NEEDS_CHALLENGE)
    contents = [await photo.read() for photo in photos]

    with errors_for_http(user):
        enrollment = await pool.run(
            lambda: enroll_photos(
                user,
                contents,
                pipeline=parts.pipeline_of(None),
                vault=parts.vault,
                mode=mode,
                clock=parts.clock,
                progress=within_budget,
                keep_picture=keep_picture,
            )
        )
    return OutcomeResponse(schemas.Enrollment.model_validate(enrollment.to_dict(user)))


@router.post(
    NAME_PATTERN,
    responses=describe_responses(schemas.Renamed, *POST_ERRORS, 404, 409),
)
async def rename(
    user: User,
    name: Annotated[str, Form(min_length=1, max_length=schemas.MAX_NAME, examples=["zoe"])],
    parts: Parts,
    pool: Pool,
    token_scope: TokenScope,
) -> OutcomeResponse:
    """Give a person another name. Template, failed attempts and picture stay."""
    with errors_for_http(user, new_name=name):
        new = await pool.run(lambda: parts.vault.rename(user, name))
    return OutcomeResponse(schemas.Renamed(outcome="renamed", exit_code=0, user=new))


@router.delete(PICTURE_PATTERN, responses=describe_responses(schemas.PictureRemoved, 401, 404, 503))
async def remove_picture(
    user: User, parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """Delete the picture of a person's face. The template stays."""

    def remove() -> None:
        if not parts.vault.holds(user):
            raise NotEnrolled(f"{user} is not enrolled")
        parts.vault.remove_thumbnail(user)

    with errors_for_http(user):
        await pool.run(remove)
    content = schemas.PictureRemoved(outcome="picture_removed", exit_code=0, user=user)
    return OutcomeResponse(content)


@router.delete(PERSON_PATTERN, responses=describe_responses(schemas.Forgotten, 401, 404, 503))
async def forget(user: User, parts: Parts, pool: Pool, token_scope: TokenScope) -> OutcomeResponse:
    """Delete a person's template."""
    with errors_for_http(user):
        name = await pool.run(lambda: forget_person(user, parts.vault))
    return OutcomeResponse(schemas.Forgotten(outcome="forgotten", exit_code=0, user=name))


@router.api_route("/v1/people/{user:path}", methods=["POST", "DELETE"], include_in_schema=False)
async def refuse_name(user: str, token_scope: TokenScope) -> OutcomeResponse:
    """An empty name, or one with a slash: the response says what a name may be."""
    check_user_name(user)
    return message_response("usage", 404, NOT_FOUND)


@router.get("/v1/log", responses=describe_responses(schemas.Log, 401, 503))
async def log(
    parts: Parts, pool: Pool, token_scope: TokenScope, last: Annotated[int, Query(ge=1)] = 1000
) -> OutcomeResponse:
    """The log of unlocks and changes as text, oldest first, after its whole chain was verified.

    last: how many of the newest lines; `earlier` is the number of lines before them.
    """
    entries = await pool.run(parts.vault.read_log)
    lines = describe_entries(entries, zone=timezone.utc)
    unlocked = [one.user for one in reversed(entries[-last:]) if one.outcome == "unlocked"]
    markable = await pool.run(lambda: markable_unlocks(filter(None, unlocked), parts.vault))
    content = schemas.Log(
        outcome="verified",
        exit_code=0,
        entries=len(entries),
        earlier=max(0, len(lines) - last),
        lines=list(lines[-last:]),
        events=[
            schemas.LogEvent(
                at=one.at,
                kind=one.kind,
                user=one.user,
                outcome=one.outcome,
                where=one.where,
                markable=(one.kind, one.outcome) == ("unlock", "unlocked")
                and (one.user, one.at) in markable,
            )
            for one in entries[-last:]
        ],
    )
    return OutcomeResponse(content)


def _one_spelling(user: str) -> str:
    """As the name would be stored, so that two spellings of Unicode are one person's photos.

    What cannot be a name stays, cut to a length that an answer can hold: it is refused later.
    """
    try:
        return check_user_name(user)
    except UsageError:
        return user[: schemas.MAX_NAME + 1]


def _person_of_many(found: PersonResult) -> schemas.PersonOfMany:
    if found.enrollment is None:
        error = found.error or UsageError("nothing was stored")
        return schemas.PersonOfMany(
            user=found.user,
            outcome=error.outcome.value,
            error=words_for_http(found.user, error),
        )
    table = found.enrollment.to_dict(found.user)
    fields = schemas.PersonOfMany.model_fields.keys() & table.keys()
    return schemas.PersonOfMany.model_validate({name: table[name] for name in fields})


def list_people(vault: Vault, pipeline: Pipeline, *, after: str, limit: int) -> schemas.People:
    """The next people by name. The quality is known for templates of the pipeline's model."""
    records, more = vault.people_page(after=after, limit=limit)
    neighbours, space = neighbours_in(vault, pipeline.matcher, known=records)
    of_model = [one for one in records.values() if one.model == pipeline.model]
    templates = {one.user: template_of(one, pipeline) for one in of_model}
    enrollments = [(user, Enrollment(one, (), ())) for user, one in templates.items()]
    compared = neighbours.add_all_warnings(enrollments)
    quality = {
        user: _template_quality(one, space, pipeline)
        for user, one in zip(templates, compared, strict=True)
    }
    people = [
        schemas.Person.model_validate(
            {
                "user": record.user,
                "enrolled": record.created_at,
                "model": record.model.name,
                "unlocks": [{"at": one.at, "similarity": one.similarity} for one in record.unlocks],
                "picture": jpeg_data_url(record.thumbnail) if record.thumbnail else None,
                **_kept_fields(record),
                **quality.get(record.user, {}),
            }
        )
        for record in records.values()
    ]
    return schemas.People(outcome="listed", exit_code=0, people=people, more=more)


def _kept_fields(record: Record) -> dict[str, object]:
    kept = kept_times(record)
    return {"follows": kept.follows, "learned": [*kept.learned], "marked": [*kept.marked]}


def _template_quality(
    compared: Enrollment, space: VectorSpace, pipeline: Pipeline
) -> dict[str, object]:
    """The fields of `schemas.Person` that need the template, which was compared with all."""
    template = compared.template
    plain = space.reveal(template.vectors)
    agreement = pipeline.matcher.check_consistency(plain).leave_one_out
    return {
        "photos": len(template.vectors),
        "quality": compared.word,
        "threshold": round(pipeline.matcher.threshold_for(photos=len(template.vectors)).value, 3),
        "agreement": round(min(agreement), 3) if agreement else None,
        "margin": None if compared.margin is None else round(compared.margin, 3),
        "expectation": pipeline.matcher.expectation(photos=len(template.vectors)) or None,
        "look_alikes": [
            {"user": other, "similarity": round(cosine, 3)}
            for other, cosine in compared.look_alikes
        ],
    }
