"""Limit the attempts of a client that show no face: they are not charged, and fill the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mien.errors import TooManyAttempts

MOST = 60  # in a window, of one client; a door that asks each second stays below
WINDOW_S = 60.0
MAX_CLIENTS = 1000


class BlankLimit:
    """clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def check(self, client: str) -> None:
        """Raise TooManyAttempts for a client that showed no face too often just now."""
        times = self._times.get(client)
        if times is None or len(times) < MOST:
            return
        left_s = times[0] + WINDOW_S - self._clock()
        if left_s > 0:
            error = TooManyAttempts(
                f"{MOST} pictures in a minute showed no face; look into the camera, and try again"
                f" in {left_s:.0f} seconds"
            )
            error.wait_s = left_s
            raise error

    def add(self, client: str) -> None:
        """Count one attempt that showed no face, or several."""
        if client not in self._times and len(self._times) >= MAX_CLIENTS:
            del self._times[next(iter(self._times))]
        times = self._times.setdefault(client, deque(maxlen=MOST))
        times.append(self._clock())
