"""Long work that lets the doors of the same process go first.

One thread at a time runs Python. Whoever lists everybody keeps it busy for seconds, and a thread
that waits for its turn, such as a door's, gets it after 5 ms; a door needs some hundred turns. So
long work ends its turn every `TURN_S` by itself. While somebody's attempt is in progress it also
stays out for `STAND_BACK_S`, so that the attempt runs most of the time, and the work still goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TURN_S = 0.0003
STAND_BACK_S, YIELD_S = 0.001, 1e-6


class AttemptsInProgress:
    """How many attempts the threads of this process are in. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    @contextmanager
    def another(self) -> Iterator[None]:
        """One more, until the block ends."""
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1


attempts_in_progress = AttemptsInProgress()
"""Of all vaults: they share the interpreter."""


class Pauses:
    """The pauses of one long piece of work. clock: seconds, never backwards. sleep: for so many."""

    def __init__(
        self,
        *,
        attempts: AttemptsInProgress = attempts_in_progress,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._attempts, self._clock, self._sleep = attempts, clock, sleep
        self._turn_ends_s = clock() + TURN_S

    def let_others_run(self) -> None:
        """Call it after each small step: it pauses once the turn has lasted long enough."""
        if self._clock() < self._turn_ends_s:
            return
        self._sleep(STAND_BACK_S if self._attempts else YIELD_S)
        self._turn_ends_s = self._clock() + TURN_S
