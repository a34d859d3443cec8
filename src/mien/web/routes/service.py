"""Is the service up, is it ready, and what has it done?"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from mien.web import schemas
from mien.web.auth import NotAuthenticated
from mien.web.dependencies import Parts, TokenScope
from mien.web.metrics import CONTENT_TYPE
from mien.web.openapi import POST_ERRORS, describe_responses
from mien.web.responses import OutcomeResponse

READY_LIMIT_S = 4.0  # a scraper waits 10 s for the metrics

router = APIRouter(tags=["service"])


@router.get("/v1/health", responses=describe_responses(schemas.Health))
async def health() -> Response:
    """The process responds."""
    return JSONResponse(schemas.Health(status="ok").model_dump())


@router.get("/v1/ready", responses=describe_responses(schemas.Ready, 503))
async def ready(parts: Parts) -> Response:
    """The models are loaded and the vault opens, so a call would be processed."""
    await parts.readiness.wait()
    return OutcomeResponse(schemas.Ready(outcome="ready"))


@router.post("/v1/session", responses=describe_responses(schemas.Session, *POST_ERRORS))
async def begin_session(request: Request, parts: Parts) -> Response:
    """Swap the ticket of the printed address for a token: Authorization: Ticket TICKET."""
    if parts.page_ticket is None:
        raise NotAuthenticated
    token = parts.page_ticket.redeem(request.headers.get("authorization", ""))
    return OutcomeResponse(schemas.Session(outcome="done", token=token))


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=describe_responses(None, 401),
)
async def metrics(parts: Parts, token_scope: TokenScope) -> Response:
    """Counters in the Prometheus text format, and whether models and vault work now."""
    is_ready = await parts.readiness.is_ready(within_s=READY_LIMIT_S)
    return Response(parts.metrics.render(is_ready=is_ready), media_type=CONTENT_TYPE)
