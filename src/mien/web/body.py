"""The body of a request while it arrives: not too large, not too slow, and with all the others
not more than the memory that was set aside for bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from mien.web.responses import OutcomeResponse, busy, told

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """of_one, of_all: bytes of one body, and of all that are there at the same time.

    arrives_s: how long a body may take to arrive.
    """

    of_one: int = 32 * MIB
    of_all: int = 256 * MIB
    arrives_s: float = 30.0


class BodyRefused(Exception):
    """The body is not read any further; `Body.refusal` says why."""


class Room:
    """What is left of the memory for bodies."""

    def __init__(self, size: int) -> None:
        self._left = size

    def has(self, size: int) -> bool:
        """Whether a body of this size would find place now."""
        return size <= self._left

    def take(self, size: int) -> None:
        """Less than nothing is never left: ask `has` first."""
        self._left -= size

    def give_back(self, size: int) -> None:
        """The other way."""
        self._left += size


class Body:
    """Hands out what arrives, within the limits. clock: seconds that only rise.

    refusal: the answer, once the body was refused. A framework may have made an answer of its
    own of the BodyRefused that `receive` raised, and this one is to be sent in its place.
    """

    def __init__(
        self, receive: Receive, *, limits: BodyLimits, room: Room, clock: Callable[[], float]
    ) -> None:
        self.refusal: OutcomeResponse | None = None
        self._receive, self._limits, self._room, self._clock = receive, limits, room, clock
        self._until = clock() + limits.arrives_s
        self._held, self._ended = 0, False

    async def receive(self) -> Message:
        """As ASGI has it. Raises BodyRefused."""
        if self._ended:  # what comes now is the news that the caller left: no hurry
            return await self._receive()
        try:
            left_s = max(0.0, self._until - self._clock())
            message = await asyncio.wait_for(self._receive(), left_s)
        except asyncio.TimeoutError as error:  # before Python 3.11 not the builtin one
            self.refusal = too_slow(self._limits)
            raise BodyRefused from error
        self._hold(len(message.get("body", b"")))
        self._ended = not message.get("more_body", False)
        return message

    def forget(self) -> None:
        """The request has ended: its memory is free again."""
        self._room.give_back(self._held)
        self._held = 0

    def _hold(self, size: int) -> None:
        if self._held + size > self._limits.of_one:
            self.refusal = too_large(self._limits)
            raise BodyRefused
        if not self._room.has(size):
            self.refusal = busy()
            raise BodyRefused
        self._room.take(size)
        self._held += size


def too_large(limits: BodyLimits) -> OutcomeResponse:
    """413"""
    return told("too_large", 413, f"a request has at most {limits.of_one} bytes")


def too_slow(limits: BodyLimits) -> OutcomeResponse:
    """408; the rest of the body is not waited for."""
    words = f"a body has {limits.arrives_s:g} s to arrive"
    return told("too_slow", 408, words, Connection="close")
