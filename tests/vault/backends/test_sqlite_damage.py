"""A damaged SQLite file gives a plain error, or bytes that the layer above verifies."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from tests.vault.raw_vault import RawVault
from tests.vault.sealed_parts import edit

from mien.errors import MienError, UsageError, VaultDamaged
from mien.vault.backends import sqlite_connection
from mien.vault.backends.sqlite_connection import connect, transaction, translated_errors
from mien.vault.backends.sqlite_schema import SCHEMA_VERSION

NAMES = ("ana", "ben", "zoë")


def read_all(path: Path) -> list[object]:
    """All that a store answers."""
    with RawVault(path, create=False) as vault:
        vault.store.check()
        return [vault.names(), *(vault.get(name) for name in (*NAMES, "nobody"))]


def bytes_or_damaged(path: Path) -> None:
    """Anything but an answer or an error of ours in one line fails the test."""
    # UnicodeDecodeError is RawVault's own: a name that was hit
    with suppress(MienError, UnicodeDecodeError):
        read_all(path)


@pytest.mark.parametrize("value", ["text", 7, 1.5])
def test_a_cell_that_is_not_bytes_is_damage(filled: Path, value: object) -> None:
    edit(filled, "UPDATE cell_record SET value = ? WHERE key = ?", value, b"ana")
    with RawVault(filled, create=False) as vault, pytest.raises(VaultDamaged, match="not bytes"):
        vault.get("ana")


def test_a_cell_that_is_too_large_is_not_read(filled: Path) -> None:
    edit(filled, "UPDATE cell_record SET value = zeroblob(67108865) WHERE key = ?", b"ana")
    with RawVault(filled, create=False) as vault:
        assert vault.get("ben") == b"b" * 6000
        with pytest.raises(VaultDamaged, match="too large"):
            vault.get("ana")
        with pytest.raises(VaultDamaged, match="too large"):
            vault.names()


@pytest.mark.parametrize("offset", [3071, 3072, 3073])
def test_a_schema_that_asks_for_too_much_memory_is_damage(filled: Path, offset: int) -> None:
    whole = filled.read_bytes()
    hit = b"\xff" * 15 + b"\n" * 5 + b"\xea\x01." + b"\xff" * 69 + b"\x002"  # as fuzzing found
    filled.write_bytes(whole[:offset] + hit + whole[offset + len(hit) :])
    bytes_or_damaged(filled)


def test_a_missing_table_is_damage(filled: Path) -> None:
    edit(filled, "DROP TABLE cell_record")
    _expect_foreign_schema(filled)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT x'00' AS key, i"
FOREIGN_SCHEMAS = {
    "an endless view in the place of a table": [
        "DROP TABLE cell_record",
        f"CREATE VIEW cell_record AS {ENDLESS} AS value FROM n WHERE i < 0",
    ],
    "a view with the name of a function": [
        f"CREATE VIEW pragma_application_id AS {ENDLESS} AS application_id FROM n WHERE i < 0"
    ],
    "a trigger": ["CREATE TRIGGER t AFTER INSERT ON cell_log BEGIN DELETE FROM cell_attempt; END"],
    "an index": ["CREATE INDEX i ON cell_record (value)"],
    "another table": ["CREATE TABLE other (a)"],
    "a generated column": [
        "DROP TABLE cell_record",
        "CREATE TABLE cell_record (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL,"
        " x AS (zeroblob(1000000000)))",
    ],
    "many tables": [f"CREATE TABLE t{number} (a)" for number in range(300)],
}


@pytest.mark.parametrize("statements", FOREIGN_SCHEMAS.values(), ids=FOREIGN_SCHEMAS)
def test_a_schema_that_mien_did_not_make_is_refused_at_once(
    filled: Path, statements: list[str]
) -> None:
    with closing(sqlite3.connect(filled)) as db, db:
        for statement in statements:
            db.execute(statement)
    _expect_foreign_schema(filled)


def _expect_foreign_schema(path: Path) -> None:
    for create in (False, True):
        with (
            pytest.raises(VaultDamaged, match="not those that mien made"),
            RawVault(path, create=create) as vault,
        ):
            vault.names()


def test_an_endless_statement_is_stopped(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_connection, "STEPS_PER_CALL", 1000)
    with closing(connect(filled, 1)) as db, translated_errors(filled):
        for _ in range(2):  # each transaction has the whole budget
            with transaction(db, "BEGIN"):
                db.execute("SELECT count(*) FROM cell_record").fetchone()
        with (
            pytest.raises(VaultDamaged, match="takes too long to read"),
            translated_errors(filled),
            transaction(db, "BEGIN"),
        ):
            db.execute(f"SELECT max(i) FROM ({ENDLESS} FROM n)").fetchone()


def test_damage_anywhere_gives_the_right_answer_or_a_mien_error(filled: Path) -> None:
    rng = np.random.default_rng(20260131)
    whole = filled.read_bytes()
    for offset in [*range(0, 120), *rng.integers(0, len(whole), size=200).tolist()]:
        broken = bytearray(whole)
        broken[offset] ^= int(rng.integers(1, 256))
        filled.write_bytes(broken)
        bytes_or_damaged(filled)


def test_random_bytes_in_the_file_give_the_right_answer_or_a_mien_error(filled: Path) -> None:
    rng = np.random.default_rng(7)
    whole = filled.read_bytes()
    for _ in range(100):
        start_byte, length = int(rng.integers(len(whole))), int(rng.integers(2, 3000))
        broken = bytearray(whole)
        broken[start_byte : start_byte + length] = rng.bytes(length)
        filled.write_bytes(broken[: len(whole)])
        bytes_or_damaged(filled)


def test_a_truncated_file_is_detected(filled: Path) -> None:
    whole = filled.read_bytes()
    for length in [*range(1, 600, 37), *range(600, 4096 * 3, 911)]:
        filled.write_bytes(whole[:length])
        with pytest.raises(VaultDamaged):
            read_all(filled)


@pytest.mark.parametrize("size", [1, 15, 16, 20, 99, 100, 511, 512, 5000])
def test_a_text_file_is_refused_and_not_touched(path: Path, size: int) -> None:
    text = b"dear diary, " * 500
    path.write_bytes(text[:size])
    path.chmod(0o600)
    for create in (False, True):
        with pytest.raises(VaultDamaged, match="not a vault"):
            RawVault(path, create=create)
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
            RawVault(path, create=create)
    assert path.read_bytes() == before


def test_a_vault_of_schema_1_is_refused_until_it_is_sealed(path: Path) -> None:
    edit(path, "CREATE TABLE templates (user)")
    edit(path, "PRAGMA application_id = 0x6D69656E")
    edit(path, "PRAGMA user_version = 1")
    path.chmod(0o600)
    for create in (False, True):
        with pytest.raises(UsageError, match="older mien and is not sealed; run: mien vault init"):
            RawVault(path, create=create)


def test_a_newer_schema_says_upgrade(filled: Path) -> None:
    newer = SCHEMA_VERSION + 1
    edit(filled, f"PRAGMA user_version = {newer}")
    said = f"schema {newer} and this mien knows {SCHEMA_VERSION}; upgrade mien"
    with pytest.raises(VaultDamaged, match=said):
        RawVault(filled, create=True)


def test_a_schema_that_does_not_exist_is_damage(filled: Path) -> None:
    edit(filled, "PRAGMA user_version = 0")
    with pytest.raises(VaultDamaged, match="schema 0, which does not exist"):
        RawVault(filled, create=True)


@pytest.mark.parametrize(
    ("of_sqlite", "of_mien"),
    [
        ("database is locked", "try again in a moment"),
        ("database table is locked: cell_log", "try again in a moment"),
        ("database or disk is full", "free some space"),
        ("attempt to write a readonly database", "is read-only"),
        ("unable to open database file", "cannot be opened"),
        ("disk I/O error", "check the disk"),
        ("database disk image is malformed", "restore it from a backup"),
        ("anything\nelse", r"'anything\nelse'"),
    ],
)
def test_errors_of_sqlite_are_put_in_plain_words(of_sqlite: str, of_mien: str) -> None:
    with pytest.raises(VaultDamaged) as refusal, translated_errors(Path("vault.sqlite")):
        raise sqlite3.OperationalError(of_sqlite)
    assert of_mien in str(refusal.value)
    assert str(refusal.value).isprintable()
