"""Outcomes as HTTP responses: the status, the headers and the JSON of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from mien.app.reference import MARKED
from mien.errors import (
    AlreadyEnrolled,
    AnotherFace,
    EnrollmentRefused,
    MienError,
    Outcome,
    TooManyAttempts,
)
from mien.matching.policy import NOT_SIMILAR_ENOUGH
from mien.results import Decision
from mien.web import schemas

STATUS_OF_OUTCOME = {
    Outcome.UNLOCKED: 200,
    Outcome.NOT_THE_OWNER: 403,
    Outcome.USAGE: 400,
    Outcome.NO_FACE: 422,
    Outcome.SEVERAL_FACES: 422,
    Outcome.UNREADABLE_IMAGE: 422,
    Outcome.NOT_ENROLLED: 404,
    Outcome.TOO_MANY_ATTEMPTS: 429,
    Outcome.NOT_LIVE: 403,
}
"""An outcome that is not listed is a fault of the service: 500."""

KINDS: Mapping[type[MienError], str] = {
    AlreadyEnrolled: "already_enrolled",
    AnotherFace: "another_face",
}
"""The errors about which a client can ask its user."""

UNLOCK_SCOPE_FIELDS = ("outcome", "exit_code", "reason")
"""The fields of a decision for scope unlock, without the similarity, which helps an attacker."""

NOT_SIMILAR = {
    "outcome": Outcome.NOT_THE_OWNER.value,
    "exit_code": int(Outcome.NOT_THE_OWNER.exit_code),
    "reason": NOT_SIMILAR_ENOUGH,
}

SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
        b" connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none';"
        b" frame-ancestors 'none'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)
"""The middleware adds these to every response."""


class OutcomeResponse(Response):
    """A response model as JSON. Its outcome is also what the service's log records.

    Fields that were not set when the model was made are left out.
    """

    media_type = "application/json"

    def __init__(
        self,
        content: schemas.OutcomeModel,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(content.model_dump_json(exclude_unset=True), status_code, headers)
        self._outcome = content.outcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "mien" in scope:
            scope["mien"].outcome = self._outcome
        await super().__call__(scope, receive, send)


def decision_response(decision: Decision, *, with_scores: bool) -> OutcomeResponse:
    """The response to unlock and compare.

    with_scores: include similarity, threshold, odds and face.
    """
    content = schemas.Decision.model_validate(_decision_fields(decision, with_scores))
    return OutcomeResponse(content, STATUS_OF_OUTCOME[decision.outcome])


def challenge_needed_response() -> OutcomeResponse:
    """The response to a photo where a challenge unlocks: a saved photo proves no life."""
    message = "this service unlocks by a challenge only; POST /v1/challenge begins one"
    return message_response(Outcome.NOT_LIVE.value, 403, message)


def challenge_response(decision: Decision, *, with_scores: bool) -> OutcomeResponse:
    """The response to the last frame of a challenge. with_scores: as for `decision_response`."""
    fields = _decision_fields(decision, with_scores)
    if with_scores and decision.liveness is not None:
        fields["liveness"] = decision.liveness.to_dict()
    content = schemas.ChallengeFrame.model_validate(fields)
    return OutcomeResponse(content, STATUS_OF_OUTCOME[decision.outcome])


def identification_response(
    decision: Decision, user: str | None, also: Sequence[str] = (), *, with_scores: bool
) -> OutcomeResponse:
    """The response to identify. user: who it is, or None. also: others, told with the scores."""
    fields = _decision_fields(decision, with_scores) | {"user": user}
    if with_scores:
        fields["also"] = [*also]
    content = schemas.Identification.model_validate(fields)
    return OutcomeResponse(content, STATUS_OF_OUTCOME[decision.outcome])


def _decision_fields(decision: Decision, with_scores: bool) -> dict[str, object]:
    fields = decision.to_dict()
    if with_scores:
        return fields
    # told to strangers in the words of any refusal
    if decision.outcome is Outcome.NOT_LIVE or decision.reason == MARKED:
        fields |= NOT_SIMILAR
    return {name: value for name, value in fields.items() if name in UNLOCK_SCOPE_FIELDS}


def error_response(error: MienError) -> OutcomeResponse:
    """The response to an expected error, with its one-line message."""
    status = STATUS_OF_OUTCOME.get(error.outcome, 500)
    if isinstance(error, AlreadyEnrolled):
        status = 409
    if isinstance(error, EnrollmentRefused):
        status = 422
    headers = {}
    if isinstance(error, TooManyAttempts):
        # rounded up: a client that waits this long must not be refused once more
        headers["Retry-After"] = str(max(1, math.ceil(error.wait_s)))
    fields: dict[str, object] = {
        "outcome": error.outcome.value,
        "exit_code": int(error.exit_code),
        "error": str(error),
    }
    if type(error) in KINDS:
        fields["kind"] = KINDS[type(error)]
    return OutcomeResponse(schemas.Error.model_validate(fields), status, headers)


def message_response(outcome: str, status: int, message: str, **headers: str) -> OutcomeResponse:
    """A response whose outcome only HTTP has: busy, no token, no such route.

    headers: `Retry_After="1"` becomes `Retry-After: 1`.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return OutcomeResponse(schemas.Error(outcome=outcome, error=message), status, named)


def internal_error_response(message: str) -> OutcomeResponse:
    """500: the service itself failed; this never means that a face was refused."""
    outcome = Outcome.INTERNAL_ERROR
    content = schemas.Error(outcome=outcome.value, exit_code=int(outcome.exit_code), error=message)
    return OutcomeResponse(content, 500)


def busy_response() -> OutcomeResponse:
    """503: the service has no room for the call; try again in a second."""
    message = "the service is busy; try again in a second"
    return message_response("busy", 503, message, Retry_After="1")


def token_required_response() -> OutcomeResponse:
    """401: the request carries no known token."""
    message = "a valid token is required; to create one: mien token create NAME"
    return message_response("no_token", 401, message, WWW_Authenticate="Bearer")
