"""Give hostile bytes to everything that the vault reads. See README.md."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tests' helpers

with atheris.instrument_imports(include=["mien"]):
    import numpy as np
    from tests.vault.memory import MemoryStore, memory_transactions

    from mien.errors import MienError
    from mien.results import ModelId, Template
    from mien.settings import load_settings
    from mien.vault import Record, pack_template, unpack_template
    from mien.vault.backends.base import VaultTable
    from mien.vault.crypto.key_wrap import Header
    from mien.vault.open import open_vault
    from mien.vault.records.sealed_record import unpack_record
    from mien.vault.vault import Vault

MODEL = ModelId("sface", "ab" * 32)
PASSPHRASE = "four random plain words"
HOME = Path(tempfile.mkdtemp(prefix="mien-fuzz-vault-"))
SETTINGS = load_settings({"HOME": str(HOME)})
SECTIONS = list(VaultTable)


def record_of(user: str, seed: int) -> Record:
    vectors = np.random.default_rng(seed).normal(size=(1, 4)).astype(np.float32)
    template = Template(vectors / np.linalg.norm(vectors), MODEL)
    return Record(user, MODEL, "2026-01-31T12:00:00+00:00", pack_template(template))


def read_all(vault: Vault) -> tuple[object, ...]:
    found = [vault.look_up(user) for user in ("ana", "ben", "nobody")]
    records = [None if one is None else one.record for one in found]
    return (vault.list_people(), *records, vault.read_log())


def fill(vault: Vault) -> Vault:
    for record in (record_of("ana", 1), record_of("ben", 2)):
        vault.update(record.user, lambda stored, space_of, record=record: record)
    vault.enable_centroids()
    return vault


TRANSACTIONS = memory_transactions()
MEMORY = fill(Vault(TRANSACTIONS))
CONTENT = read_all(MEMORY)
STORE = TRANSACTIONS.store
assert isinstance(STORE, MemoryStore)
CELLS = dict(STORE._cells)
with fill(open_vault(SETTINGS, create=True, surface="library", environ={})) as made:
    made.export_people(HOME / "people", PASSPHRASE)  # the log names it
    CONTENT_OF_FILE = read_all(made)
FILE = SETTINGS.vault_path.read_bytes()
KEY = SETTINGS.key_path.read_bytes()
[GUARD_PATH] = (SETTINGS.state_dir / "vaults").glob("*.seen")
GUARD = GUARD_PATH.read_bytes()
EXPORT = (HOME / "people").read_bytes()
HEADER = CELLS[VaultTable.META, b"header"]


def restore_files() -> None:
    SETTINGS.vault_path.write_bytes(FILE)
    for suffix in ("-wal", "-shm", "-journal"):
        SETTINGS.vault_path.with_name(SETTINGS.vault_path.name + suffix).unlink(missing_ok=True)
    SETTINGS.key_path.write_bytes(KEY)
    GUARD_PATH.write_bytes(GUARD)


def fuzz_file(data: bytes) -> None:
    """Replace the whole file, or a part of it."""
    start = int.from_bytes(data[:2], "big") % len(FILE)
    whole = FILE[:start] + data[2:] + FILE[start + len(data) - 2 :] if data[:1] < b"\x80" else data
    SETTINGS.vault_path.write_bytes(whole)
    with open_vault(SETTINGS, create=False, surface="library", environ={}) as vault:
        vault.verify()
        assert read_all(vault)[:4] in (CONTENT_OF_FILE[:4], ([], None, None, None))


def fuzz_cell(data: bytes) -> None:
    keys = sorted(CELLS, key=lambda key: (key[0].value, key[1]))
    key = keys[data[0] % len(keys)] if data else keys[0]
    flipped = bytearray(CELLS[key])
    for at, byte in enumerate(data[3:]):
        flipped[(at + int.from_bytes(data[1:3], "big")) % len(flipped)] ^= byte
    STORE._cells = {**CELLS, key: bytes(flipped)}
    try:
        assert read_all(MEMORY) == CONTENT
        MEMORY.verify()
    finally:
        STORE._cells = dict(CELLS)


def fuzz_added_cell(data: bytes) -> None:
    section = SECTIONS[data[0] % len(SECTIONS)] if data else VaultTable.RECORD
    STORE._cells = {**CELLS, (section, data[1:33] or b"k"): data[33:]}
    try:
        assert read_all(MEMORY) == CONTENT or (section, data[1:33]) in CELLS
    finally:
        STORE._cells = dict(CELLS)


def fuzz_header(data: bytes) -> None:
    assert Header.from_bytes(data).to_bytes() == data


def fuzz_template(data: bytes) -> None:
    unpack_template(data, expected_model=MODEL)


def fuzz_record(data: bytes) -> None:
    unpack_record(data)


def fuzz_export(data: bytes) -> None:
    """Alter an export after its header, whose parameters may cost a second and a gigabyte."""
    end = EXPORT.index(b"}", EXPORT.index(b'"kind"')) + 1
    (HOME / "hostile").write_bytes(EXPORT[: end - 1] + data)
    if b"argon2id" in data:
        return
    with Vault(memory_transactions()) as other:
        other.import_people(HOME / "hostile", PASSPHRASE)
        raise AssertionError("an altered export was imported")


def fuzz_key_file(data: bytes) -> None:
    SETTINGS.key_path.write_bytes(data)
    with open_vault(SETTINGS, create=False, surface="library", environ={}) as vault:
        assert read_all(vault) == CONTENT_OF_FILE


def fuzz_guard(data: bytes) -> None:
    GUARD_PATH.write_bytes(data)
    with open_vault(SETTINGS, create=False, surface="library", environ={}) as vault:
        assert read_all(vault) == CONTENT_OF_FILE


# an export takes a fifth of a second for its passphrase: it gets one byte value only
TARGETS = (
    *(fuzz_file, fuzz_cell, fuzz_added_cell, fuzz_header),
    *(fuzz_template, fuzz_record, fuzz_key_file, fuzz_guard),
)


def fuzz_one(data: bytes) -> None:
    first, rest = (data[0], data[1:]) if data else (0, b"")
    target = fuzz_export if first == 255 else TARGETS[first % len(TARGETS)]
    restore_files()
    try:
        target(rest)
    except MienError as error:
        assert str(error).isprintable(), repr(str(error))  # noqa: PT017


if __name__ == "__main__":
    corpus = Path(tempfile.mkdtemp(prefix="mien-fuzz-seeds-"))
    template = record_of("ana", 1).payload
    for number, seed in enumerate(
        (FILE[:3000], b"\x07" * 40, b"r" * 80, HEADER, template, template, KEY, GUARD)
    ):
        (corpus / f"seed{number}").write_bytes(bytes([number]) + seed)
    atheris.Setup([*sys.argv, str(corpus)], fuzz_one)
    atheris.Fuzz()
