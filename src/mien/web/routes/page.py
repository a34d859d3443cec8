"""The page: its files by name. A path that a client sends is never opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

PAGE_DIR = Path(__file__).parents[1] / "page"
MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",  # translations
    ".svg": "image/svg+xml",
}


def create_router() -> APIRouter:
    """One route for each file; index.html is /."""
    router = APIRouter(include_in_schema=False)
    for path in sorted(PAGE_DIR.iterdir()):
        if path.suffix in MEDIA_TYPES:
            address = "/" if path.name == "index.html" else f"/{path.name}"
            router.add_api_route(address, _send_file(path), methods=["GET"])
    return router


def _send_file(path: Path) -> Callable[[], Awaitable[Response]]:
    async def send() -> Response:
        return FileResponse(path, media_type=f"{MEDIA_TYPES[path.suffix]}; charset=utf-8")

    return send
