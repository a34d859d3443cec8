"""The ASGI application: the routes behind the middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from starlette.formparsers import MultiPartParser

from mien import __version__
from mien.web.dependencies import ServiceParts, expect_single_fields
from mien.web.error_handlers import add_error_handlers
from mien.web.log import WriteLine, write_line
from mien.web.middleware import Middleware
from mien.web.openapi import complete_openapi
from mien.web.routes import challenge, door, kept, lab, page, people, service


def create_app(
    parts: ServiceParts, *, with_page: bool = True, log: WriteLine = write_line
) -> Middleware:
    """The whole service. with_page: serve the page at /, too."""
    # a photo must never touch the disk: forms stay in memory, within the middleware's limit
    MultiPartParser.spool_max_size = parts.limits.body.max_bytes + 1
    app = _create_api(_close_at_end(parts))
    app.state.parts = parts
    add_error_handlers(app)
    if with_page:
        app.include_router(page.create_router())
    complete_openapi(app)
    return Middleware(
        app,
        parts.limits,
        parts.metrics,
        parts.tokens,
        now=parts.clock,
        log=log,
        pool_is_full=parts.pool.is_full,
        usage=parts.usage,
    )


def describe_api() -> dict[str, Any]:
    """The OpenAPI description of the service, without starting one."""
    app = _create_api(None)
    complete_openapi(app)
    return app.openapi()


def _create_api(
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None,
) -> FastAPI:
    app = FastAPI(
        title="mien",
        version=__version__,
        summary="Face unlock that you can trust",
        docs_url=None,  # these two would load scripts from another site
        redoc_url=None,
        redirect_slashes=False,  # a wrong address is an error, not a redirect
        openapi_url="/v1/openapi.json",
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
    )
    for module in (door, challenge, kept, people, lab, service):
        app.include_router(module.router, dependencies=[Depends(expect_single_fields)])
    return app


def _close_at_end(
    parts: ServiceParts,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        parts.pool.close()  # running calls are finished first
        parts.readiness.close()
        if parts.challenges is not None:
            parts.challenges.end_idle(all_of_them=True)
        parts.vault.close()
        parts.usage.close()

    return lifespan
