"""The reference of the commands: all are in it, and `--json` prints the fields that it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.cli.parser import build_parser
from mien.cli.reference.json_fields import COMMON, ERROR, FIELDS
from mien.cli.reference.markdown import command_reference
from mien.cli.reference.tree import Command, read_commands

Mien = Callable[..., Any]
ROOT = read_commands(build_parser())
OF_FIGURES = "..."
ONLY_WITH_OPTION = {"log": {"file", "exported"}}  # `mien log --export FILE`


def names(root: Command) -> set[str]:
    """Of the commands that run; `models` runs, and has another below it."""
    running = [one for one in root.walk() if not one.children or one.path == ("models",)]
    return {" ".join(one.path) for one in running if one.path[0] != "login"}


def test_every_command_has_its_fields() -> None:
    assert set(FIELDS) == names(ROOT)


def test_the_reference_has_a_section_for_each_command_with_its_options() -> None:
    page = command_reference(ROOT)
    for command in ROOT.walk():
        if command.children and command.path != ("models",):
            continue
        section = page.split(f"## mien {' '.join(command.path)}\n", 1)[1].split("\n## ")[0]
        assert command.words in section
        assert "| `outcome` |" in section
        for option in command.options:
            if "--help" not in option.flags:
                assert option.flags[-1] in section


def test_each_command_prints_the_fields_of_the_reference(
    mien: Mien, album: Path, tmp_path: Path
) -> None:
    photo, other = album / "probe.png", album / "me" / "1.png"
    (tmp_path / "words").write_text("twelve characters")
    (tmp_path / "words").chmod(0o600)
    passphrase = ("--passphrase-file", tmp_path / "words")
    for name, arguments in (
        ("enroll", ("enroll", "ana", album / "me")),
        ("unlock", ("unlock", "ana", photo)),
        ("identify", ("identify", photo)),
        ("compare", ("compare", photo, other)),
        ("list", ("list",)),
        ("photos", ("photos", "ana")),
        ("not-me", ("not-me", "ana")),
        ("rename", ("rename", "ana", "bea")),
        ("log", ("log",)),
        ("vault status", ("vault", "status")),
        ("vault verify", ("vault", "verify")),
        ("vault centroids", ("vault", "centroids", "on")),
        ("vault rotate", ("vault", "rotate")),
        ("vault export", ("vault", "export", tmp_path / "people", *passphrase)),
        ("vault import", ("vault", "import", tmp_path / "people", "--keep", *passphrase)),
        ("forget", ("forget", "bea")),
        ("token create", ("token", "create", "door")),
        ("token list", ("token", "list")),
        ("token revoke", ("token", "revoke", "door")),
        ("camera list", ("camera", "list")),
        ("models", ("models",)),
        ("doctor", ("doctor",)),
        ("completion", ("completion", "bash")),
        ("explore", ("explore", album, "--out", tmp_path / "seen")),
    ):
        data = mien(*arguments, "--json").json
        assert set(data) == {*COMMON, *FIELDS[name]} - ONLY_WITH_OPTION.get(name, set()), name
    exported = mien("log", "--export", tmp_path / "log", "--json").json
    assert set(exported) == {*COMMON, *ONLY_WITH_OPTION["log"]}


@pytest.mark.parametrize("arguments", [("unlock", "zoe", "x.png"), ("list", "ana"), ("vault",)])
def test_a_failure_prints_the_common_fields_and_the_error(
    mien: Mien, arguments: tuple[str, ...]
) -> None:
    assert set(mien(*arguments, "--json").json) == {*COMMON, *ERROR}
