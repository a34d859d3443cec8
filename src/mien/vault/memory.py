"""A vault that forgets when the program ends."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from mien.vault.record import Record, RecordHead, already_enrolled, check_user_name

if TYPE_CHECKING:
    from mien.results import ModelId


class MemoryVault:
    """A `Vault` in a dict. What the library uses where no path is given."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._closed = False

    def put(self, record: Record, *, replace: bool) -> None:
        records = self._open_records()
        if record.user in records and not replace:
            raise already_enrolled(record.user)
        records[record.user] = record

    def get(self, user: str) -> Record | None:
        return self._open_records().get(check_user_name(user))

    def remove(self, user: str) -> bool:
        return self._open_records().pop(check_user_name(user), None) is not None

    def heads(self) -> list[RecordHead]:
        records = self._open_records()
        return [records[user].head for user in sorted(records)]

    def records(self, model: ModelId) -> Iterator[Record]:
        records = self._open_records()
        return iter([records[user] for user in sorted(records) if records[user].model == model])

    def close(self) -> None:
        self._records.clear()
        self._closed = True

    def __enter__(self) -> MemoryVault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_records(self) -> dict[str, Record]:
        if self._closed:
            raise ValueError("the vault is closed")
        return self._records
