"""`mien vault ...` and `mien log`: the key, state, moves and history, and each way to no."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.settings import load_settings

Started = Callable[..., Any]
Mien = Callable[..., Any]
"""Runs a command: `.code`, `.out`, `.err`, `.json`, `.complaint`; see conftest."""


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text("four random plain words\n")
    file.chmod(0o600)
    return file


def test_init_makes_an_empty_vault_once(mien: Mien, home: Path) -> None:
    made = mien("vault", "init")
    assert made.code == 0
    assert "key: file " in made.out
    assert load_settings().vault_path.stat().st_mode & 0o777 == 0o600
    assert load_settings().key_path.stat().st_mode & 0o777 == 0o600
    again = mien("vault", "init")
    assert again.code == 2
    assert "already" in again.complaint


def test_status_says_where_the_key_is_and_who_can_use_it(mien: Mien, vault: Path) -> None:
    output = mien("vault", "status").out
    assert "2 people, sealed with AES-256-GCM" in output
    assert f"key: file {load_settings().key_path}: whoever can read it can open the vault" in output
    data = mien("vault", "status", "--json").json
    assert (data["people"], data["key"]) == (2, "file")


def test_status_and_log_do_not_create_a_vault(mien: Mien, home: Path) -> None:
    before = sorted(home.rglob("*"))
    assert "there is no vault yet" in mien("vault", "status").out
    assert mien("vault", "verify").code == 0
    assert mien("log").out == "the log is empty\n"
    assert mien("vault", "rotate").code == 2
    assert sorted(home.rglob("*")) == before


def test_after_a_rotation_the_owner_unlocks_and_the_old_key_opens_nothing(
    mien: Mien, album: Path, vault: Path
) -> None:
    old_key = load_settings().key_path.read_bytes()
    assert mien("vault", "rotate").out.startswith("sealed 2 people under a new key\n")
    assert mien("unlock", "ana", album / "probe.png").code == 0
    load_settings().key_path.write_bytes(old_key)
    refused = mien("unlock", "ana", album / "probe.png")
    assert refused.code == 11
    assert "the key of this vault is not in" in refused.complaint


def test_only_the_passphrase_opens_the_vault(
    mien: Mien, vault: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_VAULT_PASSPHRASE_FILE", str(passphrase))
    assert "a passphrase" in mien("vault", "rotate", "--key", "passphrase").out
    assert mien("list").out.count("\n") == 2
    passphrase.write_text("another\n")
    assert mien("list").code == 11
    passphrase.chmod(0o644)
    assert "chmod 600" in mien("list").complaint
    monkeypatch.delenv("MIEN_VAULT_PASSPHRASE_FILE")
    nobody = mien("list")  # the tests have no terminal
    assert nobody.code == 11
    assert "there is no terminal to type it at" in nobody.complaint


def test_a_passphrase_is_changed_without_a_terminal(
    mien: Mien, vault: Path, passphrase: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_VAULT_PASSPHRASE_FILE", str(passphrase))
    mien("vault", "rotate", "--key", "passphrase")
    new = tmp_path / "new"
    new.write_text("five other random plain words\n")
    new.chmod(0o600)
    changed = mien("vault", "rotate", "--key", "passphrase", "--new-passphrase-file", new)
    assert "set MIEN_VAULT_PASSPHRASE_FILE to the file of the new passphrase" in changed.out
    assert mien("list").code == 11
    monkeypatch.setenv("MIEN_VAULT_PASSPHRASE_FILE", str(new))
    assert mien("list").out.count("\n") == 2
    assert mien("vault", "rotate", "--key", "file", "--new-passphrase-file", new).code == 2


def test_a_short_passphrase_is_refused_wherever_one_is_chosen(
    mien: Mien, vault: Path, album: Path, passphrase: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    passphrase.write_text("a" * 11 + "\n")
    monkeypatch.setenv("MIEN_VAULT_PASSPHRASE_FILE", str(passphrase))
    rotate = ("vault", "rotate", "--key", "passphrase")
    export = ("vault", "export", tmp_path / "x", "--passphrase-file", passphrase)
    for arguments in (rotate, (*rotate, "--new-passphrase-file", passphrase), export):
        assert "12 characters or more" in mien(*arguments).complaint
    monkeypatch.setenv("MIEN_VAULT", f"sqlite:///{tmp_path}/other.sqlite")
    monkeypatch.setenv("MIEN_VAULT_KEY", "passphrase")
    for arguments in (("vault", "init"), ("enroll", "me", album / "me")):
        ran = mien(*arguments)
        assert (ran.code, "12 characters or more" in ran.complaint) == (2, True)


def test_people_are_exported_and_imported_into_another_vault(
    mien: Mien, album: Path, vault: Path, passphrase: Path, tmp_path: Path
) -> None:
    file = tmp_path / "people.mien"
    assert "exported 2 people" in mien("vault", "export", file, "--passphrase-file", passphrase).out
    assert file.stat().st_mode & 0o777 == 0o600
    assert mien("vault", "export", file, "--passphrase-file", passphrase).code == 2  # it exists
    settings = load_settings()
    shutil.rmtree(settings.vault_path.parent)
    settings.key_path.unlink()
    gone = mien("vault", "import", file, "--passphrase-file", passphrase)
    assert (gone.code, "is gone" in gone.complaint) == (8, True)
    assert mien("vault", "verify", "--accept").code == 0
    taken = mien("vault", "import", file, "--passphrase-file", passphrase)
    assert taken.out == "imported 2 people: ana, ben\n"
    assert mien("unlock", "ana", album / "probe.png").code == 0
    again = mien("vault", "import", file, "--passphrase-file", passphrase)
    assert again.code == 2
    assert again.complaint.endswith(
        "pass --keep to leave those in the vault as they are, or --replace to replace them"
    )
    kept = mien("vault", "import", file, "--keep", "--passphrase-file", passphrase, "--json").json
    assert (kept["added"], kept["kept"]) == ([], ["ana", "ben"])
    replaced = mien("vault", "import", file, "--replace", "--passphrase-file", passphrase)
    assert replaced.code == 0
    assert mien("unlock", "ana", album / "probe.png").code == 0


@pytest.mark.parametrize("spoilt", ["wrong passphrase", "a byte", "cut off", "no export", "absent"])
def test_an_altered_export_imports_nobody(
    mien: Mien, vault: Path, passphrase: Path, tmp_path: Path, spoilt: str
) -> None:
    file = tmp_path / "people.mien"
    mien("vault", "export", file, "--passphrase-file", passphrase)
    content = file.read_bytes()
    code = {"wrong passphrase": 11, "a byte": 8, "cut off": 8, "no export": 2, "absent": 2}[spoilt]
    if spoilt == "wrong passphrase":
        passphrase.write_text("four other plain words\n")
    elif spoilt == "a byte":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif spoilt == "cut off":
        file.write_bytes(content[:-9])
    elif spoilt == "no export":
        file.write_bytes(b"dear diary")
    else:
        file.unlink()
    for name in ("ana", "ben"):
        mien("forget", name)
    ran = mien("vault", "import", file, "--passphrase-file", passphrase)
    assert ran.code == code
    assert str(file)[:60] in ran.complaint  # a long path is cut
    assert "vault" not in ran.complaint.replace("mien vault export", "")  # which is sound
    assert "nobody is enrolled" in mien("list").out


def test_an_old_copy_is_refused_until_it_is_accepted(mien: Mien, vault: Path) -> None:
    old = vault.read_bytes()
    mien("forget", "ben")
    vault.write_bytes(old)
    for arguments in (("list",), ("vault", "status"), ("vault", "verify")):
        refused = mien(*arguments)
        assert refused.code == 8
        assert "is an old copy" in refused.complaint
        assert "mien vault verify --accept" in refused.complaint
    accepted = mien("vault", "verify", "--accept")
    assert "verified every record, count and log entry" in accepted.out
    assert mien("list").out.count("\n") == 2
    assert "an older copy of the vault, or another vault, was accepted" in mien("log").out


def test_without_its_key_nothing_is_shown_and_nothing_removed(
    mien: Mien, album: Path, vault: Path
) -> None:
    before = vault.read_bytes()
    load_settings().key_path.unlink()
    for arguments in (
        ("unlock", "ana", album / "probe.png"), ("identify", album / "probe.png"), ("list",),
        ("forget", "ana"), ("enroll", "zoe", album / "probe.png"), ("log",), ("vault", "status"),
        ("vault", "rotate"), ("doctor", "--json"),
    ):  # fmt: skip
        assert mien(*arguments).code == 11
    assert vault.read_bytes() == before


def test_a_key_that_others_can_read_is_refused(mien: Mien, vault: Path) -> None:
    load_settings().key_path.chmod(0o644)
    ran = mien("list")
    assert ran.code == 11
    assert "chmod 600" in ran.complaint


@pytest.mark.parametrize(
    "ring",
    ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring", "nowhere.Ring"],
)
def test_without_a_keyring_the_error_says_what_to_do(started: Started, ring: str) -> None:
    backend = {"PYTHON_KEYRING_BACKEND": ring}
    ran = started("vault", "init", "--key", "keyring", env=backend, capture_output=True, text=True)
    assert ran.returncode == 11
    assert "MIEN_VAULT_KEY=file" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "backup" not in ran.stderr  # there is no key yet


@pytest.mark.parametrize("verb", ["export", "import"])
def test_the_error_without_a_terminal_names_the_passphrase_option(
    mien: Mien, vault: Path, tmp_path: Path, verb: str
) -> None:
    ran = mien("vault", verb, tmp_path / "people.mien")
    assert ran.code == 11
    assert ran.complaint.endswith(
        "put it into a file of mode 600 and name it with --passphrase-file"
    )


def test_one_person_is_counted_in_the_singular(
    mien: Mien, vault: Path, passphrase: Path, tmp_path: Path
) -> None:
    mien("forget", "ben")
    file = tmp_path / "people.mien"
    assert (
        "exported 1 person to" in mien("vault", "export", file, "--passphrase-file", passphrase).out
    )


# attempts and the log ----------------------------------------------------------------------


def test_too_many_failures_are_exit_code_7_with_the_wait(
    mien: Mien, album: Path, vault: Path
) -> None:
    for _ in range(5):
        assert mien("unlock", "ben", album / "probe.png").code == 1
    ran = mien("unlock", "ben", album / "probe.png")
    assert ran.code == 7
    assert ran.complaint.startswith("too many failed attempts; try again in ")
    assert mien("unlock", "ben", album / "probe.png", "--json").json["outcome"] == (
        "too_many_attempts"
    )
    assert mien("unlock", "ana", album / "probe.png").code == 0


def test_the_log_describes_what_happened(mien: Mien, album: Path, vault: Path) -> None:
    mien("unlock", "ana", album / "probe.png")
    for _ in range(3):
        mien("unlock", "ben", album / "probe.png")
    mien("unlock", "ana", album / "wall.png")
    mien("identify", album / "probe.png")
    mien("vault", "rotate")
    mien("forget", "ben")
    lines = [line[24:] for line in mien("log").out.splitlines()]
    assert lines[2:5] == [
        "ana unlocked",
        lines[3],
        "no face seen for ana",
    ]
    assert lines[3].startswith("3 failed attempts for ben, the last at ")
    assert lines[5:] == [
        "ana was identified", "the key of the vault was replaced", "ben was forgotten",
    ]  # fmt: skip
    assert "entries: none edited, none removed" in mien("log", "--verify").out


def test_a_log_with_a_removed_entry_is_exit_code_8(mien: Mien, album: Path, vault: Path) -> None:
    import sqlite3
    from contextlib import closing

    mien("unlock", "ben", album / "probe.png")
    with closing(sqlite3.connect(vault)) as db, db:
        db.execute("DELETE FROM cell_log WHERE key = (SELECT max(key) FROM cell_log)")
    ran = mien("log", "--verify")
    assert ran.code == 8
    assert "removed" in ran.complaint
    assert "mien vault rotate --accept-log" in mien("vault", "rotate").complaint
    assert mien("vault", "rotate", "--accept-log").code == 0
    output = mien("log", "--verify").out
    assert "the log had been tampered with; what was left was accepted" in output
    assert "verified the chain of" in output


def test_the_log_has_no_embedding_and_no_similarity(mien: Mien, album: Path, vault: Path) -> None:
    mien("unlock", "ana", album / "probe.png")
    entry = mien("log", "--json").json["entries"][-1]
    assert set(entry) == {"at", "kind", "user", "outcome", "where"}
    assert json.dumps(entry).count("0.9") == 0


def test_centroids_change_no_answer(mien: Mien, album: Path, vault: Path) -> None:
    assert "centroids off" in mien("vault", "status").out
    before = mien("identify", album / "probe.png").out
    assert mien("vault", "centroids", "on").code == 0
    assert mien("identify", album / "probe.png").out == before
    assert mien("vault", "status", "--json").json["centroids"] is True
    assert mien("vault", "verify").code == 0
    mien("vault", "centroids", "off")
    assert mien("vault", "status", "--json").json["centroids"] is False


def test_a_key_file_is_rotated_where_keyring_is_not_installed(
    started: Started, vault: Path, tmp_path: Path
) -> None:
    absent = tmp_path / "without"
    absent.mkdir()
    (absent / "keyring.py").write_text("raise ImportError('not installed')\n")
    env = {"PYTHONPATH": str(absent)}
    ran = started("vault", "rotate", env=env, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert load_settings().key_path.read_text().count("\n") == 1  # the old one is gone
    refused = started(
        "vault", "rotate", "--key", "keyring", env=env, capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert re.search(r"pip install '.*\[keyring\]'", refused.stderr)
    assert started("list", env=env).returncode == 0
