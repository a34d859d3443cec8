"""A vault that mien 0.2 wrote becomes one of the present format, whole or not at all.

`data/format1.sqlite` was written by commit aded4b5: 40 people of two models (each fifth of "user 0"
to "user 39" but "user 3", who was forgotten, and "last"), centroids, failed attempts for three,
and 62 log entries. Its vectors are random numbers.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from tests.vault.sealed_parts import Clock, edit, fail, opened, record_of_user, rows_of

from mien.errors import TooManyAttempts, VaultDamaged
from mien.results import FloatArray, ModelId
from mien.settings import Settings
from mien.vault import unpack_template
from mien.vault.backends import postgres
from mien.vault.backends.base import VaultTable
from mien.vault.integrity.rollback_guard import VaultState
from mien.vault.vault import Vault
from mien.vectors import centre_of

DATA = Path(__file__).parent / "data"
NAMES = sorted(["last", *(f"user {number}" for number in range(40) if number != 3)])
CHANGES, ENTRIES = 63, 62
SECTIONS = ("meta", "bucket", "record", "attempt", "log", "gallery")


def put_old_file(settings: Settings) -> None:
    """A copy of the vault and its key, where the settings look for them."""
    for name, path in (
        ("format1.sqlite", settings.vault_path),
        ("format1.key", settings.key_path),
    ):
        path.parent.mkdir(parents=True)
        shutil.copyfile(DATA / name, path)
        path.chmod(0o600)


def fill_database(url: str, settings: Settings) -> None:
    """The cells of the file in the tables of that time."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE SCHEMA mien")
        db.execute("CREATE TABLE mien.version (number integer NOT NULL)")
        db.execute("INSERT INTO mien.version VALUES (1)")
        for section in SECTIONS:
            table = f"mien.cell_{section}"
            db.execute(f"CREATE TABLE {table} (key bytea PRIMARY KEY, value bytea NOT NULL)")
            for row in rows_of(settings.vault_path, section):
                db.execute(f"INSERT INTO {table} VALUES (%s, %s)", row)


@pytest.fixture
def old_file(settings: Settings) -> Settings:
    """A home folder with a copy of the vault and its key."""
    put_old_file(settings)
    return settings


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, old_file: Settings) -> Settings:
    """The same cells in both kinds of store."""
    if request.param == "sqlite":
        return old_file
    url = request.getfixturevalue("postgres_url")
    fill_database(url, old_file)
    return replace(old_file, vault_url=url)


@pytest.fixture
def vault(old: Settings, clock: Clock) -> Iterator[Vault]:
    with opened(old, clock) as vault:
        yield vault


def model_of(user: str, model: ModelId, other_model: ModelId) -> ModelId:
    return other_model if user.endswith("9") else model


def expected(user: str) -> FloatArray:
    seed = 99 if user == "last" else int(user.removeprefix("user "))
    vectors = np.random.default_rng(seed).normal(size=(2, 8)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def changes(vault: Vault) -> int:
    status = vault.status()
    assert status is not None
    return status.changes


def test_everything_in_it_is_there_after_the_first_look(
    vault: Vault, model: ModelId, other_model: ModelId
) -> None:
    assert [head.user for head in vault.list_people()] == NAMES
    status = vault.verify()
    assert status is not None
    assert (status.people, status.changes, status.log_entries) == (40, CHANGES + 1, ENTRIES)
    assert status.centroids
    assert len(vault.read_log()) == 52  # the two entries of an attempt are one
    for user in NAMES:
        found = vault.look_up(user)
        assert found is not None
        assert found.record is not None
        of = model_of(user, model, other_model)
        stored = unpack_template(found.record.payload, expected_model=of).vectors
        plain = found.space_of(of).reveal(stored)
        np.testing.assert_allclose(plain, expected(user), atol=1e-6)


def test_its_centroids_are_divided_and_still_those_of_the_records(
    vault: Vault, model: ModelId, other_model: ModelId
) -> None:
    for of in (model, other_model):
        centroids, space = vault.centroids_of(of)
        assert space is not None
        users = [user for user in NAMES if model_of(user, model, other_model) == of]
        found = {}
        for start, rows in centroids:
            for number, row in enumerate(space.reveal(rows), start):
                record = vault.record_at(centroids.tag_at(number))
                assert record is not None
                found[record.user] = row
        assert sorted(found) == users
        for user in users:
            np.testing.assert_allclose(found[user], centre_of(expected(user)), atol=1e-5)


def test_its_counts_of_failed_attempts_go_on(vault: Vault) -> None:
    with pytest.raises(TooManyAttempts, match="try again in 30 seconds"):
        fail(vault, "user 0")
    fail(vault, "user 1", 3)  # after two
    with pytest.raises(TooManyAttempts):
        fail(vault, "user 1")


def test_it_is_changed_once(old: Settings, clock: Clock) -> None:
    for _ in range(2):
        with opened(old, clock) as vault:
            assert record_of_user(vault, "last") is not None
            assert changes(vault) == CHANGES + 1
    with opened(old, clock) as vault:
        vault.remove("last")
        assert changes(vault) == CHANGES + 2
        assert vault.verify() is not None


@pytest.mark.parametrize("change", ["attempt", "remove", "rotate"])
def test_the_first_thing_done_to_it_may_be_a_change(
    old: Settings, clock: Clock, change: str
) -> None:
    with opened(old, clock) as vault:
        if change == "attempt":
            fail(vault, "user 1")
        elif change == "remove":
            assert vault.remove("last")
        else:
            assert vault.rotate() == 40
        assert vault.verify() is not None


def test_an_older_mien_is_told_to_upgrade(old: Settings, clock: Clock) -> None:
    """It compares this number with the 2 of a file, and the 1 of a database, that it knows."""
    with opened(old, clock) as vault:
        vault.list_people()
    if old.vault_url is None:
        with closing(sqlite3.connect(old.vault_path)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (3,)
    else:
        with psycopg.connect(old.vault_url) as server:
            [(number,)] = server.execute("SELECT number FROM mien.version").fetchall()
            assert number == postgres.SCHEMA_VERSION > 1


def test_the_state_that_an_older_mien_remembered_continues(old: Settings, clock: Clock) -> None:
    with opened(old, clock) as vault:
        transactions = vault._transactions
        guard = transactions.guard
        assert guard is not None
        guard.remember(old_state(vault))
        assert vault.verify() is not None
        assert changes(vault) == CHANGES + 1
        last = guard.read_last()
        assert last is not None
        assert last.counter == CHANGES + 1


def old_state(vault: Vault) -> VaultState:
    """What an older mien remembered; nothing is changed."""
    found: list[VaultState] = []

    def look() -> None:
        with vault._transactions.store.writing() as cells:
            packed = cells.get(VaultTable.META, b"header")
            assert packed is not None
            found.append(vault._transactions._unlock_to_write(packed, cells).state)
            raise RuntimeError("undo it")

    with pytest.raises(RuntimeError, match="undo it"):
        look()
    return found[0]


def test_an_old_copy_of_the_old_format_is_refused_and_can_be_accepted(
    old_file: Settings, clock: Clock
) -> None:
    before = old_file.vault_path.read_bytes()
    with opened(old_file, clock) as vault:
        vault.remove("last")
    old_file.vault_path.write_bytes(before)
    with opened(old_file, clock) as vault:
        with pytest.raises(VaultDamaged, match="is an old copy"):
            vault.list_people()
        with pytest.raises(VaultDamaged, match="is an old copy"):
            vault.remove("user 1")
        vault.verify(accept=True)
        assert [head.user for head in vault.list_people()] == NAMES
        assert vault.read_log()[-1].kind == "accept_copy"


def test_an_altered_index_is_not_taken_over(old_file: Settings, clock: Clock) -> None:
    [first, *_] = rows_of(old_file.vault_path, "bucket")
    spoilt = first[1][:-1] + bytes([first[1][-1] ^ 1])
    edit(old_file.vault_path, "UPDATE cell_bucket SET value = ? WHERE key = ?", spoilt, first[0])
    before = {name: rows_of(old_file.vault_path, name) for name in SECTIONS}
    with opened(old_file, clock) as vault, pytest.raises(VaultDamaged, match="its index"):
        vault.list_people()
    assert {name: rows_of(old_file.vault_path, name) for name in SECTIONS} == before


@pytest.mark.parametrize("is_record_damaged", [False, True])
def test_damaged_centroids_are_made_again_or_left_out(
    old_file: Settings, clock: Clock, is_record_damaged: bool
) -> None:
    path = old_file.vault_path
    edit(path, "UPDATE cell_gallery SET value = zeroblob(99)")
    if is_record_damaged:
        edit(path, "UPDATE cell_record SET value = zeroblob(99) WHERE key = (SELECT max(key)"
                   " FROM cell_record)")  # fmt: skip
    with opened(old_file, clock) as vault:
        status = vault.status()
        assert status is not None
        assert (status.people, status.centroids) == (40, not is_record_damaged)
        if not is_record_damaged:
            assert vault.verify() is not None


def test_without_its_key_it_stays_as_it_was(old_file: Settings, clock: Clock) -> None:
    old_file.key_path.unlink()
    before = rows_of(old_file.vault_path, "bucket")
    with opened(old_file, clock) as vault, pytest.raises(Exception, match="the key of this vault"):
        vault.list_people()
    assert rows_of(old_file.vault_path, "bucket") == before
