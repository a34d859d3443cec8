"""Every exception that leaves a route becomes a response with a one-line message."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from mien.errors import MienError, UsageError
from mien.web.auth import NotAuthenticated
from mien.web.pool import PoolFull
from mien.web.responses import (
    busy_response,
    error_response,
    internal_error_response,
    message_response,
    token_required_response,
)

NOT_FOUND = "there is no such address"
MESSAGES = {404: NOT_FOUND, 405: "this address does not accept this method"}


def add_error_handlers(app: FastAPI) -> None:
    """Register a handler for every exception; no response shows a traceback."""
    app.add_exception_handler(MienError, _handle_mien_error)
    app.add_exception_handler(PoolFull, _handle_pool_full)
    app.add_exception_handler(NotAuthenticated, _handle_not_authenticated)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(Exception, _handle_unexpected)


async def _handle_mien_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MienError)
    return error_response(error)


async def _handle_pool_full(request: Request, error: Exception) -> Response:
    return busy_response()


async def _handle_not_authenticated(request: Request, error: Exception) -> Response:
    return token_required_response()


async def _handle_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = ", ".join(str(one["loc"][-1]) for one in error.errors())[:200]
    return error_response(UsageError(f"missing or invalid in the request: {fields}"))


async def _handle_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = MESSAGES.get(error.status_code, "the request is malformed")
    response = message_response("usage", error.status_code, message)
    response.headers.update(error.headers or {})  # such as Allow, with 405
    return response


async def _handle_unexpected(request: Request, error: Exception) -> Response:
    return internal_error_response("internal error; nothing was unlocked")
