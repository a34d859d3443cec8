"""The store of a vault's bytes: cells in a few tables, read and changed in transactions.

A store knows nothing of people, keys or models. Every back end passes
tests/vault/backends/test_contract.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mien.results import FloatArray

MAX_KEY_BYTES = 64
MAX_VALUE_BYTES = 64 * 1024 * 1024  # the largest template, sealed, is half of it


class VaultTable(Enum):
    """The tables. The value is the table's name in every back end."""

    META = "meta"
    BUCKET = "bucket"
    RECORD = "record"
    ATTEMPT = "attempt"
    LOG = "log"
    CENTROIDS = "gallery"  # the name that stored vaults have


MAKE_VECTORS_AGAIN = "mien vault centroids pgvector --accept-readable-templates"
"""The command for a `VectorTable` that was damaged."""


class VectorTable(Protocol):
    """Vectors in the clear that the store compares, within one view of it.

    Kept as float16. Every method but `create` and `clear` raises VaultDamaged where there is no
    table.
    """

    def create(self) -> None:
        """Make the table where there is none. UsageError, and VaultDamaged for a missing right."""
        ...

    def put(self, group: bytes, keys: Sequence[bytes], rows: FloatArray) -> None:
        """Set the vectors (n, d), and the group, of these keys."""
        ...

    def remove(self, key: bytes) -> None:
        """Remove the vector of this key, if there is one."""
        ...

    def clear(self, *, required: bool) -> None:
        """Remove all vectors; nothing where there is no table.

        required: False if there should be none; then nothing is done without rights on the table.
        """
        ...

    def scan(
        self, *, after: bytes, limit: int
    ) -> list[tuple[bytes, bytes, npt.NDArray[np.float16]]]:
        """At most `limit` (group, key, vector (d,)) whose key is greater than `after`, by key."""
        ...

    def nearest(self, group: bytes, vector: FloatArray, most: int) -> list[tuple[bytes, float]]:
        """(key, inner product) of those of a group that have the greatest with a vector (d,), the
        greatest first. Exact, but for float16."""
        ...


class Cells(Protocol):
    """One consistent view of the store, valid inside its `with` block only."""

    @property
    def vectors(self) -> VectorTable | None:
        """None for a store that compares no vectors."""
        ...

    def get(self, section: VaultTable, key: bytes) -> bytes | None:
        """The value, or None."""
        ...

    def fetch(self, places: Iterable[tuple[VaultTable, bytes]]) -> None:
        """Say which cells will be asked for by `get`, so that a server is asked once."""
        ...

    def scan(self, section: VaultTable, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """At most `limit` cells, 1 or more, whose key is greater than `after`, by key bytes."""
        ...

    def wall_s(self) -> float | None:
        """Unix time by the store's own clock; None where the store is on this machine."""
        ...

    def put(self, section: VaultTable, key: bytes, value: bytes) -> None:
        """Set the cell. ValueError in a view that only reads."""
        ...

    def drop(self, section: VaultTable, key: bytes) -> bool:
        """Remove the cell; False if there was none. ValueError in a view that only reads."""
        ...

    def clear(self, section: VaultTable) -> None:
        """Remove every cell of the section, whatever is in it. ValueError in a view that only
        reads."""
        ...


class Store(Protocol):
    """Safe to use from several threads: one of them writes, and some others read meanwhile.

    Every method raises VaultDamaged if the store cannot be read or written, or is damaged,
    and UsageError for a place that cannot be a vault. A closed store raises ValueError, and
    so does a `reading` or `writing` inside another one of the same object and thread.
    """

    @property
    def place(self) -> str:
        """Where it is, for messages: a path or a URL, without any password."""
        ...

    @property
    def can_compare_vectors(self) -> bool:
        """Whether its cells may have `vectors`."""
        ...

    def reading(self) -> AbstractContextManager[Cells]:
        """One snapshot, without what others write meanwhile. An absent store reads as empty."""
        ...

    def writing(self) -> AbstractContextManager[Cells]:
        """One change, by one process at a time: on the disk when the block ends, undone by an
        exception. UsageError for an absent store that was opened without `create`."""
        ...

    def check(self) -> None:
        """Check the back end's own structures. VaultDamaged if they are damaged."""
        ...

    def close(self) -> None:
        """Close the store. A second call does nothing."""
        ...


class View:
    """What the views of all back ends share: they are closed at the end, and some only read."""

    def __init__(self, *, writable: bool) -> None:
        self._writable = writable
        self._closed = False

    def close(self) -> None:
        """The view cannot be used any more."""
        self._closed = True

    @property
    def vectors(self) -> VectorTable | None:
        return None

    def wall_s(self) -> float | None:
        return None

    def fetch(self, places: Iterable[tuple[VaultTable, bytes]]) -> None:
        self._expect_open()  # nothing is far away

    def _expect_open(self) -> None:
        if self._closed:
            raise ValueError("this transaction has ended; begin another one")

    def _expect_writable(self) -> None:
        self._expect_open()
        if not self._writable:
            raise ValueError("this transaction only reads; change cells in `writing`")


class NoCells(View):
    """A view of a store that does not exist yet: it has no cells, and cannot be changed."""

    def __init__(self) -> None:
        super().__init__(writable=False)

    def get(self, section: VaultTable, key: bytes) -> bytes | None:
        self._expect_open()
        return None

    def scan(self, section: VaultTable, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        self._expect_open()
        check_limit(limit)
        return []

    def put(self, section: VaultTable, key: bytes, value: bytes) -> None:
        self._expect_writable()

    def drop(self, section: VaultTable, key: bytes) -> bool:
        self._expect_writable()
        return False

    def clear(self, section: VaultTable) -> None:
        self._expect_writable()


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
