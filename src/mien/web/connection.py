"""A connection on which nothing is worked on does not stay open for ever."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

ASKS_S = 20.0


class Connection(H11Protocol):
    """uvicorn's, with an end to headers that never end and to a body after its refusal.

    asks_s: how long a client may send without anything being worked on; then it is hung up.
    """

    asks_s: float = ASKS_S
    _hang_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        """The first byte starts the time, and so does none; only a whole request ends it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._hang_up is None:
            self._hang_up = self.loop.call_later(self.asks_s, self._too_long)

    def _unwatch(self) -> None:
        if self._hang_up is not None:
            self._hang_up.cancel()
            self._hang_up = None

    def _too_long(self) -> None:
        self._hang_up = None
        at_work = self.cycle is not None and not self.cycle.response_complete
        if not at_work and not self.transport.is_closing():
            self.transport.close()
