"""Receive the body of a request within limits of bytes, memory and time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from mien.web.asgi import Message, Receive, RequestState
from mien.web.responses import OutcomeResponse, busy_response, message_response

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """max_bytes: of one body. total_bytes: of all bodies that are in memory at the same time.

    timeout_s: how long a body may take to arrive.
    """

    max_bytes: int = 32 * MIB
    total_bytes: int = 256 * MIB
    timeout_s: float = 30.0


class BodyRefused(Exception):
    """The body is not read any further; `BodyReader.refusal` is the response."""


class BodyMemory:
    """The memory for all request bodies together, in bytes; one client gets half of it at most."""

    def __init__(self, size: int) -> None:
        self._free, self._for_each = size, size // 2
        self._taken: Counter[str] = Counter()

    def has_room_for(self, size: int, client: str) -> bool:
        """Whether a body of this size fits now."""
        return size <= self._free and self._taken[client] + size <= self._for_each

    def reserve(self, size: int, client: str) -> None:
        """Take this much; the caller asks `has_room_for` first."""
        self._free -= size
        self._taken[client] += size

    def release(self, size: int, client: str) -> None:
        """Give this much back."""
        self._free += size
        self._taken[client] -= size
        if not self._taken[client]:
            del self._taken[client]  # clients come and go


class BodyReader:
    """Receives the body of one request within the limits. clock: seconds, monotonic.

    refusal: the response, once the body was refused. A framework may already have made a
    response of its own from the BodyRefused that `receive` raised; this one is sent instead.
    """

    def __init__(
        self,
        receive: Receive,
        state: RequestState,
        *,
        limits: BodyLimits,
        memory: BodyMemory,
        clock: Callable[[], float],
    ) -> None:
        self.refusal: OutcomeResponse | None = None
        self._receive, self._state = receive, state
        self._limits, self._memory, self._clock = limits, memory, clock
        self._deadline = clock() + limits.timeout_s
        self._reserved, self._complete = 0, False

    async def receive(self) -> Message:
        """The next ASGI message. Raises BodyRefused."""
        if self._complete:  # only the disconnect can follow, and it has no deadline
            return await self._receive()
        try:
            left_s = max(0.0, self._deadline - self._clock())
            message = await asyncio.wait_for(self._receive(), left_s)
        except asyncio.TimeoutError as error:  # not the builtin one before Python 3.11
            self.refusal = _too_slow(self._limits)
            raise BodyRefused from error
        self._reserve(len(message.get("body", b"")))
        self._complete = not message.get("more_body", False)
        return message

    def release(self) -> None:
        """Free the memory of this body, at the end of the request."""
        self._memory.release(self._reserved, self._state.client)
        self._reserved = 0

    def _reserve(self, size: int) -> None:
        if self._reserved + size > self._limits.max_bytes:
            self.refusal = too_large(self._limits)
            raise BodyRefused
        if not self._memory.has_room_for(size, self._state.client):
            self.refusal = busy_response()
            raise BodyRefused
        self._memory.reserve(size, self._state.client)
        self._reserved += size


def too_large(limits: BodyLimits) -> OutcomeResponse:
    """The response to a body of more bytes than one may have."""
    message = f"the request is larger than {limits.max_bytes} bytes; send fewer or smaller photos"
    return message_response("too_large", 413, message)


def _too_slow(limits: BodyLimits) -> OutcomeResponse:
    message = f"the request did not arrive within {limits.timeout_s:g} s"
    # the rest of the body is not waited for
    return message_response("too_slow", 408, message, Connection="close")
