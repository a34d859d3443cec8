"""What the service is made of, and how a route gets at it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from mien.app.pipeline import Pipeline
from mien.errors import UsageError, quote
from mien.results import ModelId
from mien.vault.vault import Vault
from mien.web.auth import NotAuthenticated, PageTicket, TokenStore
from mien.web.blank_limit import BlankLimit
from mien.web.challenges import Challenges
from mien.web.log import LogClock, now_utc
from mien.web.metrics import Metrics, tenant_label
from mien.web.middleware import RequestLimits
from mien.web.pool import ClientPool, WorkerPool
from mien.web.readiness import Readiness
from mien.web.usage import Usage


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """pipeline_of: the pipeline of a model, or of None, the default one; called from any thread.

    page_ticket: of the page; None without a page. challenges: None where several processes serve,
    since each frame must reach the same one. needs_challenge: photos unlock nothing, a challenge
    does. usage: of all processes of the service.
    """

    vault: Vault
    pipeline_of: Callable[[ModelId | None], Pipeline]
    tokens: TokenStore
    pool: WorkerPool
    limits: RequestLimits
    metrics: Metrics = field(default_factory=Metrics)
    clock: LogClock = now_utc
    page_ticket: PageTicket | None = None
    challenges: Challenges | None = None
    needs_challenge: bool = False
    readiness: Readiness = field(init=False)
    usage: Usage = field(default_factory=Usage)
    blanks: BlankLimit = field(init=False)

    def __post_init__(self) -> None:
        check = self._check_ready
        object.__setattr__(self, "readiness", Readiness(check, time.monotonic))
        object.__setattr__(self, "blanks", BlankLimit(time.time, self.usage))

    def _check_ready(self) -> None:
        self.pipeline_of(None)
        vault_id = self.vault.vault_id()
        if vault_id is not None:
            self.metrics.tenant = tenant_label(vault_id)


async def _parts_of(request: Request) -> ServiceParts:
    parts: ServiceParts = request.app.state.parts
    return parts


async def _token_scope_of(request: Request) -> str:
    token_scope: str | None = request.scope["mien"].token_scope
    if token_scope is None:  # the table of scopes lacks this route
        raise NotAuthenticated
    return token_scope


async def _pool_of(request: Request) -> ClientPool:
    parts: ServiceParts = request.app.state.parts
    return parts.pool.of(request.scope["mien"].client)


LISTS = ("photos", "users")


async def expect_single_fields(request: Request) -> None:
    """UsageError for a form field that is sent twice: two readers could take another one each.

    Only those of `LISTS` may be. Without a token no body is read.
    """
    if request.method != "POST" or request.scope["mien"].token_scope is None:
        return
    counts = Counter(name for name, _ in (await request.form()).multi_items())
    for name, count in counts.items():
        if count > 1 and name not in LISTS:
            raise UsageError(f"the field {quote(name)} is repeated; send it once")


Parts = Annotated[ServiceParts, Depends(_parts_of)]
Pool = Annotated[ClientPool, Depends(_pool_of)]
"""The worker pool for this client's calls."""

TokenScope = Annotated[str, Depends(_token_scope_of)]
"""The scope of the request's token, which the middleware found to be enough for the route."""
