"""A vault that an older mien kept in the clear is sealed by hand, and never by an attacker."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.vault.sealed_parts import record_of_user, store_record

from mien.errors import UsageError, VaultDamaged
from mien.results import ModelId, Template
from mien.settings import Settings, load_settings
from mien.vault import Record, pack_template, unpack_template
from mien.vault.backends.sqlite_schema import APPLICATION_ID, MIGRATIONS
from mien.vault.open import make_vault, open_vault
from mien.vault.vault import Vault

MODEL = ModelId("sface", "ab" * 32)
[[PLAIN_TABLE], *_] = MIGRATIONS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)})


def opened(settings: Settings) -> Vault:
    return open_vault(settings, create=True, surface="library", environ={})


def face(seed: int) -> Template:
    vectors = np.random.default_rng(seed).normal(size=(2, 8)).astype(np.float32)
    return Template(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), MODEL)


def plain_row(user: str, template: Template) -> tuple[object, ...]:
    """A row as schema 1 had it; anybody can compute its checksum."""
    columns = (user, MODEL.name, MODEL.sha256, "2026-01-31T12:00:00+00:00", pack_template(template))
    digest = hashlib.sha256(b"mien record 1")
    for part in columns:
        raw = part if isinstance(part, bytes) else part.encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return (*columns, digest.digest())


def write_plain(path: Path, *rows: tuple[object, ...]) -> None:
    """A vault file of schema 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(PLAIN_TABLE)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.executemany("INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?)", rows)
    path.chmod(0o600)


def test_a_plain_vault_is_read_only_to_seal_it(settings: Settings) -> None:
    write_plain(settings.vault_path, plain_row("annabelle", face(1)), plain_row("ben", face(2)))
    with opened(settings) as vault, pytest.raises(UsageError, match="run: mien vault init"):
        record_of_user(vault, "annabelle")
    assert make_vault(settings, surface="library", environ={}).people == 2
    with opened(settings) as vault:
        found = vault.look_up("annabelle")
        assert found is not None
        assert found.record is not None
        rotated = unpack_template(found.record.payload, expected_model=MODEL)
        plain = found.space_of(MODEL).reveal(rotated.vectors)
        np.testing.assert_allclose(plain, face(1).vectors, atol=1e-6)
        assert vault.verify() is not None
    assert b"annabelle" not in settings.vault_path.read_bytes()
    assert sorted(one.name for one in settings.vault_path.parent.iterdir()) == ["vault.sqlite"]


def test_a_plain_vault_is_refused_where_a_sealed_one_was_seen(settings: Settings) -> None:
    write_plain(settings.vault_path, plain_row("ana", face(1)))
    make_vault(settings, surface="library", environ={})
    write_plain(settings.vault_path, plain_row("mallory", face(3)))
    with pytest.raises(VaultDamaged, match="a sealed vault was seen there before"):
        make_vault(settings, surface="library", environ={})


SEAL = """
import sys
from mien.errors import UsageError
from mien.settings import load_settings
from mien.vault.open import make_vault
print("ready", flush=True)
sys.stdin.read()
try:
    print(make_vault(load_settings({"HOME": sys.argv[1]}), surface="library", environ={}).people)
except UsageError as error:
    print("there already" if "there is a vault at" in str(error) else error)
"""


def test_of_several_processes_that_seal_it_at_once_one_does(
    settings: Settings, tmp_path: Path
) -> None:
    people = 100
    rows = [plain_row(f"user {number}", face(number)) for number in range(people)]
    write_plain(settings.vault_path, *rows)
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SEAL, str(tmp_path)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in started:
        assert one.stdin is not None
        one.stdin.close()
    said = []
    for one in started:
        assert one.stdout is not None
        said.append(one.stdout.read().strip())
        one.stdout.close()
        assert one.wait(300) == 0
    assert sorted(said) == [str(people), *["there already"] * 3]
    with opened(settings) as vault:
        assert len(vault.list_people()) == people
        assert vault.verify() is not None


def test_an_interrupted_migration_starts_again(settings: Settings) -> None:
    write_plain(settings.vault_path, plain_row("ana", face(1)))
    settings.vault_path.with_name("vault.sqlite.sealing").write_bytes(b"half of it")
    assert make_vault(settings, surface="library", environ={}).people == 1


def test_a_plain_row_with_a_wrong_checksum_stops_the_migration(
    settings: Settings,
) -> None:
    *columns, _ = plain_row("ana", face(1))
    write_plain(settings.vault_path, (*columns, bytes(32)))
    before = settings.vault_path.read_bytes()
    with pytest.raises(VaultDamaged, match="record of 'ana'"):
        make_vault(settings, surface="library", environ={})
    assert settings.vault_path.read_bytes() == before


def test_an_existing_vault_is_not_made_again(settings: Settings) -> None:
    make_vault(settings, surface="library", environ={})
    with pytest.raises(UsageError, match="there is a vault at"):
        make_vault(settings, surface="library", environ={})


# whoever can write the file, but has not the key -------------------------------------------


def test_a_plain_row_added_to_a_sealed_vault_enrolls_nobody(settings: Settings) -> None:
    with opened(settings) as vault:
        store_record(vault, Record("ana", MODEL, "2026-01-31T12:00:00+00:00", b"x"))
    with closing(sqlite3.connect(settings.vault_path)) as db, db:
        db.execute(PLAIN_TABLE)
        db.execute("INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?)", plain_row("mallory", face(3)))
    with opened(settings) as vault, pytest.raises(VaultDamaged, match="not those that mien made"):
        vault.holds("mallory")
    with pytest.raises(VaultDamaged, match="not those that mien made"):
        make_vault(settings, surface="library", environ={})


@pytest.mark.parametrize("wiped", ["file", "cells"])
def test_a_plain_vault_that_replaces_the_sealed_one_enrolls_nobody(
    settings: Settings, wiped: str
) -> None:
    with opened(settings) as vault:
        store_record(vault, Record("ana", MODEL, "2026-01-31T12:00:00+00:00", b"x"))
    if wiped == "file":
        write_plain(settings.vault_path, plain_row("mallory", face(3)))
    else:
        with closing(sqlite3.connect(settings.vault_path)) as db, db:
            for table in ("meta", "bucket", "record", "attempt", "log", "gallery"):
                db.execute(f"DROP TABLE cell_{table}")
            db.execute(PLAIN_TABLE)
            db.execute(
                "INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?)", plain_row("mallory", face(3))
            )
            db.execute("PRAGMA user_version = 1")
    with opened(settings) as vault, pytest.raises(UsageError, match="not sealed"):
        vault.holds("mallory")
    with pytest.raises(VaultDamaged, match="a sealed vault was seen there before"):
        make_vault(settings, surface="library", environ={})
