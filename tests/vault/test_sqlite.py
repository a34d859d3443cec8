"""The SQLite vault: how it keeps, and who else may use it meanwhile.

Damage is in test_sqlite_damage.py, what a path may be in test_place.py.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mien.errors import UsageError, VaultDamaged
from mien.results import ModelId
from mien.vault import Record, SqliteVault

MakeRecord = Callable[..., Record]
ReadAll = Callable[[Path], tuple[object, ...]]

PRELUDE = """
import os, signal, sqlite3, sys
from mien.results import ModelId
from mien.vault import Record, SqliteVault
def record(user, payload=b"payload"):
    return Record(user, ModelId("sface", "ab" * 32), "2026-01-31T12:00:00+00:00", payload)
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
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output


def test_what_was_put_is_there_when_the_file_is_opened_again(
    filled: Path, make_record: MakeRecord
) -> None:
    with SqliteVault(filled, create=False) as vault:
        assert vault.get("ben") == make_record("ben", b"b" * 6000)


def test_the_vault_is_one_file(filled: Path) -> None:
    assert os.listdir(filled.parent) == [filled.name]
    with SqliteVault(filled, create=False) as vault:
        vault.remove("ana")
        assert os.listdir(filled.parent) == [filled.name]


def test_an_absent_file_is_an_empty_vault_and_stays_absent(
    tmp_path: Path, make_record: MakeRecord, model: ModelId
) -> None:
    path = tmp_path / "not" / "here" / "vault.sqlite"
    with SqliteVault(path, create=False) as vault:
        assert vault.get("ana") is None
        assert vault.remove("ana") is False
        assert vault.heads() == []
        assert list(vault.records(model)) == []
        with pytest.raises(UsageError, match="create=True"):
            vault.put(make_record("ana"), replace=True)
    assert os.listdir(tmp_path) == []


def test_a_vault_opened_before_the_first_enrolment_sees_it(
    path: Path, make_record: MakeRecord
) -> None:
    with SqliteVault(path, create=False) as reader, SqliteVault(path, create=True) as writer:
        writer.put(make_record("ana"), replace=False)
        assert reader.get("ana") == make_record("ana")


def test_an_empty_file_is_an_empty_vault_that_only_create_fills(
    path: Path, make_record: MakeRecord
) -> None:
    path.touch(mode=0o600)
    with SqliteVault(path, create=False) as vault:
        assert vault.heads() == []
    assert path.stat().st_size == 0
    with SqliteVault(path, create=True) as vault:
        vault.put(make_record("ana"), replace=False)
        assert vault.get("ana") == make_record("ana")


def test_the_file_says_whose_it_is_and_which_schema_it_has(filled: Path) -> None:
    header = filled.read_bytes()[:100]
    assert header[68:72] == b"mien"  # where SQLite keeps the application_id
    assert header[60:64] == bytes([0, 0, 0, 2])  # and the user_version


def test_changes_wait_for_the_disk(filled: Path) -> None:
    with SqliteVault(filled, create=False) as vault:
        assert vault._db is not None
        for pragma, value in (("synchronous", 2), ("journal_mode", "delete"), ("secure_delete", 1)):
            assert vault._db.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_a_forgotten_template_is_nowhere_in_the_file(path: Path, make_record: MakeRecord) -> None:
    with SqliteVault(path, create=True) as vault:
        vault.put(make_record("ana", b"the face of ana" * 500), replace=False)
        assert b"the face of ana" in path.read_bytes()
        vault.remove("ana")
    assert b"the face of ana" not in path.read_bytes()


def test_a_busy_vault_says_try_again_and_keeps_what_it_had(
    filled: Path, make_record: MakeRecord
) -> None:
    with (
        closing(sqlite3.connect(filled, isolation_level=None)) as other,
        SqliteVault(filled, create=False, busy_timeout_s=0) as vault,
    ):
        other.execute("BEGIN EXCLUSIVE")
        for use in (
            lambda: vault.get("ana"),
            lambda: vault.put(make_record("eve"), replace=False),
            lambda: vault.remove("ana"),
        ):
            with pytest.raises(VaultDamaged, match="in use by another program; try again"):
                use()
        other.execute("ROLLBACK")
        assert [head.user for head in vault.heads()] == ["ana", "ben", "zoë"]


def test_a_reader_in_the_middle_of_its_records_does_not_stop_a_writer(
    filled: Path, make_record: MakeRecord, model: ModelId
) -> None:
    with (
        SqliteVault(filled, create=False) as reader,
        SqliteVault(filled, create=False, busy_timeout_s=0) as writer,
    ):
        records = reader.records(model)
        next(records)
        writer.put(make_record("eve"), replace=False)
        assert [record.user for record in records] == ["ben", "zoë"]


def test_a_full_disk_changes_nothing(filled: Path, read_all: ReadAll) -> None:
    script = """
import resource
vault = SqliteVault(sys.argv[1], create=False)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size, (soft, hard) = os.path.getsize(sys.argv[1]), resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
try:
    vault.put(record("eve", bytes(10_000_000)), replace=False)
except Exception as error:
    print(type(error).__name__, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print([head.user for head in vault.heads()])
vault.close()
"""
    pytest.importorskip("resource", reason="needs a system with file size limits")
    before = read_all(filled)
    said, names = finish(start(script, filled)).splitlines()
    assert said.startswith("VaultDamaged the vault")
    assert "disk" in said
    assert names == "['ana', 'ben', 'zoë']"
    assert read_all(filled) == before


def test_a_second_thread_is_a_fault_of_the_program_and_not_damage(filled: Path) -> None:
    faults: list[sqlite3.ProgrammingError] = []

    def read() -> None:
        try:
            vault.get("ana")
        except sqlite3.ProgrammingError as error:
            faults.append(error)

    with SqliteVault(filled, create=False) as vault:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert len(faults) == 1


def test_two_processes_that_make_one_vault_and_enrol_at_once_are_both_kept(path: Path) -> None:
    script = """
with SqliteVault(sys.argv[1], create=True) as vault:
    for number in range(20):
        vault.put(record(f"{sys.argv[2]} {number:02}"), replace=False)
"""
    both = [start(script, path, name) for name in ("left", "right")]
    for process in both:
        finish(process)
    with SqliteVault(path, create=False) as vault:
        names = [head.user for head in vault.heads()]
    assert names == [f"{side} {number:02}" for side in ("left", "right") for number in range(20)]


def test_of_two_processes_that_enrol_one_name_exactly_one_wins(path: Path) -> None:
    script = """
from mien.errors import AlreadyEnrolled
with SqliteVault(sys.argv[1], create=True) as vault:
    for number in range(20):
        try:
            vault.put(record(f"user {number}", sys.argv[2].encode()), replace=False)
            print("kept")
        except AlreadyEnrolled:
            print("refused")
"""
    outputs = [finish(process).split() for process in [start(script, path, s) for s in "ab"]]
    assert all({left, right} == {"kept", "refused"} for left, right in zip(*outputs, strict=True))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a system with SIGKILL")
def test_a_crash_in_the_middle_of_a_change_leaves_the_old_state(
    filled: Path, read_all: ReadAll
) -> None:
    script = """
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")  # so that changed pages reach the file before the commit
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE templates SET payload = zeroblob(6000)")
db.execute("INSERT INTO templates VALUES ('eve', 'm', 's', 'c', zeroblob(200000), x'')")
os.kill(os.getpid(), signal.SIGKILL)
"""
    before, bytes_before = read_all(filled), filled.read_bytes()
    process = start(script, filled)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert filled.with_name("vault.sqlite-journal").exists()
    assert filled.read_bytes() != bytes_before
    assert read_all(filled) == before
    assert filled.read_bytes() == bytes_before


def test_importing_the_vault_imports_neither_numpy_nor_sqlite(path: Path) -> None:
    script = """
import subprocess
code = "import sys, mien.vault; print(sorted({'numpy', 'sqlite3'} & set(sys.modules)))"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
"""
    assert finish(start(script)).strip() == "[]"
