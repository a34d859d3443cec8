"""Flip any byte of a small vault: it is noticed, or nothing that the vault says changes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import record_of_user, store_record

from mien.errors import MienError, Outcome
from mien.results import ModelId, Template
from mien.settings import Settings, load_settings
from mien.vault import Record, pack_template
from mien.vault.open import open_vault

MODEL = ModelId("sface", "ab" * 32)
EVERY = int(os.environ.get("MIEN_TEST_FLIP_EVERY", "61"))
"""Every how manyth byte of the SQLite file is flipped; 1 takes minutes. Of the rest each is."""

Answers = tuple[object, ...]


def home_settings(home: Path) -> Settings:
    return load_settings({"HOME": str(home)})


def record_of(user: str, seed: int) -> Record:
    vectors = np.random.default_rng(seed).normal(size=(1, 4)).astype(np.float32)
    template = Template(vectors / np.linalg.norm(vectors), MODEL)
    return Record(user, MODEL, "2026-01-31T12:00:00+00:00", pack_template(template))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault of two people, one failed attempt and a log."""
    home = tmp_path_factory.mktemp("home")
    with open_vault(home_settings(home), create=True, surface="library", environ={}) as vault:
        store_record(vault, record_of("ana", 1))
        store_record(vault, record_of("ben", 2))
        with vault.attempt("ana") as attempt:
            attempt.outcome = Outcome.NOT_THE_OWNER
    return home


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """A copy of it, with its key, that has seen the same changes."""
    made = Path(shutil.copytree(home, tmp_path / "home"))
    read_all(made)
    return made


def read_all(home: Path) -> Answers:
    """All that a vault answers. It only reads, so that a copy can be flipped again."""
    settings = home_settings(home)
    with open_vault(settings, create=False, surface="library", environ={}) as vault:
        users = ("ana", "ben", "nobody")
        return (
            list(vault.list_people()),
            *(record_of_user(vault, user) for user in users),
            *(vault.holds(user) for user in users),
            vault.read_log(),
            vault.verify(),
        )


def flips(content: bytes, every: int) -> Iterator[tuple[int, bytes]]:
    """Each byte with one bit flipped, the bit by chance of a fixed seed."""
    rng = np.random.default_rng(20260131)
    for at in range(0, len(content), every):
        broken = bytearray(content)
        broken[at] ^= 1 << int(rng.integers(8))
        yield at, bytes(broken)


def detected_or_harmless(home: Path, right: Answers, at: object) -> bool:
    """Whether it was noticed. Anything but an error of ours or the right answer fails."""
    try:
        answer = read_all(home)
    except MienError as error:
        assert str(error).isprintable(), at  # noqa: PT017
        return True
    assert answer == right, at
    return False


def test_a_flipped_byte_of_the_file_gives_the_right_answer_or_an_error(copy: Path) -> None:
    right, path = read_all(copy), home_settings(copy).vault_path
    whole = path.read_bytes()
    noticed = 0
    for at, broken in flips(whole, EVERY):
        path.write_bytes(broken)
        noticed += detected_or_harmless(copy, right, at)
    path.write_bytes(whole)
    assert read_all(copy) == right
    assert noticed > 0


@pytest.mark.parametrize("table", ["meta", "bucket", "record", "attempt", "log"])
def test_a_flipped_byte_of_any_cell_is_detected(copy: Path, table: str) -> None:
    import sqlite3
    from contextlib import closing

    path = home_settings(copy).vault_path
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        rows = db.execute(f"SELECT key, value FROM cell_{table}").fetchall()
        assert rows
        for key, value in rows:
            # of the manifest's 8,000 bytes each 97th; it is one seal
            for at, broken in flips(value, 1 if len(value) < 2000 else 97):
                db.execute(f"UPDATE cell_{table} SET value = ? WHERE key = ?", (broken, key))
                with pytest.raises(MienError):
                    read_all(copy)
                assert at >= 0
            db.execute(f"UPDATE cell_{table} SET value = ? WHERE key = ?", (value, key))


@pytest.mark.parametrize("which", ["key", "guard"])
def test_a_flipped_byte_of_the_key_file_or_guard_file_gives_the_right_answer_or_an_error(
    copy: Path, which: str
) -> None:
    settings = home_settings(copy)
    right = read_all(copy)
    place = hashlib.sha256(str(settings.vault_path).encode()).hexdigest()[:32]
    seen = settings.state_dir / "vaults" / f"{place}.seen"
    path = settings.key_path if which == "key" else seen
    whole = path.read_bytes()
    for at, broken in flips(whole, 1):
        path.write_bytes(broken)
        detected_or_harmless(copy, right, at)
        path.write_bytes(whole)
    assert read_all(copy) == right


def test_a_flipped_byte_of_an_export_imports_nobody(tmp_path: Path) -> None:
    file = tmp_path / "people.mien"
    with open_memory_vault() as vault:
        store_record(vault, record_of("ana", 1))
        vault.export_people(file, "four random plain words")
    whole = file.read_bytes()
    # a flipped parameter of the passphrase asks for up to a gigabyte: those are test_seal's
    start = whole.index(b'"vault_id"')
    for at, broken in flips(whole[start:], 23):
        file.write_bytes(whole[:start] + broken)
        with open_memory_vault() as other:
            with pytest.raises(MienError):
                other.import_people(file, "four random plain words", existing="refuse")
            assert other.is_empty(), at
