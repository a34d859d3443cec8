"""Read a file or a pipe as a buffered stream that ends when the time is up."""

from __future__ import annotations

import math
import os
import select
from collections.abc import Callable

CHUNK_BYTES = 1 << 18


class Stream:
    """A buffered reader. buffer: the bytes that were read and not yet taken."""

    def __init__(self, descriptor: int, left_s: Callable[[], float]) -> None:
        """left_s: gives the seconds that are left; the stream ends when none are."""
        self.buffer = bytearray()
        self._descriptor = descriptor
        self._left_s = left_s
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLIN)

    def fill(self, count: int) -> bool:
        """Read until the buffer has `count` bytes; False if the stream ends before that."""
        while len(self.buffer) < count:
            more = self._read_chunk()
            if not more:
                return False
            self.buffer += more
        return True

    def take(self, count: int) -> bytes:
        """Remove and return the first `count` bytes of the buffer, or all if it has fewer."""
        taken = bytes(self.buffer[:count])
        self.drop(count)
        return taken

    def drop(self, count: int) -> None:
        """Remove the first `count` bytes of the buffer."""
        del self.buffer[:count]

    def read_line(self, limit: int) -> bytes:
        """The bytes up to and with the next line feed, at most `limit` of them."""
        while (end := self.buffer.find(b"\n", 0, limit)) < 0:
            if len(self.buffer) >= limit or not self.fill(len(self.buffer) + 1):
                return self.take(limit)
        return self.take(end + 1)

    def _read_chunk(self) -> bytes:
        # never read before bytes are there: a writer that stops must not block the reader
        while (left_s := self._left_s()) > 0:
            if self._ready.poll(math.ceil(left_s * 1000)):
                return os.read(self._descriptor, CHUNK_BYTES)
        return b""
