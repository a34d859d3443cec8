"""A progress bar for long work: on a terminal, and never in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def bar(items: Iterable[Item], words: str) -> Iterable[Item]:
    """The same items, with a bar on standard error while they are walked, if it is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():  # None where the caller closed it
        return items
    from tqdm import tqdm

    counted: Iterable[Item] = tqdm(items, desc=words, leave=False, dynamic_ncols=True)
    return counted


def photo_bar(photos: Sequence[Item]) -> Iterable[Item]:
    """`bar` in the words of enrollment and exploration."""
    return bar(photos, "looking at photos")


@contextmanager
def byte_bar(words: str) -> Iterator[Callable[[int, int], None]]:
    """Gives a function to call with the bytes that are done and all that there are."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from tqdm import tqdm

    with tqdm(desc=words, unit="B", unit_scale=True, leave=False, dynamic_ncols=True) as shown:

        def tell(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield tell
