"""A connection without a running call is closed after a while, whatever the client sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from mien.web.server import IDLE_TIMEOUT_S, Connection

HEADERS = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
WITHOUT_BODY = HEADERS.replace(b"1000000", b"0") + b"\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


@dataclass
class Timer:
    """What call_later returns. The test runs it by hand: no time passes."""

    delay_s: float
    callback: Callable[..., None]
    arguments: tuple[Any, ...]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Loop:
    """The running event loop, except that timers are kept and never run by themselves."""

    real: asyncio.AbstractEventLoop
    timers: list[Timer] = field(default_factory=list)

    def call_later(self, delay_s: float, callback: Callable[..., None], *arguments: Any) -> Timer:
        self.timers.append(Timer(delay_s, callback, arguments))
        return self.timers[-1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def let_idle_timeout_pass(self) -> None:
        """Run each timer of the connection that was not cancelled."""
        for timer in [one for one in self.timers if not one.cancelled]:
            if timer.delay_s == IDLE_TIMEOUT_S:
                self.timers.remove(timer)
                timer.callback(*timer.arguments)


async def respond_at_once(scope: Any, receive: Any, send: Any) -> None:
    """Respond before the body has arrived, as the middleware does to a missing token."""
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b"no"})


def connect(app: Any) -> tuple[Connection, Transport, Loop]:
    """A connection that was just made; needs a running event loop."""
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    loop, transport = Loop(asyncio.get_running_loop()), Transport()
    connection = Connection(config, ServerState(), {}, cast(Any, loop))
    connection.connection_made(transport)
    return connection, transport, loop


async def run_calls(connection: Connection) -> None:
    """Until every call that the connection started has ended."""
    await asyncio.gather(*connection.tasks)


@pytest.mark.parametrize(
    "parts", [(), (b"GET ",), (HEADERS,), (b"G", b"E", b"T")],
    ids=["nothing", "half a line", "endless headers", "byte by byte"],
)  # fmt: skip
def test_a_connection_without_a_complete_request_is_closed(parts: tuple[bytes, ...]) -> None:
    async def check() -> None:
        connection, transport, loop = connect(respond_at_once)
        for part in parts:
            connection.data_received(part)
        assert [timer.cancelled for timer in loop.timers] == [False]  # bytes do not extend it
        loop.let_idle_timeout_pass()
        assert (transport.closed, transport.written) == (True, b"")

    asyncio.run(check())


def test_a_body_that_goes_on_after_the_refusal_does_not_keep_the_connection_open() -> None:
    async def check() -> None:
        connection, transport, loop = connect(respond_at_once)
        connection.data_received(HEADERS + b"\r\n")
        await run_calls(connection)
        connection.data_received(bytes(1000))
        assert transport.written.startswith(b"HTTP/1.1 401")
        assert not transport.closed
        loop.let_idle_timeout_pass()
        assert transport.closed

    asyncio.run(check())


def test_a_running_call_keeps_the_connection_open() -> None:
    async def check() -> None:
        may_end = asyncio.Event()

        async def respond_late(scope: Any, receive: Any, send: Any) -> None:
            await may_end.wait()
            await respond_at_once(scope, receive, send)

        connection, transport, loop = connect(respond_late)
        connection.data_received(WITHOUT_BODY)
        loop.let_idle_timeout_pass()
        assert not transport.closed
        may_end.set()
        await run_calls(connection)
        assert transport.written.startswith(b"HTTP/1.1 401")

    asyncio.run(check())


def test_a_closed_connection_leaves_no_timer_behind() -> None:
    async def check() -> None:
        connection, _, loop = connect(respond_at_once)
        connection.connection_lost(None)
        assert [timer.cancelled for timer in loop.timers] == [True]

    asyncio.run(check())
