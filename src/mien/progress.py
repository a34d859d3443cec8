"""A progress bar for long work: on a terminal, and never in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
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
    """`bar` in the words of enrolment and exploration."""
    return bar(photos, "looking at photos")
