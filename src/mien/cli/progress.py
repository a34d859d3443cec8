"""Progress bars on standard error, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def bar(items: Iterable[Item], label: str) -> Iterable[Item]:
    """The same items; a bar on standard error shows how many were taken, if it is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():  # None where the caller closed it
        return items
    from tqdm import tqdm

    counted: Iterable[Item] = tqdm(items, desc=label, leave=False, dynamic_ncols=True)
    return counted


def photo_bar(photos: Sequence[Item]) -> Iterable[Item]:
    """`bar` with the label of enrollment and exploration."""
    return bar(photos, "looking at photos")


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
