"""Whoever connects and then asks nothing, or never ends, is hung up on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from mien.web.server import Connection

SOON_S = 0.02
ASK = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"


class Hasty(Connection):
    idle_timeout_s = SOON_S


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    """Answers before the body is there, as the guard does without a token."""
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b"no"})


async def works_long(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(4 * SOON_S)
    await refuses(scope, receive, send)


async def said(app: Any, *parts: bytes) -> bytes:
    """All that comes back until the service hangs up."""
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Hasty(config, state, {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    server.close()
    return answer


@pytest.mark.parametrize(
    "parts", [(), (b"GET ",), (ASK,)], ids=["silent", "half a line", "headers"]
)
def test_a_request_that_does_not_come_is_hung_up_on(parts: tuple[bytes, ...]) -> None:
    assert asyncio.run(said(refuses, *parts)) == b""


def test_a_body_that_goes_on_after_its_refusal_is_hung_up_on() -> None:
    answer = asyncio.run(said(refuses, ASK + b"\r\n", bytes(1000)))
    assert answer.startswith(b"HTTP/1.1 401")


def test_work_that_takes_longer_is_waited_for() -> None:
    answer = asyncio.run(said(works_long, ASK.replace(b"1000000", b"0") + b"\r\n"))
    assert answer.startswith(b"HTTP/1.1 401")
