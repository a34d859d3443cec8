"""What a store of templates can do. Every back end passes tests/vault/test_contract.py."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from mien.vault.record import Record, RecordHead

if TYPE_CHECKING:
    from mien.results import ModelId


class Vault(Protocol):
    """At most one record for each user name. A closed vault raises ValueError.

    Names go through `check_user_name`, so every method with a name raises
    UsageError for a bad one. Any method raises VaultDamaged when the store
    cannot be read, cannot be written, or does not check out.
    """

    def put(self, record: Record, *, replace: bool) -> None:
        """Keep the record. AlreadyEnrolled if the name is taken and `replace` is false."""
        ...

    def get(self, user: str) -> Record | None:
        """The user's record, None if there is none."""
        ...

    def remove(self, user: str) -> bool:
        """Forget the user. False if there was nothing to forget."""
        ...

    def heads(self) -> list[RecordHead]:
        """Who is enrolled, sorted by user name in code point order."""
        ...

    def records(self, model: ModelId) -> Iterator[Record]:
        """All records of this model, sorted by user name."""
        ...

    def close(self) -> None:
        """Let go of the store. A second call does nothing."""
        ...

    def __enter__(self) -> Vault: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
