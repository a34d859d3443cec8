"""The description of the service, as true as its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from mien.web.access import NEEDS
from mien.web.schemas import Error

SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "mien_...",
    "description": "Made by `mien token create NAME --scope SCOPE`. Each scope may what the one"
    " before it may: **unlock** tries doors and is told outcome and reason; **enroll** is told the"
    " numbers, enrolls, compares, looks, lists, explores; **admin** forgets, reads the log and the"
    " metrics. An operation names the scope that it needs.",
}

WORDS = {
    400: "the request is wrong; malformed input too is this, and not 422",
    401: "no token, or one that is not known",
    403: "the token's scope is too small, or the request comes from a page of another site",
    404: "this name is not enrolled",
    408: "the body came too slowly",
    409: "the name is enrolled already",
    413: "the body is too large",
    421: "another host than this",
    422: "the photos do not serve: no face, several, no picture, or different people",
    429: "too many attempts",
    500: "the vault, its key or a model: `outcome` says which",
    503: "too much at once",
}
RETRIES = (429, 503)
ALWAYS = (400, 403, 421, 500)


def says(
    good: type[BaseModel] | None, *also: int, no: type[BaseModel] | None = None
) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route, besides those that every route has.

    good: None for what is no JSON. also: statuses of errors. no: what 403 and 422 hold where
    the photo's answer is no.
    """
    done: dict[str, Any] = {"description": "done"} | ({} if good is None else {"model": good})
    found: dict[int | str, dict[str, Any]] = {200: done}
    found |= {status: _error(status) for status in (*ALWAYS, *also)}
    if no is not None:
        found[403] = {
            "model": no | Error,
            "description": f"not the owner, or a name that nobody has; or {WORDS[403]}",
        }
        found[422] = {"model": no | Error, "description": WORDS[422]}
    return found


def describe(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """In place of `app.openapi`, which knows neither tokens nor what a malformed request gets."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = plain()
            for path, operations in made["paths"].items():
                for method, operation in operations.items():
                    _complete(operation, NEEDS[method.upper(), path])
            schemas = made["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            made["components"]["securitySchemes"] = {"token": SCHEME}
            app.openapi_schema = made
        return app.openapi_schema

    return described


def _complete(operation: dict[str, Any], wanted: str | None) -> None:
    answers = operation["responses"]
    # what FastAPI would answer to malformed input, had mien not its own words for it
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    if wanted is not None:
        operation["security"] = [{"token": [wanted]}]


def _error(status: int) -> dict[str, Any]:
    # by its name and not as a model, which would take the media type of its route
    schema = {"$ref": f"#/components/schemas/{Error.__name__}"}
    found: dict[str, Any] = {
        "description": WORDS[status],
        "content": {"application/json": {"schema": schema}},
    }
    if status in RETRIES:
        found["headers"] = {
            "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}
        }
    return found
