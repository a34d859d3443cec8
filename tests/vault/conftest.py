"""Parts that the vault's tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mien.results import ModelId
from mien.vault import Record, SqliteVault

MakeRecord = Callable[..., Record]
ReadAll = Callable[[Path], tuple[object, ...]]


@pytest.fixture
def model() -> ModelId:
    return ModelId("sface", "ab" * 32)


@pytest.fixture
def other_model() -> ModelId:
    return ModelId("vggface2", "cd" * 32)


@pytest.fixture
def make_record(model: ModelId) -> MakeRecord:
    def make(
        user: str,
        payload: bytes = b"payload",
        *,
        model: ModelId = model,
        created_at: str = "2026-01-31T12:00:00+00:00",
    ) -> Record:
        return Record(user, model, created_at, payload)

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.sqlite"


@pytest.fixture
def filled(path: Path, make_record: MakeRecord) -> Path:
    """A vault of three people on several pages."""
    with SqliteVault(path, create=True) as vault:
        for name, payload in (("ana", b"a" * 300), ("ben", b"b" * 6000), ("zoë", b"z")):
            vault.put(make_record(name, payload), replace=False)
    return path


@pytest.fixture
def read_all() -> ReadAll:
    """All that a vault answers: its list, everybody in it and somebody who is not."""

    def read(path: Path) -> tuple[object, ...]:
        with SqliteVault(path, create=False) as vault:
            return vault.heads(), *(vault.get(name) for name in ("ana", "ben", "zoë", "nobody"))

    return read
