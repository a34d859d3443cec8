"""Parts that the vault's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.postgres import postgres_database, postgres_server
from tests.vault.raw_vault import RawVault
from tests.vault.sealed_parts import Clock, opened

from mien.results import ModelId
from mien.settings import Settings, load_settings
from mien.vault import Record
from mien.vault.vault import Vault

MakeRecord = Callable[..., Record]


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
def filled(path: Path) -> Path:
    """A file of three payloads on several pages."""
    with RawVault(path, create=True) as vault:
        for name, payload in (("ana", b"a" * 300), ("ben", b"b" * 6000), ("zoë", b"z")):
            vault.put(name, payload)
    return path


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """Where a real PostgreSQL answers; started for the first test that wants it."""
    with postgres_server() as folder:
        yield folder


@pytest.fixture
def postgres_url(postgres_socket: str) -> Iterator[str]:
    """An empty database."""
    with postgres_database(postgres_socket, f"mien_{uuid4().hex}") as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)})


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def vault(request: pytest.FixtureRequest, settings: Settings, clock: Clock) -> Iterator[Vault]:
    if request.param == "postgres":
        settings = replace(settings, vault_url=request.getfixturevalue("postgres_url"))
    memory = request.param == "memory"
    with open_memory_vault(clock=clock) if memory else opened(settings, clock) as vault:
        yield vault
