"""The tests' private mount namespace: what is done in it never reaches the machine."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.login.namespace import Namespace, private_namespace

ROOT = Path(__file__).resolve().parents[2]

KILLED = """
import pathlib, sys
from tests.login.namespace import private_namespace

with private_namespace(pathlib.Path(sys.argv[1])) as private:
    private.path("/etc/mien-killed").write_text("changed")
    print(private.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Namespace]:
    with private_namespace(tmp_path) as namespace:
        yield namespace


def test_a_file_written_in_the_namespace_is_not_on_the_machine(private: Namespace) -> None:
    private.path("/etc/mien-test").write_text("changed")
    assert private.run("cat", "/etc/mien-test").stdout == "changed"
    assert not Path("/etc/mien-test").exists()


def test_copies_keep_content_mode_and_owner(private: Namespace) -> None:
    for name in ("/etc", "/etc/passwd", "/etc/shadow"):
        original, copy = os.stat(name), private.path(name).stat()
        assert (copy.st_mode, copy.st_uid, copy.st_gid) == (
            original.st_mode,
            original.st_uid,
            original.st_gid,
        )
    assert private.path("/etc/passwd").read_bytes() == Path("/etc/passwd").read_bytes()


def test_an_empty_folder_has_nothing_of_the_machine(private: Namespace) -> None:
    assert list(private.path("/run").iterdir()) == []


def test_a_user_of_the_namespace_runs_commands_there_and_is_unknown_outside(
    private: Namespace,
) -> None:
    private.add_user("mientest", password="open sesame")
    assert private.run("id", "--user", "--name", user="mientest").stdout == "mientest\n"
    assert "mientest" not in Path("/etc/passwd").read_text()
    private.lock("mientest")
    (line,) = (
        line
        for line in private.path("/etc/shadow").read_text().splitlines()
        if line.startswith("mientest:")
    )
    assert line.split(":")[1].startswith("!$6$")


def test_the_end_of_the_block_ends_the_namespace(tmp_path: Path) -> None:
    with private_namespace(tmp_path) as private:
        assert Path(f"/proc/{private.pid}").exists()
    assert not Path(f"/proc/{private.pid}").exists()


def test_a_killed_test_leaves_neither_namespace_nor_change(
    private: Namespace, tmp_path: Path
) -> None:
    """`private` only skips where namespaces cannot be had."""
    scratch = tmp_path / "other"
    scratch.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, scratch],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as test:
        assert test.stdout is not None
        holder = os.pidfd_open(int(test.stdout.readline()))
        try:
            test.send_signal(signal.SIGKILL)
            ended, _, _ = select.select([holder], [], [], 60)
        finally:
            os.close(holder)
    assert ended
    assert not Path("/etc/mien-killed").exists()
