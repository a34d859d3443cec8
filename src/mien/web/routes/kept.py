"""What is kept of a person's unlocks: let the template follow the face, and mark wrong unlocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Query

from mien.app.kept_faces import forget_learned, mark_as_wrong, set_following, unmark
from mien.vault import check_user_name
from mien.web import schemas
from mien.web.auth import FOLLOW_PATTERN, LEARNED_PATTERN, NOT_ME_PATTERN
from mien.web.dependencies import Parts, Pool, TokenScope
from mien.web.openapi import POST_ERRORS, describe_responses
from mien.web.people_errors import errors_for_http
from mien.web.pool import ClientPool
from mien.web.responses import OutcomeResponse
from mien.web.routes.people import User
from mien.web.schemas import KeptWord

router = APIRouter(tags=["people"])

At = Annotated[str, Form(max_length=40, examples=["2026-01-31T12:00:00+00:00"])]


@router.post(FOLLOW_PATTERN, responses=describe_responses(schemas.KeptChanged, *POST_ERRORS, 404))
async def follow(
    user: User, on: Annotated[bool, Form()], parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """Let the template learn from unlocks by challenges and cameras; or not, and drop the rest."""
    word: KeptWord = "follow_on" if on else "follow_off"
    return await _change(user, word, pool, lambda: set_following(user, parts.vault, on=on))


@router.delete(
    LEARNED_PATTERN, responses=describe_responses(schemas.KeptChanged, 400, 401, 404, 503)
)
async def remove_learned(
    user: User, parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """Remove all that the template learned; the enrolled photos stay."""
    return await _change(user, "learned_removed", pool, lambda: forget_learned(user, parts.vault))


@router.post(NOT_ME_PATTERN, responses=describe_responses(schemas.KeptChanged, *POST_ERRORS, 404))
async def mark(
    user: User, at: At, parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """The unlock of this time was somebody else, who stays locked from now on.

    at: as the log has it. 400 for an unlock whose face is not kept: those of the last three are.
    """
    return await _change(user, "not_me", pool, lambda: mark_as_wrong(user, parts.vault, at=at))


@router.delete(
    NOT_ME_PATTERN, responses=describe_responses(schemas.KeptChanged, 400, 401, 404, 503)
)
async def remove_mark(
    user: User,
    parts: Parts,
    pool: Pool,
    token_scope: TokenScope,
    at: Annotated[str, Query(max_length=40)],
) -> OutcomeResponse:
    """Remove the mark of the unlock of this time."""
    return await _change(user, "not_me_undone", pool, lambda: unmark(user, parts.vault, at=at))


async def _change(
    user: str, word: KeptWord, pool: ClientPool, change: Callable[[], object]
) -> OutcomeResponse:
    with errors_for_http(user):
        await pool.run(change)
    content = schemas.KeptChanged(outcome=word, exit_code=0, user=check_user_name(user))
    return OutcomeResponse(content)
