"""Requests of a token that may make so many in a minute and a day."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.web.in_process import HOST, send_request

from mien.web.auth import TokenStore
from mien.web.metrics import Metrics
from mien.web.middleware import Middleware, RequestLimits


def test_a_token_makes_as_many_requests_as_it_may(tmp_path: Path) -> None:
    now, lines = [119.0], list[str]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    middleware = Middleware(
        app,
        RequestLimits(hosts=frozenset({HOST})),
        Metrics(),
        TokenStore(tmp_path / "tokens.json"),
        log=lines.append,
        wall_clock=lambda: now[0],
    )
    made = middleware.tokens.create
    limited = made("door", "admin", created_at="", per_minute=2, per_day=3)
    free = made("gate", "admin", created_at="")

    def ask(secret: str) -> Any:
        return asyncio.run(send_request(middleware, "GET", "/v1/log", token=secret))

    assert [ask(limited).status for _ in range(3)] == [200, 200, 429]
    refused = ask(limited)
    assert refused.headers["retry-after"] == "1"
    assert refused.data["error"] == "this token may make 2 requests a minute; try again in 1 s"
    assert [ask(free).status for _ in range(9)] == [200] * 9
    now[0] = 120.0
    assert ask(limited).status == 200
    refused = ask(limited)
    assert refused.status == 429
    assert "3 requests a day" in refused.data["error"]
    now[0] = 86_400.0
    assert ask(limited).status == 200
