"""Change a vault, killed before each system call that changes a file; run by test_crash.py.

    LD_PRELOAD=kill_at_call.so python kill_at_call.py SHIM FOLDER OPERATION EVERY

Prints how many calls the operation makes, once every EVERYth of them was tried and the vault was
found in its old or its new state, with no key or template left over.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from tests.killed_child import run_killed

from mien.results import ModelId, Template
from mien.settings import Settings, load_settings
from mien.vault import Record, pack_template
from mien.vault.open import open_vault
from mien.vault.vault import Vault

MODEL = ModelId("sface", "ab" * 32)
DATA = Path(__file__).parent / "data"


def opened(settings: Settings) -> Vault:
    return open_vault(settings, create=True, surface="library", environ={})


def enroll(vault: Vault, name: str) -> None:
    vectors = np.random.default_rng(len(name)).normal(size=(1, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors)
    payload = pack_template(Template(vectors, MODEL))
    record = Record(name, MODEL, "2026-01-31T12:00:00+00:00", payload)
    vault.update(name, lambda stored, space_of: record, replace=True)


OPERATIONS: dict[str, Callable[[Vault], object]] = {
    "enroll": lambda vault: enroll(vault, "eve"),
    "forget": lambda vault: vault.remove("ben"),
    "rotate": lambda vault: vault.rotate(),
    "migrate": lambda vault: vault.list_people(),
}


def prepared(settings: Settings, operation: str) -> Callable[[], object]:
    """The operation, on a vault that is open."""
    vault = opened(settings)
    if operation != "migrate":
        vault.list_people()

    def work() -> None:
        OPERATIONS[operation](vault)
        vault.close()

    return work


def cell_of(settings: Settings, name: str) -> bytes:
    """The sealed record of this name, as it is stored."""
    from mien.vault.backends.base import VaultTable
    from mien.vault.records.sealed_record import user_tag

    with opened(settings) as vault, vault._transactions.reading() as transaction:
        assert transaction is not None
        cell = transaction.cells.get(VaultTable.RECORD, user_tag(name, transaction.cipher))
    assert cell is not None
    return cell


def check(settings: Settings, operation: str, template: bytes, old_key: bytes) -> None:
    """The vault is whole; what the operation removes is nowhere once it is done again."""
    if operation == "migrate":
        check_migrated(settings)
        return
    with opened(settings) as vault:
        assert vault.verify() is not None
        people = {head.user for head in vault.list_people()}
        assert {"ana"} <= people <= {"ana", "ben", "eve"}, people
        assert operation == "forget" or "ben" in people
        if operation != "enroll":
            OPERATIONS[operation](vault)
        assert vault.verify() is not None
    home = Path(os.environ["HOME"])
    files = [path for path in home.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        assert operation != "forget" or template not in content, path
        assert operation != "rotate" or old_key not in content, path
    left = [path.name for path in files if path.name.startswith((".", "tmp")) and path.suffix]
    assert left == [], left


def check_migrated(settings: Settings) -> None:
    """The index is all of the old format or all of the new one, and nobody was lost."""
    with closing(sqlite3.connect(settings.vault_path)) as db:
        [version] = db.execute("PRAGMA user_version").fetchone()
        lengths = {size for (size,) in db.execute("SELECT length(key) FROM cell_bucket")}
    assert (version, lengths) in ((2, {1}), (3, {2, 3})), (version, lengths)
    with opened(settings) as vault:
        status = vault.verify()
        assert status is not None
        assert (status.people, status.log_entries, status.centroids) == (40, 62, True)


def make_vault(settings: Settings, operation: str) -> None:
    """Of ana and ben, or the one that mien 0.2 wrote."""
    if operation != "migrate":
        with opened(settings) as vault:
            for name in ("ana", "ben"):
                enroll(vault, name)
        return
    for name, path in (("sqlite", settings.vault_path), ("key", settings.key_path)):
        path.parent.mkdir(parents=True)
        shutil.copyfile(DATA / f"format1.{name}", path)
        path.chmod(0o600)


def main(shim_path: str, folder: str, operation: str, every: str) -> None:
    shim = ctypes.CDLL(shim_path)
    home, whole = Path(folder) / "home", Path(folder) / "whole"
    os.environ["HOME"] = str(home)
    settings = load_settings({"HOME": str(home)})
    make_vault(settings, operation)
    template = b"" if operation == "migrate" else cell_of(settings, "ben")[40:]
    old_key = settings.key_path.read_bytes().split()[-1]
    shutil.copytree(home, whole)
    kill_at, killed, calls = 1 - int(every), True, 0
    while killed:
        kill_at += int(every)
        shutil.rmtree(home)
        shutil.copytree(whole, home)
        killed, calls = run_killed(partial(prepared, settings, operation), shim, kill_at)
        child = os.fork()
        if not child:
            check(settings, operation, template, old_key)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, f"{operation}, killed before call {kill_at}"
    print(calls)


if __name__ == "__main__":
    main(*sys.argv[1:])
