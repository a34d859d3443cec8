"""Who may have a transaction of a store in this process: one writer, and some readers beside it.

SQLite counts the locks of a file for the whole process: a child that is forked during a
transaction would believe that it holds the locks of its parent. So a fork waits for the end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

FORK_WAIT_S = 10.0
MAX_READERS = 8


class Turns:
    """One thread at a time may write, and some others read meanwhile.

    readers: how many at most. is_closed: then ValueError. A forked child has turns of its own: the
    threads that had them in the parent do not exist there.
    """

    def __init__(self, *, readers: int = MAX_READERS) -> None:
        self.is_closed = False
        self._most = readers
        self._process = os.getpid()
        self._begin()
        _ALL.add(self)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._writer, self._readers = 0, set[int]()  # ids of threads
        self._waits = 0  # of those who wait for all turns to end, and let nobody begin one

    def is_forked(self) -> bool:
        """Whether this process inherited the turns, which are then free; true only once."""
        if self._process == os.getpid():
            return False
        self._process = os.getpid()
        self._begin()
        return True

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Wait for the turn to write. ValueError inside another one of this thread, once closed."""
        self._expect_none_of_this_thread()
        with self._changed:
            self._changed.wait_for(lambda: not self._waits and not self._writer)
            self._expect_open()
            self._writer = threading.get_ident()
        try:
            yield
        finally:
            with self._changed:
                self._writer = 0
                self._changed.notify_all()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Wait for a turn to read; ValueError as in `writing`."""
        self._expect_none_of_this_thread()
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: not self._waits and len(self._readers) < self._most)
            self._expect_open()
            self._readers.add(me)
        try:
            yield
        finally:
            with self._changed:
                self._readers.discard(me)
                self._changed.notify_all()

    @contextmanager
    def last_turn(self) -> Iterator[None]:
        """Wait until all turns have ended; there is none after this one."""
        if self._has_turn():
            raise ValueError("end the transaction before the store is closed")
        self.wait_for_all(timeout_s=None)
        try:
            self.is_closed = True
            yield
        finally:
            self.end_wait()

    def wait_for_all(self, *, timeout_s: float | None) -> bool:
        """Let nobody begin, and wait until the turns of other threads have ended, or for so long.

        False inside a turn of this thread, where nothing is waited for. Otherwise call `end_wait`.
        """
        if self._has_turn():
            return False
        with self._changed:
            self._waits += 1
            self._changed.wait_for(lambda: not self._writer and not self._readers, timeout_s)
        return True

    def end_wait(self) -> None:
        """After `wait_for_all`."""
        with self._changed:
            self._waits -= 1
            self._changed.notify_all()

    def _has_turn(self) -> bool:
        me = threading.get_ident()
        return self._writer == me or me in self._readers

    def _expect_none_of_this_thread(self) -> None:
        if self._has_turn():
            raise ValueError("a thread has one transaction at a time; end the first one")

    def _expect_open(self) -> None:
        if self.is_closed:
            raise ValueError("the store is closed")


_ALL: WeakSet[Turns] = WeakSet()
_waiting: list[Turns] = []


def _before_fork() -> None:
    _waiting.extend(one for one in list(_ALL) if one.wait_for_all(timeout_s=FORK_WAIT_S))


def _after_fork_in_parent() -> None:
    while _waiting:
        _waiting.pop().end_wait()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_waiting.clear
    )
