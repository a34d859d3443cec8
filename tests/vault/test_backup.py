"""A copy that is made while doors are asked is whole, and is taken back only on purpose."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.vault.sealed_parts import Clock, opened, record_of, store_record

from mien.errors import MienError, Outcome, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings, load_settings

COPIES = 5


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path / "home")})


def copy(source: Path, target: Path) -> None:
    """As `sqlite3 SOURCE ".backup TARGET"` does."""
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)
    target.chmod(0o600)


def test_a_backup_under_load_verifies_and_is_restored(
    settings: Settings, model: ModelId, tmp_path: Path
) -> None:
    copies = [tmp_path / f"copy{number}.sqlite" for number in range(COPIES)]
    with opened(settings, Clock()) as vault:
        store_record(vault, record_of("ana", model))
    stop, asked, errors = threading.Event(), threading.Semaphore(0), list[MienError]()

    def ask() -> None:
        try:
            with opened(settings, Clock()) as door:
                while not stop.is_set():
                    with door.attempt("ana") as attempt:
                        attempt.outcome = Outcome.UNLOCKED
                    asked.release()
        except MienError as error:
            errors.append(error)
            asked.release(9)

    doors = [threading.Thread(target=ask) for _ in range(2)]
    for door in doors:
        door.start()
    for target in copies:
        asked.acquire(timeout=60)  # between two copies a door was asked
        copy(settings.vault_path, target)
    stop.set()
    for door in doors:
        door.join(60)
    assert errors == []

    changes = []
    for target in copies:
        elsewhere = replace(settings, vault_path=target, state_dir=tmp_path / target.stem)
        with opened(elsewhere, Clock()) as vault:
            status = vault.verify()
            assert status is not None
            assert status.people == 1
            changes.append(status.changes)
    assert changes == sorted(changes)

    for name in settings.vault_path.parent.glob("vault.sqlite*"):
        name.unlink()
    copies[0].rename(settings.vault_path)
    with opened(settings, Clock()) as vault:
        with pytest.raises(VaultDamaged, match="is an old copy"):
            vault.verify()
        status = vault.verify(accept=True)
        assert status is not None
        assert status.changes == changes[0] + 1  # the log notes it
        assert vault.read_log()[-1].kind == "accept_copy"
