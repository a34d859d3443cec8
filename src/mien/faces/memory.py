"""Keep the memory of a crowded or large picture within what it needs at a time."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache


def return_freed_memory() -> None:
    """Give memory that was freed back to the system, where its C library has a call for it.

    glibc keeps large blocks that were freed, in pieces that the next large one may not fit: without
    this a hostile picture takes up to 200 MB more. It takes milliseconds, so it is called between
    the parts of work on large pictures only.
    """
    _find_trim()(0)


@lru_cache(maxsize=1)
def _find_trim() -> Callable[[int], object]:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return lambda pad: None
    return trim
