"""A connection without a running call is closed after a while, whatever the client sends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from mien.web.connection import (
    IDLE_TIMEOUT_S,
    MAX_CONNECTIONS,
    MAX_PER_ADDRESS,
    Connection,
)
from mien.web.responses import SECURITY_HEADERS

HEADERS = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
WITHOUT_BODY = HEADERS.replace(b"1000000", b"0") + b"\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.address = "192.0.2.1"

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self.address, 1234) if name == "peername" else default


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


class Server:
    """Accepts connections from any address; each is idle for a second longer than the next."""

    def __init__(self, app: Any) -> None:
        self._config = uvicorn.Config(app, log_config=None, lifespan="off")
        self._config.load()
        self._state = ServerState()
        self._loop = Loop(asyncio.get_running_loop())
        self._seconds = iter(range(1_000_000))
        self._loop.time = lambda: next(self._seconds)  # type: ignore[attr-defined]

    def accept(self, address: str) -> tuple[Connection, Transport]:
        transport = Transport()
        transport.address = address
        connection = Connection(self._config, self._state, {}, cast(Any, self._loop))
        connection.connection_made(transport)
        return connection, transport


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


def test_of_too_many_connections_of_an_address_the_one_idle_longest_is_closed() -> None:
    async def check() -> None:
        may_end = asyncio.Event()

        async def respond_late(scope: Any, receive: Any, send: Any) -> None:
            await may_end.wait()
            await respond_at_once(scope, receive, send)

        server = Server(respond_late)
        busy, busy_transport = server.accept("192.0.2.1")
        busy.data_received(WITHOUT_BODY)
        idle = [server.accept("192.0.2.1")[1] for _ in range(MAX_PER_ADDRESS - 1)]
        other = server.accept("192.0.2.2")[1]
        assert not any(one.closed for one in [*idle, other])
        server.accept("192.0.2.1")
        assert [one.closed for one in idle] == [True] + [False] * (MAX_PER_ADDRESS - 2)
        assert (busy_transport.closed, other.closed) == (False, False)
        may_end.set()
        await run_calls(busy)

    asyncio.run(check())


def test_a_connection_that_sent_something_outlasts_those_that_sent_nothing() -> None:
    async def check() -> None:
        server = Server(respond_at_once)
        first, transport = server.accept("192.0.2.1")
        first.data_received(HEADERS)
        silent = [server.accept("192.0.2.1")[1] for _ in range(2 * MAX_PER_ADDRESS)]
        assert sum(one.closed for one in silent) == MAX_PER_ADDRESS + 1
        assert not transport.closed

    asyncio.run(check())


def test_of_too_many_connections_in_all_the_address_with_the_most_loses_one() -> None:
    async def check() -> None:
        server = Server(respond_at_once)
        many = [server.accept("192.0.2.1")[1] for _ in range(MAX_PER_ADDRESS)]
        few = [
            server.accept(f"198.51.100.{number}")[1]
            for number in range(MAX_CONNECTIONS - MAX_PER_ADDRESS)
        ]
        new = server.accept("203.0.113.1")[1]
        assert [one.closed for one in many] == [True] + [False] * (MAX_PER_ADDRESS - 1)
        assert not any(one.closed for one in [*few, new])

    asyncio.run(check())


def test_a_new_connection_is_closed_if_every_other_one_runs_a_call() -> None:
    async def check() -> None:
        async def respond_never(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.Event().wait()

        server = Server(respond_never)
        busy = [server.accept("192.0.2.1") for _ in range(MAX_PER_ADDRESS)]
        for connection, _ in busy:
            connection.data_received(WITHOUT_BODY)
        new = server.accept("192.0.2.1")[1]
        assert new.closed
        assert not any(transport.closed for _, transport in busy)
        for connection, _ in busy:
            for task in connection.tasks:
                task.cancel()

    asyncio.run(check())


def test_the_answer_to_what_is_no_http_has_the_security_headers() -> None:
    async def check() -> None:
        connection, transport, _ = connect(respond_at_once)
        connection.data_received(b"\x16\x03 no HTTP\r\n\r\n")
        assert transport.written.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        head = transport.written.lower()
        for name, value in SECURITY_HEADERS:
            assert name + b": " + value.lower() in head
        assert transport.closed

    asyncio.run(check())


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))\n"
        "from mien.web.connection import raise_file_limit; raise_file_limit()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout.decode().strip() == "(300, 300)"
