"""Outcomes as HTTP: which status, which JSON."""

from __future__ import annotations

import math

from fastapi.responses import JSONResponse

from mien.answers import decision_data
from mien.errors import (
    AlreadyEnrolled,
    EnrolmentRefused,
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


def decided(decision: Decision, *, all_of_it: bool, **more: object) -> JSONResponse:
    """The answer to a try. all_of_it: with similarity, threshold, odds and face."""
    data = decision_data(decision)
    if not all_of_it:
        data = {key: data[key] for key in OUTSIDE}
    return JSONResponse({**data, **more}, STATUS[decision.outcome])


def refused(error: MienError) -> JSONResponse:
    """The answer to what went wrong, in one line."""
    code = ExitCode(error.exit_code)
    status = STATUS.get(code, 500)
    if isinstance(error, AlreadyEnrolled):
        status = 409
    if isinstance(error, EnrolmentRefused):
        status = 422
    headers = {}
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(max(1, math.ceil(error.wait_s)))
    data = {"outcome": code.name.lower(), "exit_code": int(code), "error": str(error)}
    return JSONResponse(data, status, headers)


def told(outcome: str, status: int, words: str, **headers: str) -> JSONResponse:
    """An answer that no command has: busy, no token, no such route."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"outcome": outcome, "error": words}, status, named)
