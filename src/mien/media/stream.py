"""The bytes of a file or a pipe, in order, and no longer than there is time."""

from __future__ import annotations

import math
import os
import select
from collections.abc import Callable

CHUNK_BYTES = 1 << 18


class Stream:
    """held: what was read and not yet taken, from the first byte that was not taken."""

    def __init__(self, descriptor: int, left_s: Callable[[], float]) -> None:
        """left_s: seconds until the time is up; the stream ends there, as at its end."""
        self.held = bytearray()
        self._descriptor = descriptor
        self._left_s = left_s
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLIN)

    def reach(self, count: int) -> bool:
        """Hold at least so many bytes; False where the stream ends before."""
        while len(self.held) < count:
            more = self._more()
            if not more:
                return False
            self.held += more
        return True

    def take(self, count: int) -> bytes:
        """So many of the bytes that are held, or all where there are fewer."""
        taken = bytes(self.held[:count])
        self.drop(count)
        return taken

    def drop(self, count: int) -> None:
        del self.held[:count]

    def line(self, limit: int) -> bytes:
        """Up to a line feed, and with it; cut at the limit, and at the end of the stream."""
        while (end := self.held.find(b"\n", 0, limit)) < 0:
            if len(self.held) >= limit or not self.reach(len(self.held) + 1):
                return self.take(limit)
        return self.take(end + 1)

    def _more(self) -> bytes:
        # a writer that stops must not hang the door: never read before there is something
        while (left_s := self._left_s()) > 0:
            if self._ready.poll(math.ceil(left_s * 1000)):
                return os.read(self._descriptor, CHUNK_BYTES)
        return b""
