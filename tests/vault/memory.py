"""A vault in memory: a store in dictionaries, and keys that are kept with it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from mien.errors import KeyUnavailable
from mien.vault.backends.base import Cells, VaultTable, View, check_key, check_limit, check_value
from mien.vault.backends.turns import Turns
from mien.vault.centroids.sealed_centroids import divide_old_blocks
from mien.vault.crypto.aead import KEY_BYTES
from mien.vault.crypto.key_sources import KeySource
from mien.vault.crypto.key_wrap import Kdf
from mien.vault.limits.attempts import Moment, moment_now
from mien.vault.transaction import Keys, TransactionManager
from mien.vault.vault import Vault


def open_memory_vault(*, clock: Callable[[], Moment] = moment_now) -> Vault:
    """An empty vault that is lost when the program ends."""
    return Vault(memory_transactions(), clock=clock)


def memory_transactions() -> TransactionManager:
    return TransactionManager(MemoryStore(), MemoryKeys(), None, migrate=divide_old_blocks)


class MemoryKeys:
    """Keys that are kept with the vault, in memory."""

    default_kind = "memory"
    writable_kinds = ("memory",)
    location = "memory"

    def __init__(self) -> None:
        self._keys: dict[bytes, bytes] = {}

    def source(self, kind: str, vault_id: bytes, kdf: Kdf | None) -> KeySource:
        return self

    def with_passphrase(self, passphrase: str) -> Keys:
        return self

    def load(self, key_id: bytes) -> bytes:
        if key_id not in self._keys:
            raise KeyUnavailable("the key of this vault is not in memory; it was altered")
        return self._keys[key_id]

    def new_key(self, key_id: bytes, random: Callable[[int], bytes]) -> bytes:
        self._keys[key_id] = random(KEY_BYTES)
        return self._keys[key_id]

    def count_other_keys(self, key_id: bytes) -> int:
        return len(self._keys.keys() - {key_id})

    def remove_other_keys(self, key_id: bytes) -> None:
        self._keys = {key_id: self._keys[key_id]}


class MemoryStore:
    """A `Store` in dictionaries, which forgets when the program ends."""

    def __init__(self) -> None:
        self._cells: dict[tuple[VaultTable, bytes], bytes] = {}
        self._turns = Turns()

    can_compare_vectors = False

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
        with self._turns.last_turn():
            self._cells.clear()

    @contextmanager
    def _view(self, *, writable: bool) -> Iterator[Cells]:
        with self._turns.writing() if writable else self._turns.reading():
            copy = dict(self._cells)
            cells = DictCells(copy, writable=writable)
            try:
                yield cells
                if writable:
                    self._cells = copy
            finally:
                cells.close()


class DictCells(View):
    """A view of cells in a dictionary."""

    def __init__(self, cells: dict[tuple[VaultTable, bytes], bytes], *, writable: bool) -> None:
        super().__init__(writable=writable)
        self._cells = cells

    def get(self, section: VaultTable, key: bytes) -> bytes | None:
        self._expect_open()
        return self._cells.get((section, key))

    def scan(self, section: VaultTable, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        self._expect_open()
        check_limit(limit)
        keys = sorted(key for found, key in self._cells if found is section)
        some = keys[bisect_right(keys, after) :][:limit]
        return [(key, self._cells[section, key]) for key in some]

    def put(self, section: VaultTable, key: bytes, value: bytes) -> None:
        self._expect_writable()
        self._cells[section, check_key(key)] = check_value(value)

    def drop(self, section: VaultTable, key: bytes) -> bool:
        self._expect_writable()
        return self._cells.pop((section, key), None) is not None

    def clear(self, section: VaultTable) -> None:
        self._expect_writable()
        for found in [one for one in self._cells if one[0] is section]:
            del self._cells[found]
