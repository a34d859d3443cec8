"""Usage, help, settings and `enroll`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien import __version__
from mien.cli.main import run
from mien.settings import load_settings

Mien = Callable[..., Any]
"""Runs a command: `.code`, `.out`, `.err`, `.json`, `.complaint`; see conftest."""
COMMANDS = (
    "demo",
    "enroll",
    "unlock",
    "identify",
    "compare",
    "list",
    "forget",
    "explore",
    "models",
    "doctor",
    "vault",
    "log",
    "serve",
    "token",
    "audit",
    "evaluate",
)
GROUPS = ("vault", "token", "evaluate")
"""Commands that only hold further commands."""

# help and usage ----------------------------------------------------------------------------


def test_help_names_every_command_and_every_exit_code(mien: Mien) -> None:
    ran = mien("--help")
    assert ran.code == 0
    assert all(f"    {command} " in ran.out for command in COMMANDS)
    for code in (*range(13), 70, 130):
        assert f"{code:3d} " in ran.out


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {*GROUPS}))
def test_the_help_of_every_command_names_json_and_the_exit_codes(mien: Mien, command: str) -> None:
    ran = mien(command, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"usage: mien {command} ")
    assert "--json" in ran.out
    assert "exit codes:" in ran.out


def test_version_is_printed(mien: Mien) -> None:
    assert mien("--version").out == f"mien {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("open",),
        ("unlock",),
        ("unlock", "ana"),
        ("unlock", "ana", "a.jpg", "b.jpg"),
        ("enroll", "ana"),
        ("enroll", "--add", "--replace", "ana", "a.jpg"),
        ("compare", "a.jpg"),
        ("forget",),
        ("list", "--all"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_one_line_that_names_the_help(
    mien: Mien, arguments: tuple[str, ...]
) -> None:
    ran = mien(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("mien: ")
    assert ran.err.endswith("--help\n")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("module", ["mien", "mien.cli"])
def test_the_command_runs_as_a_module_too(module: str) -> None:
    line = [sys.executable, "-m", module, "--version"]
    ran = subprocess.run(line, capture_output=True, text=True, timeout=300, check=True)
    assert ran.stdout == f"mien {__version__}\n"


def test_the_installed_command_is_run() -> None:
    path = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if not path.is_file():
        pytest.skip("needs pyproject.toml: run the tests from a checkout")
    named = re.findall(r'^mien = "([\w.]+):(\w+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == [(run.__module__, run.__name__)]


def test_no_command_exits_with_2_and_prints_the_help(mien: Mien) -> None:
    ran = mien()
    assert ran.code == 2
    assert ran.err.startswith("usage: mien")
    assert "exit codes" in ran.err


def test_wrong_usage_is_reported_as_json_too(mien: Mien) -> None:
    ran = mien("unlock", "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["outcome"] == "usage"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("MIEN_ENGINE", "abacus", "unknown engine 'abacus'"),
        ("MIEN_THREADS", "0", "threads must be"),
        ("MIEN_VAULT", "https://somewhere/", "sqlite:////ABSOLUTE/PATH"),
        ("MIEN_CONFIG", "/nowhere.toml", "MIEN_CONFIG names"),
    ],
)
def test_a_wrong_setting_exits_with_2_and_one_line(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    ran = mien("list")
    assert ran.code == 2
    assert words in ran.complaint


# enroll ------------------------------------------------------------------------------------


def test_enroll_from_a_folder_then_unlock(mien: Mien, album: Path) -> None:
    ran = mien("enroll", "ana", album / "me")
    assert ran.code == 0
    assert ran.err == ""
    lines = ran.out.splitlines()
    assert lines[0] == "enrolled ana from 3 photos"
    assert lines[1].startswith("  quality: ")
    assert lines[2].endswith("1.png': good")
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 0
    assert ran.out.startswith("unlocked: ana, the same person, a good match; a stranger")
    assert load_settings().vault_path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("names", [["me/1.png", "me/3.png"], ["me/[12].png"], ["me/*", "me/1.png"]])
def test_enroll_takes_files_and_globs_and_uses_each_photo_once(
    mien: Mien, album: Path, names: list[str]
) -> None:
    data = mien("enroll", "ana", *(album / name for name in names), "--json").json
    assert data["outcome"] == "enrolled"
    assert data["user"] == "ana"
    assert data["photos_in_template"] == len(data["photos"]) == (3 if names[0] == "me/*" else 2)
    assert all(photo["leave_one_out"] > 0.8 for photo in data["photos"])
    assert data["skipped"] == []


def test_enroll_names_skipped_photos_and_gives_advice(
    mien: Mien, album: Path, tmp_path: Path
) -> None:
    copy = shutil.copy(album / "me" / "1.png", tmp_path / "copy.png")
    ran = mien("enroll", "ana", album / "me" / "1.png", copy)
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "enrolled ana from 1 photo"
    assert f"skipped {str(copy)!r}: nearly the same as" in ran.out
    assert "advice: one photo only" in ran.out


def test_enroll_under_an_existing_name_names_add_and_replace(
    mien: Mien, album: Path, vault: Path
) -> None:
    before = vault.read_bytes()
    ran = mien("enroll", "ana", album / "probe.png")
    assert ran.code == 2
    assert "pass --replace to start over, or --add" in ran.complaint
    assert vault.read_bytes() == before
    assert (
        mien("enroll", "--add", "ana", album / "probe.png", "--json").json["photos_in_template"]
        == 4
    )
    assert (
        mien("enroll", "--replace", "ana", album / "probe.png", "--json").json["photos_in_template"]
        == 1
    )


@pytest.mark.parametrize(
    ("photo", "code", "words"),
    [
        ("wall.png", 3, "wall.png': no face found"),
        ("crowd.png", 4, "crowd.png': 2 faces of similar size"),
        ("text.jpg", 5, "text.jpg' is not a picture"),
        ("nowhere.jpg", 5, "there is no file"),
        ("*.bmp", 2, "no picture has such a name"),
    ],
)
def test_enroll_names_the_refused_photo_and_leaves_the_vault_unchanged(
    mien: Mien, album: Path, vault: Path, photo: str, code: int, words: str
) -> None:
    before = vault.read_bytes()
    ran = mien("enroll", "new", album / "me", album / photo)
    assert ran.code == code
    assert words in ran.complaint
    assert ran.out == ""
    assert vault.read_bytes() == before


def test_enroll_refuses_photos_of_another_person_with_2(
    mien: Mien, album: Path, vault: Path
) -> None:
    ran = mien("enroll", "--add", "ben", album / "probe.png")
    assert ran.code == 2
    assert "do not show one person" in ran.complaint


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\nb", " ana", "x" * 65])
def test_a_bad_user_name_exits_with_2(mien: Mien, album: Path, name: str) -> None:
    for arguments in (
        ("enroll", name, album / "me"),
        ("unlock", name, album / "probe.png"),
        ("forget", name),
    ):
        ran = mien(*arguments)
        assert ran.code == 2
        assert "the user name" in ran.complaint
