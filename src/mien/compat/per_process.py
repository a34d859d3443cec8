"""A loaded model that every process opens for itself.

An inference engine's threads and memory belong to the process that made them: a pickled
session cannot travel, and a forked child that calls its parent's session waits for threads
that it does not have. Data loaders with workers do both.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

Loaded = TypeVar("Loaded")


class PerProcess(Generic[Loaded]):
    """Hands out one loaded object in each process, and opens it where it is not open yet.

    open_again: opens the object; pickled in its stead, so it must be picklable itself.
    loaded: the object where the caller has it open already.
    """

    def __init__(self, open_again: Callable[[], Loaded], loaded: Loaded | None = None) -> None:
        self._open_again = open_again
        self._loaded = open_again() if loaded is None else loaded
        self._process = os.getpid()
        self._inherited: list[Loaded] = []

    def get(self) -> Loaded:
        """The object, opened in this process. Raises what opening it raises."""
        if self._process != os.getpid():
            # never freed here: an engine's destructor would wait for its threads for ever
            self._inherited.append(self._loaded)
            self._loaded = self._open_again()
            self._process = os.getpid()
        return self._loaded

    def __getstate__(self) -> Callable[[], Loaded]:
        return self._open_again

    def __setstate__(self, open_again: Callable[[], Loaded]) -> None:
        self._open_again = open_again
        self._loaded = open_again()
        self._process = os.getpid()
        self._inherited = []
