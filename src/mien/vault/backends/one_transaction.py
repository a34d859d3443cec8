"""One transaction of a store at a time in this process, also where the process forks.

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


class OneTransaction:
    """Lets one thread at a time have a transaction, in this process.

    is_closed: then ValueError. A forked child has a turn of its own: the thread that had it in the
    parent does not exist there.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self._process = os.getpid()
        self._lock, self._thread = threading.Lock(), 0
        _ALL.add(self)

    def is_forked(self) -> bool:
        """Whether this process inherited the turn, which is then free; true only once."""
        if self._process == os.getpid():
            return False
        self._process = os.getpid()
        self._lock, self._thread = threading.Lock(), 0
        return True

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn. ValueError inside another one of this thread, and once closed."""
        self.expect_none("a store has one transaction at a time; end the first one")
        with self._lock:
            if self.is_closed:
                raise ValueError("the store is closed")
            self._thread = threading.get_ident()
            try:
                yield
            finally:
                self._thread = 0

    @contextmanager
    def last_turn(self) -> Iterator[None]:
        """Wait for the turn, after which there is no other."""
        self.expect_none("end the transaction before the store is closed")
        with self._lock:
            self.is_closed = True
            yield

    def expect_none(self, message: str) -> None:
        """ValueError with the message inside a transaction of this thread."""
        if self._thread == threading.get_ident():
            raise ValueError(message)

    def wait_for_fork(self) -> bool:
        """Before a fork: wait until no other thread has a transaction; whether to end the wait."""
        if self._thread == threading.get_ident():
            return False
        return self._lock.acquire(timeout=FORK_WAIT_S)

    def end_wait_for_fork(self) -> None:
        """In the parent, after the fork."""
        self._lock.release()


_ALL: WeakSet[OneTransaction] = WeakSet()
_waiting: list[OneTransaction] = []


def _before_fork() -> None:
    _waiting.extend(one for one in list(_ALL) if one.wait_for_fork())


def _after_fork_in_parent() -> None:
    while _waiting:
        _waiting.pop().end_wait_for_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_waiting.clear
    )
