"""Payloads by name in the cells of an SQLite file, as plain as they are: for the store alone."""

from __future__ import annotations

import os
from types import TracebackType

from mien.vault.backends.base import VaultTable
from mien.vault.backends.sqlite import SqliteStore


class RawVault:
    """Opens, and with `create` makes, the file at once."""

    def __init__(
        self, path: str | os.PathLike[str], *, create: bool, busy_timeout_s: float = 5.0
    ) -> None:
        self.store = SqliteStore(path, create=create, busy_timeout_s=busy_timeout_s)
        with self.store.writing() if create else self.store.reading():
            pass

    def put(self, name: str, payload: bytes = b"payload") -> None:
        with self.store.writing() as cells:
            cells.put(VaultTable.RECORD, name.encode(), payload)

    def get(self, name: str) -> bytes | None:
        with self.store.reading() as cells:
            return cells.get(VaultTable.RECORD, name.encode())

    def remove(self, name: str) -> bool:
        with self.store.writing() as cells:
            return cells.drop(VaultTable.RECORD, name.encode())

    def names(self) -> list[str]:
        with self.store.reading() as cells:
            found = cells.scan(VaultTable.RECORD, after=b"", limit=1000)
        return [name.decode() for name, _ in found]

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> RawVault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
