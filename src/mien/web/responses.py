"""Outcomes as HTTP: which status, which JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from mien.app.messages import decision_data
from mien.errors import (
    AlreadyEnrolled,
    EnrollmentRefused,
    ExitCode,
    MienError,
    TooManyAttempts,
)
from mien.results import Decision

STATUS = {
    ExitCode.UNLOCKED: 200,
    ExitCode.NOT_THE_OWNER: 403,
    ExitCode.USAGE: 400,
    ExitCode.NO_FACE: 422,
    ExitCode.SEVERAL_FACES: 422,
    ExitCode.UNREADABLE_IMAGE: 422,
    ExitCode.NOT_ENROLLED: 404,
    ExitCode.TOO_MANY_ATTEMPTS: 429,
    ExitCode.NOT_LIVE: 403,
}
"""Of an outcome; what is not here is a fault on our side, 500."""

OUTSIDE = ("outcome", "exit_code", "reason")
"""What of a decision whoever may only try is told: a similarity would help to get in."""


class OutcomeResponse(JSONResponse):
    """JSON with an outcome, which the log of the service gets, too."""

    def __init__(
        self,
        data: Mapping[str, object],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data, status_code, headers)
        self._outcome = str(data["outcome"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "mien" in scope:
            scope["mien"].outcome = self._outcome
        await super().__call__(scope, receive, send)


def decided(decision: Decision, *, all_of_it: bool, **more: object) -> OutcomeResponse:
    """The answer to a try. all_of_it: with similarity, threshold, odds and face."""
    data = decision_data(decision)
    if not all_of_it:
        data = {key: data[key] for key in OUTSIDE}
    return OutcomeResponse({**data, **more}, STATUS[decision.outcome])


def refused(error: MienError) -> OutcomeResponse:
    """The answer to what went wrong, in one line."""
    code = ExitCode(error.exit_code)
    status = STATUS.get(code, 500)
    if isinstance(error, AlreadyEnrolled):
        status = 409
    if isinstance(error, EnrollmentRefused):
        status = 422
    headers = {}
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(max(1, math.ceil(error.wait_s)))
    data = {"outcome": code.name.lower(), "exit_code": int(code), "error": str(error)}
    return OutcomeResponse(data, status, headers)


def told(outcome: str, status: int, words: str, **headers: str) -> OutcomeResponse:
    """An answer that no command has: busy, no token, no such route."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return OutcomeResponse({"outcome": outcome, "error": words}, status, named)


def busy() -> OutcomeResponse:
    """503: come back in a second."""
    words = "too many calls at once; try again in a second"
    return told("busy", 503, words, Retry_After="1")
