"""What the service is made of, and how a route gets at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from mien.app.pipeline import Pipeline
from mien.results import ModelId
from mien.vault.vault import Vault
from mien.web.auth import NotAuthenticated, TokenStore
from mien.web.log import LogClock, now_utc
from mien.web.metrics import Metrics
from mien.web.middleware import RequestLimits
from mien.web.pool import WorkerPool


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """pipeline_of: the pipeline of a model, or of None, the default one; called from any thread."""

    vault: Vault
    pipeline_of: Callable[[ModelId | None], Pipeline]
    tokens: TokenStore
    pool: WorkerPool
    limits: RequestLimits
    metrics: Metrics = field(default_factory=Metrics)
    clock: LogClock = now_utc


async def _parts_of(request: Request) -> ServiceParts:
    parts: ServiceParts = request.app.state.parts
    return parts


async def _token_scope_of(request: Request) -> str:
    token_scope: str | None = request.scope["mien"].token_scope
    if token_scope is None:  # the table of scopes lacks this route
        raise NotAuthenticated
    return token_scope


Parts = Annotated[ServiceParts, Depends(_parts_of)]
TokenScope = Annotated[str, Depends(_token_scope_of)]
"""The scope of the request's token, which the middleware found to be enough for the route."""
