"""Limit the attempts of a client that show no face: they are not charged, and fill the log."""

from __future__ import annotations

from collections.abc import Callable

from mien.errors import TooManyAttempts
from mien.web.usage import Usage

MOST = 60  # in a window, of one client; a door that asks each second stays below
WINDOW_S = 60.0


class BlankLimit:
    """clock: seconds since 1970, as all processes of the service have them. usage: of all."""

    def __init__(self, clock: Callable[[], float], usage: Usage) -> None:
        self._clock, self._usage = clock, usage

    def check(self, client: str) -> None:
        """Raise TooManyAttempts for a client that showed no face too often just now."""
        now = self._clock()
        oldest = self._usage.nth_newest(client, MOST, after=now - WINDOW_S, until=now)
        if oldest is not None:
            left_s = oldest + WINDOW_S - now
            error = TooManyAttempts(
                f"{MOST} pictures in a minute showed no face; look into the camera, and try again"
                f" in {left_s:.0f} seconds"
            )
            error.wait_s = left_s
            raise error

    def add(self, client: str) -> None:
        """Count one attempt that showed no face, or several."""
        self._usage.add_time(client, self._clock(), window_s=WINDOW_S)
