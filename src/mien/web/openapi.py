"""The OpenAPI description of the service: scopes, statuses and schemas, as they really are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from mien.web.auth import REQUIRED_SCOPES
from mien.web.schemas import Error

SECURITY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "mien_...",
    "description": "Created by `mien token create NAME --scope SCOPE`. Each scope may do what the"
    " one before it may: **camera** may take part in challenges, with which no saved photo unlocks;"
    " **unlock** may unlock and identify, and gets outcome and reason;"
    " **enroll** also gets the numbers, and may enroll, compare, look, list and explore; **admin**"
    " forgets, and reads the log and the metrics. **metrics** reads the metrics and nothing else."
    " Each operation names the scope that it requires.",
}

DESCRIPTIONS = {
    400: "the request is wrong or malformed; malformed input is never 422",
    401: "no valid token",
    403: "the token's scope is too small, or the request comes from another site",
    404: "this name is not enrolled",
    408: "the body did not arrive in time",
    409: "the name is enrolled already",
    413: "the body is too large",
    421: "the Host header is not one of this service",
    422: "the photos cannot be used: no face, several faces, no picture, or different people",
    429: "too many failed attempts, or more requests than the token may make",
    500: "the vault, its key or a model cannot be used, or an internal error; see `outcome`",
    503: "the service is busy",
}
STATUSES_WITH_RETRY_AFTER = (429, 503)
COMMON_ERRORS = (400, 403, 421, 500)
POST_ERRORS = (401, 408, 413, 503)
ATTEMPT_ERRORS = (*POST_ERRORS, 429)


def describe_responses(
    success: type[BaseModel] | None, *errors: int, refusal: type[BaseModel] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The argument `responses` of a route.

    success: None for a response that is not JSON. errors: the statuses of its own; those of every
    route are added. refusal: what 403 and 422 contain where a decision on a photo is a refusal.
    """
    done: dict[str, Any] = {"description": "done"} | ({} if success is None else {"model": success})
    found: dict[int | str, dict[str, Any]] = {200: done}
    found |= {status: _describe_error(status) for status in (*COMMON_ERRORS, *errors)}
    if refusal is not None:
        found[403] = {
            "model": refusal | Error,
            "description": f"not the owner, or the name is not enrolled; or {DESCRIPTIONS[403]}",
        }
        found[422] = {"model": refusal | Error, "description": DESCRIPTIONS[422]}
    return found


def complete_openapi(app: FastAPI) -> None:
    """Replace `app.openapi`, which knows neither the tokens nor the response to malformed input."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = generate()
            for path, operations in description["paths"].items():
                for method, operation in operations.items():
                    _complete_operation(operation, REQUIRED_SCOPES[method.upper(), path])
            schemas = description["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            description["components"]["securitySchemes"] = {"token": SECURITY_SCHEME}
            app.openapi_schema = description
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete_operation(operation: dict[str, Any], required_scope: str | None) -> None:
    responses = operation["responses"]
    # FastAPI would respond so to malformed input; our handler responds with 400
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    if required_scope is not None:
        operation["security"] = [{"token": [required_scope]}]
        responses.setdefault("429", _describe_error(429))


def _describe_error(status: int) -> dict[str, Any]:
    # by reference, because a model would take the media type of its route
    schema = {"$ref": f"#/components/schemas/{Error.__name__}"}
    found: dict[str, Any] = {
        "description": DESCRIPTIONS[status],
        "content": {"application/json": {"schema": schema}},
    }
    if status in STATUSES_WITH_RETRY_AFTER:
        found["headers"] = {
            "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}
        }
    return found
