"""A copy that is made while doors are asked is whole, and is taken back only on purpose."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.vault.backups import changes_of_whole, expect_accepted_on_purpose, make_copies

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
    make_copies(settings, model, copies, partial(copy, settings.vault_path))

    changes = [
        changes_of_whole(replace(settings, vault_path=target, state_dir=tmp_path / target.stem))
        for target in copies
    ]
    assert changes == sorted(changes)

    for name in settings.vault_path.parent.glob("vault.sqlite*"):
        name.unlink()
    copies[0].rename(settings.vault_path)
    expect_accepted_on_purpose(settings, changes[0])
