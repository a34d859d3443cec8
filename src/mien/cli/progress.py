"""Progress bars on standard error, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from mien.cli.output import print_line

Item = TypeVar("Item")


def bar(items: Iterable[Item], label: str) -> Iterable[Item]:
    """The same items; a bar on standard error shows how many were taken, if it is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():  # None where the caller closed it
        return items
    from tqdm import tqdm

    counted: Iterable[Item] = tqdm(items, desc=label, leave=False, dynamic_ncols=True)
    return counted


def count_bar(counts: Iterable[int], total: int, label: str) -> Iterable[int]:
    """The same counts; a bar shows how much of the total they are together."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield from counts
        return
    from tqdm import tqdm

    with tqdm(desc=label, total=total, leave=False, dynamic_ncols=True) as meter:
        for count in counts:
            meter.update(count)
            yield count


def photo_bar(photos: Sequence[Item]) -> Iterable[Item]:
    """`bar` with the label of enrollment and exploration."""
    return bar(photos, "analysing photos")


@contextmanager
def byte_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Gives a function to call with the number of bytes done and the total."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from tqdm import tqdm

    with tqdm(desc=label, unit="B", unit_scale=True, leave=False, dynamic_ncols=True) as meter:

        def tell(done: int, total: int) -> None:
            meter.total = total
            meter.update(done - meter.n)

        yield tell


def estimated(
    items: Iterable[Item],
    count: int,
    *,
    clock: Callable[[], float] = time.monotonic,
    tell: Callable[[str], None] | None = None,
) -> Iterator[Item]:
    """The same items; after the first of several, a line says about how long the rest takes.

    count: of the items. clock: seconds. tell: takes the line; None prints it.
    """
    started = clock()
    for done, item in enumerate(items):
        if done == 1:
            each = clock() - started
            line = f"{count} photos, about {_duration(each * count)} in all"
            (tell or print_progress)(line)
        yield item


def print_progress(line: str) -> None:
    """One line on standard error, at once, also where that is no terminal."""
    print_line(line)


class StepLines:
    """Prints a line for the first of many steps, and then one every `every_s` seconds.

    clock: seconds. tell: takes a line.
    """

    def __init__(
        self,
        steps: int,
        *,
        clock: Callable[[], float],
        tell: Callable[[str], None] = print_progress,
        every_s: float = 5.0,
    ) -> None:
        self._steps, self._clock, self._tell, self._every_s = steps, clock, tell, every_s
        self._started: float | None = None
        self._said = -float("inf")
        self._first = 0

    def show(self, step: int, images: int, words: str) -> None:
        """step: just done, counted from 0. images: in a step. words: what else to say."""
        now = self._clock()
        if self._started is None:
            self._started, self._first = now, step
        done = step - self._first
        if now - self._said < self._every_s and step + 1 < self._steps:
            return
        self._said = now
        line = f"step {step + 1} of {self._steps}, {words}"
        if done and now > self._started:
            per_s = done / (now - self._started)
            left = (self._steps - step - 1) / per_s
            line += f", {per_s * images:.0f} images/s, {_duration(left)} left"
        self._tell(line)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
