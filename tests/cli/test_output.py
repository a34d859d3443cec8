"""What a command prints: no embedding, one line for an error, a bar only on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mien = Callable[..., Any]
"""Runs a command: `.code`, `.out`, `.err`, `.json`, `.complaint`; see conftest."""
Started = Callable[..., "subprocess.CompletedProcess[Any]"]


# what leaves the process -------------------------------------------------------------------


def test_no_embedding_and_no_pixel_is_printed(mien: Mien, album: Path) -> None:
    said = [
        mien("enroll", "ana", album / "me", "--json"),
        mien("unlock", "ana", album / "probe.png", "--json"),
        mien("identify", album / "probe.png", "--json"),
        mien("compare", album / "probe.png", album / "me" / "1.png", "--json"),
        mien("list", "--json"),
    ]

    def longest(value: object) -> int:
        if isinstance(value, dict):
            return max(map(longest, value.values()), default=0)
        if isinstance(value, list):
            return max([len(value), *map(longest, value)])
        return 0

    assert all(longest(ran.json) <= 5 for ran in said)  # five points of a face


def test_a_name_that_the_terminal_cannot_show_is_escaped(
    mien: Mien, started: Started, album: Path
) -> None:
    mien("enroll", "Zo\u00eb \u5b57", album / "me" / "1.png")
    assert mien("list").out.startswith("Zo\u00eb \u5b57  enrolled")
    env = {"PYTHONIOENCODING": "ascii"}
    ran = started("list", env=env, capture_output=True)
    assert ran.returncode == 0
    assert ran.stdout.startswith(b"Zo\\xeb \\u5b57  enrolled")


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_closed_pipe_on_standard_output_is_no_error(
    started: Started, vault: Path, album: Path, buffered: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    env = {"PYTHONUNBUFFERED": buffered}
    try:
        ran = started("list", env=env, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has")
@pytest.mark.parametrize("buffered", ["", "1"])
def test_an_answer_that_cannot_be_written_is_an_internal_error(
    started: Started, vault: Path, album: Path, buffered: str
) -> None:
    env = {"PYTHONUNBUFFERED": buffered}
    with open("/dev/full", "wb") as full:
        ran = started(
            *("unlock", "ana", album / "probe.png"),
            env=env,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert ran.returncode == 70
    assert ran.stderr.startswith(b"mien: cannot write the output: No space left")
    assert ran.stderr.count(b"\n") == 1


def in_shell(line: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run `mien` with the redirections of a shell. line: what follows `mien`."""
    whole = f'"{sys.executable}" -m mien {line}'
    words = ["sh", "-c", whole, "sh", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, timeout=300, check=False)


CLOSED = b"mien: cannot write the output: it is closed; send it to another place\n"


@pytest.mark.parametrize("command", ["list", "list --json", "--version", "unlock --help"])
def test_an_answer_for_a_closed_standard_output_is_an_internal_error(
    vault: Path, command: str
) -> None:
    ran = in_shell(f"{command} >&-")
    assert (ran.returncode, ran.stderr) == (70, CLOSED)


def test_a_yes_that_nobody_could_read_is_none(vault: Path, album: Path) -> None:
    closed = in_shell('unlock ana "$1" >&-', album / "probe.png")
    assert (closed.returncode, closed.stderr) == (70, CLOSED)
    assert in_shell('unlock ana "$1" >/dev/null 2>&-', album / "probe.png").returncode == 0
    assert in_shell('unlock zoe "$1" >&- 2>&-', album / "probe.png").returncode == 6


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has")
@pytest.mark.parametrize("command", ["--version", "--help"])
def test_help_that_cannot_be_written_is_an_internal_error(home: Path, command: str) -> None:
    ran = in_shell(f"{command} >/dev/full")
    assert ran.returncode == 70
    assert ran.stderr.startswith(b"mien: cannot write the output: No space left")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has")
def test_a_failure_whose_line_cannot_be_written_keeps_its_exit_code(home: Path) -> None:
    assert in_shell("forget anna 2>/dev/full").returncode == 6


def test_no_file_takes_the_place_of_a_standard_stream_that_was_closed(home: Path) -> None:
    program = """
import os, sys
from mien.cli.main import run
os._exit = lambda code: sys.exit(os.dup(0))  # the lowest number that is free
sys.argv = ["mien", "list"]
run()
"""
    line = f'exec "{sys.executable}" -c "$1" <&- >&- 2>&-'
    ran = subprocess.run(["sh", "-c", line, "sh", program], timeout=300, check=False)
    assert ran.returncode == 3


def test_enroll_unlock_and_forget_work_in_separate_processes(started: Started, album: Path) -> None:
    steps = [
        (("enroll", "ana", album / "me"), 0),
        (("unlock", "ana", album / "probe.png"), 0),
        (("unlock", "ana", album / "wall.png"), 3),
        (("forget", "ana"), 0),
        (("unlock", "ana", album / "probe.png"), 6),
    ]
    for arguments, code in steps:
        ran = started(*arguments, capture_output=True, text=True)
        assert ran.returncode == code, ran.stderr
        assert "Traceback" not in ran.stderr
        assert bool(ran.stderr) is (code == 6)


# progress ----------------------------------------------------------------------------------


def test_a_progress_bar_is_shown_on_a_terminal_only(started: Started, album: Path) -> None:
    leader, follower = pty.openpty()
    # a new terminal is 0 characters wide, and nothing can be drawn in that
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    try:
        on_terminal = started(
            "enroll", "ana", album / "me", stdout=subprocess.PIPE, stderr=follower
        )
        os.write(follower, b"the end")  # so that reading cannot wait for ever
        drawn = b""
        while b"the end" not in drawn:
            drawn += os.read(leader, 100_000)
    finally:
        os.close(follower)
        os.close(leader)
    in_pipe = started("enroll", "ben", album / "me", capture_output=True)
    assert on_terminal.returncode == in_pipe.returncode == 0
    assert b"analysing photos" in drawn
    assert b"analysing" not in on_terminal.stdout
    assert in_pipe.stderr == b""
