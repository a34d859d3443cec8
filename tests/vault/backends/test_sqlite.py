"""The SQLite store: how it keeps, and who else may use the file meanwhile.

Damage is in test_sqlite_damage.py, what a path may be in test_place.py, what all stores
have in common in test_store_contract.py.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from tests.vault.raw_vault import RawVault

from mien.errors import VaultDamaged
from mien.vault.backends.base import VaultTable
from mien.vault.backends.sqlite import SqliteStore

PRELUDE = """
import os, signal, sqlite3, sys
from tests.vault.raw_vault import RawVault
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Another Python process that uses the same mien."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PRELUDE + script, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def test_a_closed_store_is_one_file(filled: Path) -> None:
    assert os.listdir(filled.parent) == [filled.name]
    with RawVault(filled, create=False) as vault:
        vault.remove("ana")
    assert os.listdir(filled.parent) == [filled.name]


def test_a_store_opened_before_the_file_was_made_sees_it(path: Path) -> None:
    with RawVault(path, create=False) as reader, RawVault(path, create=True) as writer:
        writer.put("ana")
        assert reader.get("ana") == b"payload"


def test_an_empty_file_is_an_empty_store_that_only_create_fills(path: Path) -> None:
    path.touch(mode=0o600)
    with RawVault(path, create=False) as vault:
        assert vault.names() == []
    assert path.stat().st_size == 0
    with RawVault(path, create=True) as vault:
        vault.put("ana")
        assert vault.names() == ["ana"]


def test_the_file_has_the_application_id_and_the_schema(filled: Path) -> None:
    header = filled.read_bytes()[:100]
    assert header[68:72] == b"mien"  # where SQLite keeps the application_id
    assert header[60:64] == bytes([0, 0, 0, 3])  # and the user_version


def test_changes_are_synced_to_the_disk(filled: Path) -> None:
    with RawVault(filled, create=False) as vault:
        with vault.store._pool.connection(create=False) as one:
            assert one is not None
        for pragma, value in (("synchronous", 2), ("journal_mode", "wal"), ("secure_delete", 1)):
            assert one.db.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_a_removed_value_is_in_no_file_while_the_store_is_open(path: Path) -> None:
    face = b"the face of ana" * 500
    with RawVault(path, create=True) as vault:
        vault.put("ana", face)
        assert any(face[:200] in one.read_bytes() for one in path.parent.iterdir())
        vault.remove("ana")
        assert not any(b"the face of ana" in one.read_bytes() for one in path.parent.iterdir())


def test_a_file_in_use_says_try_again_and_is_not_changed(filled: Path) -> None:
    with (
        closing(sqlite3.connect(filled, isolation_level=None)) as other,
        RawVault(filled, create=False, busy_timeout_s=0) as vault,
    ):
        other.execute("BEGIN IMMEDIATE")
        for use in (lambda: vault.put("eve"), lambda: vault.remove("ana")):
            with pytest.raises(VaultDamaged, match="in use by another program; try again"):
                use()
        assert vault.names() == ["ana", "ben", "zoë"]  # who reads is not held up
        other.execute("ROLLBACK")


def test_a_full_disk_changes_nothing(filled: Path) -> None:
    script = """
import resource
vault = RawVault(sys.argv[1], create=False)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size, (soft, hard) = os.path.getsize(sys.argv[1]), resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
try:
    vault.put("eve", bytes(10_000_000))
except Exception as error:
    print(type(error).__name__, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(vault.names())
vault.close()
"""
    message, names = finish(start(script, filled)).splitlines()
    assert message.startswith("VaultDamaged the vault")
    assert "disk" in message
    assert names == "['ana', 'ben', 'zoë']"
    with RawVault(filled, create=False) as vault:
        vault.store.check()
        assert vault.get("ben") == b"b" * 6000


def test_a_process_killed_during_a_change_leaves_the_old_state(filled: Path) -> None:
    script = """
vault = RawVault(sys.argv[1], create=False)
from mien.vault.backends.base import VaultTable
with vault.store.writing() as cells:
    cells._db.execute("PRAGMA cache_size = 1")  # changed pages reach the log at once
    for number in range(50):
        cells.put(VaultTable.RECORD, b"%d" % number, bytes(20_000))
    cells.drop(VaultTable.RECORD, b"ana")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    process = start(script, filled)
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    assert filled.with_name("vault.sqlite-wal").stat().st_size > 100_000
    with RawVault(filled, create=False) as vault:
        vault.store.check()
        assert vault.names() == ["ana", "ben", "zoë"]


def test_two_processes_that_create_and_write_one_file_at_once_both_succeed(path: Path) -> None:
    # SQLite's lock is not a queue: on a loaded machine one writer may hold the other off for long
    script = """
with RawVault(sys.argv[1], create=True, busy_timeout_s=250) as vault:
    for number in range(20):
        vault.put(f"{sys.argv[2]} {number:02}")
"""
    both = [start(script, path, name) for name in ("left", "right")]
    for process in both:
        finish(process)
    with RawVault(path, create=False) as vault:
        names = vault.names()
    assert names == [f"{side} {number:02}" for side in ("left", "right") for number in range(20)]


def test_a_file_that_another_program_is_making_is_opened_once_it_is_made(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")  # of a file that has not been made yet
        other.execute("BEGIN IMMEDIATE")
        waits = iter([lambda: None, lambda: other.execute("COMMIT")])
        monkeypatch.setattr(time, "sleep", lambda seconds: next(waits)())
        store = SqliteStore(filled, create=True, busy_timeout_s=0.05)
        with store.reading() as cells:
            assert cells is not None
        store.close()
    assert next(waits, None) is None


def test_a_file_that_was_replaced_meanwhile_is_opened_anew(filled: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with RawVault(other, create=True) as vault:
        vault.put("eve")
    with RawVault(filled, create=True) as vault:
        os.replace(other, filled)
        assert vault.names() == ["eve"]
        vault.put("ana")
    with RawVault(filled, create=False) as vault:
        assert vault.names() == ["ana", "eve"]
        filled.unlink()
        assert vault.names() == []


def test_a_file_that_is_replaced_during_a_change_is_an_error(filled: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with RawVault(other, create=True) as vault:
        vault.put("eve")
    with RawVault(filled, create=True) as vault:

        def change() -> None:
            with vault.store.writing() as cells:
                cells.put(VaultTable.RECORD, b"ana", b"lost")
                os.replace(other, filled)

        with pytest.raises(VaultDamaged, match="was replaced while it was changed"):
            change()
        assert vault.names() == ["eve"]


def test_what_a_reader_keeps_in_the_write_ahead_log_is_reported(filled: Path) -> None:
    secret = os.urandom(300)
    log = filled.with_name("vault.sqlite-wal")
    with RawVault(filled, create=False, busy_timeout_s=0) as vault:
        with closing(sqlite3.connect(filled)) as reader:
            vault.put("eve", secret)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM cell_record").fetchone()
            with pytest.raises(VaultDamaged, match="the change was made, but what was removed"):
                vault.remove("eve")
            assert vault.get("eve") is None
            assert secret in log.read_bytes()
        vault.remove("ana")
        assert secret not in log.read_bytes()
    assert secret not in filled.read_bytes()


@pytest.mark.parametrize(("count", "is_reported"), [(0, False), (3, False), (10**9, True)])
def test_the_write_ahead_log_is_emptied_again_after_a_collision(
    filled: Path, monkeypatch: pytest.MonkeyPatch, count: int, is_reported: bool
) -> None:
    """With a reader, or with another process that empties it too."""
    now, left = [0.0], [count]

    def empty(db: sqlite3.Connection) -> bool:
        left[0] -= 1
        return left[0] < 0

    monkeypatch.setattr("mien.vault.backends.sqlite.time.monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("mien.vault.backends.sqlite.time.sleep", sleep)
    monkeypatch.setattr("mien.vault.backends.sqlite.empty_write_ahead_log", empty)
    store = SqliteStore(filled, create=False, busy_timeout_s=5.0)
    with pytest.raises(VaultDamaged) if is_reported else nullcontext(), store.writing() as cells:
        cells.drop(VaultTable.RECORD, b"ana")
    assert now[0] == pytest.approx(5.0 if is_reported else 0.02 * count, abs=0.03)


def test_what_a_killed_process_removed_is_erased_when_the_file_is_opened_again(
    filled: Path,
) -> None:
    script = """
vault = RawVault(sys.argv[1], create=False)
vault.store._empty_write_ahead_log = lambda: os.kill(os.getpid(), signal.SIGKILL)
vault.put("eve", bytes.fromhex(sys.argv[2]))
vault.remove("eve")
"""
    secret = os.urandom(300)
    process = start(script, filled, secret.hex())
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    log = filled.with_name("vault.sqlite-wal")
    assert secret in log.read_bytes()
    with RawVault(filled, create=False) as vault:
        assert vault.get("eve") is None
        assert secret not in log.read_bytes() + filled.read_bytes()


def test_another_thread_may_use_the_store(filled: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store = SqliteStore(filled, create=False)

    def read(_: int) -> bytes | None:
        with store.reading() as cells:
            return cells.get(VaultTable.RECORD, b"ana")

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(20))) == {b"a" * 300}
    store.close()


def test_importing_the_vault_imports_neither_numpy_nor_sqlite_nor_cryptography() -> None:
    script = """
import subprocess
heavy = {'numpy', 'sqlite3', 'cryptography', 'psycopg'}
code = f"import sys, mien.vault, mien.vault.open; print(sorted({heavy} & set(sys.modules)))"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
"""
    assert finish(start(script)).strip() == "[]"
