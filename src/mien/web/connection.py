"""One HTTP connection: how long it may be idle, and how many there may be."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from mien.web.responses import SECURITY_HEADERS

IDLE_TIMEOUT_S = 20.0
MAX_CONNECTIONS = 512
MAX_PER_ADDRESS = 256
ACCEPTED_AT_ONCE = 64  # far fewer than an address may have: a request is read before its turn
WAITING_CONNECTIONS = 1024
OPEN_FILES = 4096  # the usual limit of 1,024 is soon reached by clients that only connect


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 connection, closed if the client sends no complete request in time.

    That holds for headers that never end, too, and for a body that goes on after its refusal.
    Of too many connections one that sent nothing, or else was idle longest, makes room for a new
    one: of the same address, or of the address with the most. idle_timeout_s: how long a connection
    may stay open while no call is running.
    """

    idle_timeout_s: float = IDLE_TIMEOUT_S
    idle_since: float = 0.0
    has_sent: bool = False
    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.idle_since = self.loop.time()
        self._make_room()
        self._update_timeout()

    def data_received(self, data: bytes) -> None:
        self.has_sent = True
        super().data_received(data)
        self._update_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel_timeout()

    def on_response_complete(self) -> None:
        self.idle_since = self.loop.time()
        super().on_response_complete()
        self._update_timeout()

    def send_400_response(self, msg: str) -> None:
        """The answer to what is no HTTP, with the headers of every other answer."""
        body = msg.encode("ascii", "replace")
        length = str(len(body)).encode()
        headers = (
            *SECURITY_HEADERS,
            (b"content-type", b"text/plain"),
            (b"content-length", length),
            (b"connection", b"close"),
        )
        lines = [b"HTTP/1.1 400 Bad Request", *(name + b": " + value for name, value in headers)]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()

    @property
    def is_idle(self) -> bool:
        """Whether no call runs on it, and it is not being closed."""
        return not self._is_running_call() and not self.transport.is_closing()

    @property
    def address(self) -> str:
        """Of the client, without its port."""
        return self.client[0] if self.client else ""

    def _make_room(self) -> None:
        connections = cast("set[Connection]", self.connections)
        count = Counter(one.address for one in connections if not one.transport.is_closing())
        if count[self.address] > MAX_PER_ADDRESS:
            address = self.address
        elif count.total() > MAX_CONNECTIONS:
            [(address, _)] = count.most_common(1)
        else:
            return
        idle = [one for one in connections if one.is_idle and one.address == address]
        others = [one for one in idle if one is not self]
        victim = min(others, key=lambda one: (one.has_sent, one.idle_since), default=self)
        victim.transport.close()

    def _update_timeout(self) -> None:
        """Further bytes do not extend a running timeout; only a complete request ends it."""
        if self._is_running_call():
            self._cancel_timeout()
        elif self._timeout is None:
            self._timeout = self.loop.call_later(self.idle_timeout_s, self._close_idle)

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _close_idle(self) -> None:
        self._timeout = None
        if self.is_idle:
            self.transport.close()

    def _is_running_call(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


def raise_file_limit() -> None:
    """Let this process have as many files open as it may, up to `OPEN_FILES`."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
