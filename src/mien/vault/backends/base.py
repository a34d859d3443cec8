"""Where the vault's bytes lie: cells in a few tables, read and changed in transactions.

A store knows nothing of people, keys or models. Every back end passes
tests/vault/backends/test_contract.py.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from typing import Protocol

MAX_KEY_BYTES = 64
MAX_VALUE_BYTES = 64 * 1024 * 1024  # the largest template, sealed, is half of it


class Section(Enum):
    """The tables. The value is the table's name in every back end."""

    META = "meta"
    BUCKET = "bucket"
    RECORD = "record"
    ATTEMPT = "attempt"
    LOG = "log"
    GALLERY = "gallery"


class Cells(Protocol):
    """One consistent view of the store, good inside its `with` block only."""

    def get(self, space: Section, key: bytes) -> bytes | None:
        """The value, or None."""
        ...

    def scan(self, space: Section, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """At most `limit` cells, 1 or more, whose key is greater than `after`, by key bytes."""
        ...

    def wall_s(self) -> float | None:
        """Unix time by the store's own clock; None where the store is on this machine."""
        ...

    def put(self, space: Section, key: bytes, value: bytes) -> None:
        """Set the cell. ValueError in a view that only reads."""
        ...

    def drop(self, space: Section, key: bytes) -> bool:
        """Remove the cell; False if there was none. ValueError in a view that only reads."""
        ...

    def clear(self, space: Section) -> None:
        """Remove every cell of the space, whatever it holds. ValueError in a view that only
        reads."""
        ...


class Store(Protocol):
    """Safe to use from several threads: one transaction at a time for each object.

    Any method raises VaultDamaged when the place cannot be read or written, or is
    damaged, and UsageError for a place that cannot be a vault. A closed store raises
    ValueError. A nested `reading` or `writing` of one object raises ValueError.
    """

    @property
    def place(self) -> str:
        """Where it is, for messages: a path or a URL, without any password."""
        ...

    def reading(self) -> AbstractContextManager[Cells]:
        """One snapshot: what others write meanwhile is not seen. An absent store reads as empty."""
        ...

    def writing(self) -> AbstractContextManager[Cells]:
        """One change, alone among all processes: on the disk when the block ends, undone by an
        exception. UsageError for an absent store that was not opened to be made."""
        ...

    def check(self) -> None:
        """Look over all of the back end's own structures. VaultDamaged if they are not sound."""
        ...

    def close(self) -> None:
        """Let go. A second call does nothing."""
        ...


class MemoryStore:
    """A `Store` in dictionaries, which forgets when the program ends."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Section, bytes], bytes] = {}
        self._lock = threading.Lock()
        self._busy_thread: int | None = None
        self._closed = False

    @property
    def place(self) -> str:
        return "memory"

    def reading(self) -> AbstractContextManager[Cells]:
        return self._view(writable=False)

    def writing(self) -> AbstractContextManager[Cells]:
        return self._view(writable=True)

    def check(self) -> None:
        with self.reading():
            pass

    def close(self) -> None:
        if self._busy_thread == threading.get_ident():
            raise ValueError("end the transaction before the store is closed")
        self._cells.clear()
        self._closed = True

    @contextmanager
    def _view(self, *, writable: bool) -> Iterator[Cells]:
        if self._closed:
            raise ValueError("the store is closed")
        if self._busy_thread == threading.get_ident():
            raise ValueError("a store has one transaction at a time; end the first one")
        with self._lock:
            self._busy_thread = threading.get_ident()
            copy = dict(self._cells)
            cells = DictCells(copy, writable=writable)
            try:
                yield cells
                if writable:
                    self._cells = copy
            finally:
                cells.close()
                self._busy_thread = None


class View:
    """What the views of all back ends have in common: they end, and some only read."""

    def __init__(self, *, writable: bool) -> None:
        self._writable = writable
        self._closed = False

    def close(self) -> None:
        """The view is of no use any more."""
        self._closed = True

    def wall_s(self) -> float | None:
        return None

    def _expect_open(self) -> None:
        if self._closed:
            raise ValueError("this view is over; begin another transaction")

    def _expect_writable(self) -> None:
        self._expect_open()
        if not self._writable:
            raise ValueError("this view only reads; change cells in `writing`")


class DictCells(View):
    """A view of cells in a dictionary."""

    def __init__(self, cells: dict[tuple[Section, bytes], bytes], *, writable: bool) -> None:
        super().__init__(writable=writable)
        self._cells = cells

    def get(self, space: Section, key: bytes) -> bytes | None:
        self._expect_open()
        return self._cells.get((space, key))

    def scan(self, space: Section, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        self._expect_open()
        check_limit(limit)
        keys = sorted(key for where, key in self._cells if where is space)
        some = keys[bisect_right(keys, after) :][:limit]
        return [(key, self._cells[space, key]) for key in some]

    def put(self, space: Section, key: bytes, value: bytes) -> None:
        self._expect_writable()
        self._cells[space, check_key(key)] = check_value(value)

    def drop(self, space: Section, key: bytes) -> bool:
        self._expect_writable()
        return self._cells.pop((space, key), None) is not None

    def clear(self, space: Section) -> None:
        self._expect_writable()
        for found in [one for one in self._cells if one[0] is space]:
            del self._cells[found]


def check_limit(limit: int) -> int:
    """1 or more; ValueError otherwise."""
    if limit < 1:
        raise ValueError("a scan gives at least one cell")
    return limit


def check_key(key: bytes) -> bytes:
    """1 to `MAX_KEY_BYTES` bytes; ValueError otherwise."""
    if not isinstance(key, bytes) or not 1 <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"a key is 1 to {MAX_KEY_BYTES} bytes")
    return key


def check_value(value: bytes) -> bytes:
    """At most `MAX_VALUE_BYTES` bytes; ValueError otherwise."""
    if not isinstance(value, bytes) or len(value) > MAX_VALUE_BYTES:
        raise ValueError(f"a value is at most {MAX_VALUE_BYTES} bytes")
    return value
