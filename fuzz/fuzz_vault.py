"""Any bytes at all into what the vault reads. See README.md."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mien"]):
    import numpy as np

    from mien.errors import MienError
    from mien.results import ModelId, Template
    from mien.settings import load_settings
    from mien.vault import Record, pack_template, unpack_template
    from mien.vault.admin.status import verify_all
    from mien.vault.admin.transfer import export_people, import_people
    from mien.vault.backends.base import MemoryStore, Section
    from mien.vault.crypto.key_wrap import Header
    from mien.vault.open import open_memory_vault, open_vault
    from mien.vault.records.sealed_record import unpack_record
    from mien.vault.vault import Vault

MODEL = ModelId("sface", "ab" * 32)
WORDS = "four random plain words"
HOME = Path(tempfile.mkdtemp(prefix="mien-fuzz-vault-"))
SETTINGS = load_settings({"HOME": str(HOME)})
SPACES = list(Section)


def record_of(user: str, seed: int) -> Record:
    vectors = np.random.default_rng(seed).normal(size=(1, 4)).astype(np.float32)
    template = Template(vectors / np.linalg.norm(vectors), MODEL)
    return Record(user, MODEL, "2026-01-31T12:00:00+00:00", pack_template(template))


def said(vault: Vault) -> tuple[object, ...]:
    users = ("ana", "ben", "nobody")
    return (vault.heads(), *(vault.get(user) for user in users), vault.log_entries())


def filled(vault: Vault) -> Vault:
    vault.put(record_of("ana", 1), replace=False)
    vault.put(record_of("ben", 2), replace=False)
    vault.set_gallery(True)
    return vault


MEMORY = filled(open_memory_vault())
RIGHT = said(MEMORY)
CELLS = dict(MEMORY.safe.store._cells)
with filled(open_vault(SETTINGS, create=True, surface="library", environ={})) as made:
    RIGHT_FILE = said(made)
    export_people(made.safe, HOME / "people", WORDS)
FILE = SETTINGS.vault_path.read_bytes()
KEY = SETTINGS.key_path.read_bytes()
[WITNESS_PATH] = (SETTINGS.state_dir / "vaults").glob("*.seen")
WITNESS = WITNESS_PATH.read_bytes()
BUNDLE = (HOME / "people").read_bytes()
HEADER = CELLS[Section.META, b"header"]


def put_back() -> None:
    SETTINGS.vault_path.write_bytes(FILE)
    for suffix in ("-wal", "-shm", "-journal"):
        SETTINGS.vault_path.with_name(SETTINGS.vault_path.name + suffix).unlink(missing_ok=True)
    SETTINGS.key_path.write_bytes(KEY)
    WITNESS_PATH.write_bytes(WITNESS)


def the_file(data: bytes) -> None:
    """The whole file, or a stretch of it, replaced."""
    start = int.from_bytes(data[:2], "big") % len(FILE)
    whole = FILE[:start] + data[2:] + FILE[start + len(data) - 2 :] if data[:1] < b"\x80" else data
    SETTINGS.vault_path.write_bytes(whole)
    with open_vault(SETTINGS, create=False, surface="library", environ={}) as vault:
        verify_all(vault.safe)
        assert said(vault)[:4] in (RIGHT_FILE[:4], ([], None, None, None))


def a_cell(data: bytes) -> None:
    store = MEMORY.safe.store
    assert isinstance(store, MemoryStore)
    keys = sorted(CELLS, key=lambda key: (key[0].value, key[1]))
    key = keys[data[0] % len(keys)] if data else keys[0]
    flipped = bytearray(CELLS[key])
    for at, byte in enumerate(data[3:]):
        flipped[(at + int.from_bytes(data[1:3], "big")) % len(flipped)] ^= byte
    store._cells = {**CELLS, key: bytes(flipped)}
    try:
        assert said(MEMORY) == RIGHT
        verify_all(MEMORY.safe)
    finally:
        store._cells = dict(CELLS)


def a_planted_cell(data: bytes) -> None:
    store = MEMORY.safe.store
    assert isinstance(store, MemoryStore)
    space = SPACES[data[0] % len(SPACES)] if data else Section.RECORD
    store._cells = {**CELLS, (space, data[1:33] or b"k"): data[33:]}
    try:
        assert said(MEMORY) == RIGHT or (space, data[1:33]) in CELLS
    finally:
        store._cells = dict(CELLS)


def a_header(data: bytes) -> None:
    assert Header.from_bytes(data).to_bytes() == data


def a_template(data: bytes) -> None:
    unpack_template(data, expected_model=MODEL)


def a_record(data: bytes) -> None:
    unpack_record(data)


def a_bundle(data: bytes) -> None:
    """Behind the header: its parameters may ask for a second and a gigabyte, on purpose."""
    end = BUNDLE.index(b"}", BUNDLE.index(b'"kind"')) + 1
    (HOME / "hostile").write_bytes(BUNDLE[: end - 1] + data)
    if b"argon2id" in data:
        return
    with open_memory_vault() as other:
        import_people(other.safe, HOME / "hostile", WORDS, taken="refuse")
        raise AssertionError("an altered export was taken")


def a_key_file(data: bytes) -> None:
    SETTINGS.key_path.write_bytes(data)
    with open_vault(SETTINGS, create=False, surface="library", environ={}) as vault:
        assert said(vault) == RIGHT_FILE


def a_witness(data: bytes) -> None:
    WITNESS_PATH.write_bytes(data)
    with open_vault(SETTINGS, create=False, surface="library", environ={}) as vault:
        assert said(vault) == RIGHT_FILE


# a bundle takes a fifth of a second for its passphrase: it gets one byte value only
KINDS = (the_file, a_cell, a_planted_cell, a_header, a_template, a_record, a_key_file, a_witness)


def one_input(data: bytes) -> None:
    first, rest = (data[0], data[1:]) if data else (0, b"")
    kind = a_bundle if first == 255 else KINDS[first % len(KINDS)]
    put_back()
    try:
        kind(rest)
    except MienError as error:
        assert str(error).isprintable(), repr(str(error))  # noqa: PT017


if __name__ == "__main__":
    corpus = Path(tempfile.mkdtemp(prefix="mien-fuzz-seeds-"))
    template = record_of("ana", 1).payload
    for number, seed in enumerate(
        (FILE[:3000], b"\x07" * 40, b"r" * 80, HEADER, template, template, KEY, WITNESS)
    ):
        (corpus / f"seed{number}").write_bytes(bytes([number]) + seed)
    atheris.Setup([*sys.argv, str(corpus)], one_input)
    atheris.Fuzz()
