"""Completion scripts, in the shells themselves, and the manual page."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.cli.parser import SHELLS, build_parser
from mien.cli.reference.completion import completion_script
from mien.cli.reference.tree import read_commands

Mien = Callable[..., Any]
GUARD_S = 120

ROOT = read_commands(build_parser())

LINES = [
    ("mien re", {"rename"}),
    ("mien vault ", {"init", "rotate", "status", "verify", "centroids", "export", "import"}),
    ("mien vault rotate --new", {"--new-passphrase-file"}),
    ("mien vault rotate --key ", {"file", "keyring", "passphrase"}),
    ("mien vault centroids o", {"on", "off"}),
    ("mien enrol --fo", {"--folder"}),
    ("mien --js", {"--json"}),
]


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}: apt-get install {name}")
    return path


def run(*line: str) -> str:
    done = subprocess.run(
        line, capture_output=True, text=True, timeout=GUARD_S, check=False, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(("line", "wanted"), LINES)
def test_bash_offers_commands_options_and_choices(
    line: str, wanted: set[str], tmp_path: Path
) -> None:
    script = tmp_path / "mien.bash"
    script.write_text(completion_script("bash", ROOT))
    words = line.split(" ")
    code = (
        f"source {script}; COMP_WORDS=({' '.join(repr(word) for word in words)});"
        f" COMP_CWORD={len(words) - 1}; _mien; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    assert set(run(shell("bash"), "--norc", "-c", code).split()) == wanted


@pytest.mark.parametrize(("line", "wanted"), [one for one in LINES if "centroids" not in one[0]])
def test_fish_offers_commands_options_and_choices(
    line: str, wanted: set[str], tmp_path: Path
) -> None:
    script = tmp_path / "mien.fish"
    script.write_text(completion_script("fish", ROOT))
    said = run(shell("fish"), "--no-config", "-c", f'source {script}; complete -C "{line}"')
    assert {one.split("\t")[0] for one in said.splitlines()} == wanted


def test_zsh_reads_its_script(tmp_path: Path) -> None:
    script = tmp_path / "mien.zsh"
    script.write_text(completion_script("zsh", ROOT))
    code = f"autoload -U compinit; compinit -u -D; source {script}; print $_comps[mien]"
    assert "_mien" in run(shell("zsh"), "-f", "-c", code)


@pytest.mark.parametrize("name", SHELLS)
def test_every_command_and_option_is_in_each_script(name: str) -> None:
    script = completion_script(name, ROOT)
    for command in ROOT.walk():
        assert all(word in script for word in command.path)
        for option in command.options:
            flag = option.flags[-1]
            assert (flag[2:] if name == "fish" else flag) in script


def test_another_shell_has_no_script(mien: Mien) -> None:
    with pytest.raises(ValueError, match="no completion for 'csh'"):
        completion_script("csh", ROOT)
    assert mien("completion", "csh").code == 2
    assert mien("completion", "bash").out == completion_script("bash", ROOT)


def test_the_manual_page_has_every_command_and_option_and_is_sound_troff(
    mien: Mien, tmp_path: Path
) -> None:
    page = tmp_path / "mien.1"
    page.write_text(mien("completion", "man").out)
    said = run(shell("groff"), "-man", "-Tutf8", "-ww", str(page))
    plain = re.sub("\x1b\\[[0-9;]*m|.\b", "", said).replace("\u2010", "-").replace("\u2212", "-")
    flat = re.sub(r"-\n\s+|\s+", " ", plain)
    for command in ROOT.walk():
        assert f"mien {' '.join(command.path)}".strip() in flat
        for option in command.options:
            assert option.flags[-1] in flat
    assert "~/.config/mien/vault.key" in flat
    assert "11 key unavailable" in flat
