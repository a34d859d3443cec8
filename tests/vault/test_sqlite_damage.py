"""Damage to the SQLite file: found, or harmless, and never a wrong answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mien.errors import AlreadyEnrolled, VaultDamaged
from mien.results import ModelId
from mien.vault import Record, SqliteVault
from mien.vault.sqlite import _plain_words

MakeRecord = Callable[..., Record]
ReadAll = Callable[[Path], tuple[object, ...]]


def right_or_damaged(read_all: ReadAll, path: Path, right: object, *, hint: object) -> str:
    """Which of the two the vault answers; anything else fails the test."""
    try:
        answer = read_all(path)
    except VaultDamaged as error:
        refusal = str(error)
    else:
        assert answer == right, hint
        return "right"
    assert refusal.isprintable(), hint
    return "damaged"


def edit(path: Path, statement: str, *values: object) -> None:
    """Change the file behind mien's back."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, values)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("user", "eve"),
        ("model_name", "other"),
        ("model_sha256", "cd" * 32),
        ("created_at", "2027-01-31T12:00:00+00:00"),
        ("payload", b"another face"),
        ("payload", "text"),
        ("payload", 7),
        ("checksum", b""),
        ("checksum", bytes(32)),
    ],
)
def test_an_edited_row_is_found_by_every_reader(
    filled: Path, model: ModelId, column: str, value: object
) -> None:
    edit(filled, f"UPDATE templates SET {column} = ? WHERE user = 'ana'", value)
    with SqliteVault(filled, create=False) as vault:
        for read in (
            lambda: vault.get("ana"),
            lambda: vault.get("nobody"),
            lambda: vault.heads(),
            lambda: list(vault.records(model)),
        ):
            with pytest.raises(VaultDamaged, match=r"record of .* is damaged.*enrol again"):
                read()


def test_two_swapped_rows_are_found(filled: Path) -> None:
    edit(filled, "UPDATE templates SET user = 'x' WHERE user = 'ana'")
    edit(filled, "UPDATE templates SET user = 'ana' WHERE user = 'ben'")
    edit(filled, "UPDATE templates SET user = 'ben' WHERE user = 'x'")
    with SqliteVault(filled, create=False) as vault:
        with pytest.raises(VaultDamaged, match="'ana'"):
            vault.get("ana")
        with pytest.raises(VaultDamaged, match="'ben'"):
            vault.get("ben")


def test_a_damaged_record_harms_nobody_else_and_can_be_replaced_or_forgotten(
    filled: Path, make_record: MakeRecord
) -> None:
    edit(filled, "UPDATE templates SET payload = x'00' WHERE user != 'zoë'")
    with SqliteVault(filled, create=False) as vault:
        assert vault.get("zoë") == make_record("zoë", b"z")
        with pytest.raises(AlreadyEnrolled):
            vault.put(make_record("ana"), replace=False)
        vault.put(make_record("ana"), replace=True)
        assert vault.remove("ben") is True
        assert [head.user for head in vault.heads()] == ["ana", "zoë"]


def test_an_absent_table_is_damage(filled: Path, make_record: MakeRecord) -> None:
    edit(filled, "ALTER TABLE templates RENAME TO faces")
    with SqliteVault(filled, create=True) as vault:
        for use in (
            lambda: vault.get("ana"),
            lambda: vault.heads(),
            lambda: vault.remove("ana"),
            lambda: vault.put(make_record("eve"), replace=True),
        ):
            with pytest.raises(VaultDamaged, match="no such table"):
                use()


def test_after_damage_anywhere_the_answer_is_right_or_none(filled: Path, read_all: ReadAll) -> None:
    """Every kind of page is hit; a lost record must not pass for "not enrolled"."""
    rng = np.random.default_rng(20260131)
    whole, right = filled.read_bytes(), read_all(filled)
    outcomes = set()
    headers_and_anywhere = [*range(0, 120), *rng.integers(0, len(whole), size=400).tolist()]
    for offset in headers_and_anywhere:
        broken = bytearray(whole)
        broken[offset] ^= int(rng.integers(1, 256))
        filled.write_bytes(broken)
        outcomes.add(right_or_damaged(read_all, filled, right, hint=offset))
    assert outcomes == {"right", "damaged"}


def test_a_stretch_of_noise_is_found_or_harmless(filled: Path, read_all: ReadAll) -> None:
    rng = np.random.default_rng(7)
    whole, right = filled.read_bytes(), read_all(filled)
    for _ in range(200):
        start_byte, length = int(rng.integers(len(whole))), int(rng.integers(2, 3000))
        broken = bytearray(whole)
        broken[start_byte : start_byte + length] = rng.bytes(length)
        filled.write_bytes(broken[: len(whole)])
        right_or_damaged(read_all, filled, right, hint=(start_byte, length))


def test_a_file_cut_short_is_found_and_left_for_repair(filled: Path, read_all: ReadAll) -> None:
    whole = filled.read_bytes()
    pages = len(whole) // 4096
    for length in [*range(1, 600, 23), *range(600, 4096 * (pages - 1), 511)]:
        filled.write_bytes(whole[:length])
        with pytest.raises(VaultDamaged):
            read_all(filled)
        assert filled.read_bytes() == whole[:length]


def test_a_last_page_cut_short_is_found_or_harmless(filled: Path, read_all: ReadAll) -> None:
    """SQLite takes the missing end of the last page for zeros, which it may have been."""
    whole, right = filled.read_bytes(), read_all(filled)
    for length in range(len(whole) - 4096, len(whole), 101):
        filled.write_bytes(whole[:length])
        right_or_damaged(read_all, filled, right, hint=length)


@pytest.mark.parametrize("size", [1, 15, 16, 20, 99, 100, 511, 512, 5000])
def test_a_text_file_is_refused_and_not_touched(path: Path, size: int) -> None:
    text = b"dear diary, " * 500
    path.write_bytes(text[:size])
    path.chmod(0o600)
    for create in (False, True):
        with pytest.raises(VaultDamaged, match="not a vault"):
            SqliteVault(path, create=create)
    assert path.read_bytes() == text[:size]


@pytest.mark.parametrize("application_id", [0, 1, -1])
def test_a_database_of_another_program_is_refused_and_not_touched(
    path: Path, application_id: int
) -> None:
    edit(path, "CREATE TABLE bookmarks (url TEXT)")
    edit(path, f"PRAGMA application_id = {application_id}")
    path.chmod(0o600)
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(VaultDamaged, match="another program; set MIEN_VAULT to another file"):
            SqliteVault(path, create=create)
    assert path.read_bytes() == before


def test_a_newer_schema_says_upgrade(filled: Path) -> None:
    edit(filled, "PRAGMA user_version = 3")
    with pytest.raises(VaultDamaged, match="schema 3 and this mien knows 2; upgrade mien"):
        SqliteVault(filled, create=True)


def test_a_schema_that_never_was_is_damage(filled: Path) -> None:
    edit(filled, "PRAGMA user_version = 0")
    with pytest.raises(VaultDamaged, match="impossible schema 0"):
        SqliteVault(filled, create=True)


@pytest.mark.parametrize(
    ("of_sqlite", "of_mien"),
    [
        ("database is locked", "try again in a moment"),
        ("database table is locked: templates", "try again in a moment"),
        ("database or disk is full", "free some space"),
        ("attempt to write a readonly database", "is read-only"),
        ("unable to open database file", "cannot be opened"),
        ("disk I/O error", "check the disk"),
        ("database disk image is malformed", "restore it from a backup"),
        ("anything\nelse", r"'anything\nelse'"),
    ],
)
def test_errors_of_sqlite_are_put_in_plain_words(of_sqlite: str, of_mien: str) -> None:
    with pytest.raises(VaultDamaged) as refusal, _plain_words(Path("vault.sqlite")):
        raise sqlite3.OperationalError(of_sqlite)
    assert of_mien in str(refusal.value)
    assert str(refusal.value).isprintable()
