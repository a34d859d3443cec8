"""What goes wrong in a route, as an answer in one line."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from mien.errors import MienError, UsageError
from mien.web.access import no_token
from mien.web.pool import Busy
from mien.web.responses import busy, refused, told

NOTHING = "there is nothing here"
WORDS = {404: NOTHING, 405: "not with this method"}


class NoToken(Exception):
    """The guard let nobody in, so nothing is done."""


def answer_faults(app: FastAPI) -> None:
    """Every exception has its answer; nothing of Python is shown."""
    app.add_exception_handler(MienError, _of_mien)
    app.add_exception_handler(Busy, _too_many)
    app.add_exception_handler(NoToken, _nobody)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _fault)


async def _of_mien(request: Request, error: Exception) -> Response:
    assert isinstance(error, MienError)
    return refused(error)


async def _too_many(request: Request, error: Exception) -> Response:
    return busy()


async def _nobody(request: Request, error: Exception) -> Response:
    return no_token()


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    where = ", ".join(str(one["loc"][-1]) for one in error.errors())[:200]
    return refused(UsageError(f"the request is wrong or lacks something: {where}"))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = told("usage", error.status_code, WORDS.get(error.status_code, "a bad request"))
    answer.headers.update(error.headers or {})  # Allow, of a method that is not
    return answer


async def _fault(request: Request, error: Exception) -> Response:
    return told("fault", 500, "something broke; the door stays locked, mien doctor may say why")
