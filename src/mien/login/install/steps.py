"""The steps of an installation: each can say what it would do, and do it."""

from __future__ import annotations

import difflib
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mien.errors import MienError, UsageError
from mien.login.install.layout import Layout
from mien.login.install.pam_file import remove_block
from mien.login.install.record import keep_original, read_record, write_record
from mien.login.install.replace_file import read_system_file, remove_file, replace_file

RunCommand = Callable[[Sequence[str]], int]
"""Runs a program of the system and returns its exit code."""

COMMAND_S = 120.0
CLEAN = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


class CommandFailed(MienError):
    """A program of the system that the installation needs failed."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where steps are done. run: starts programs. say: gets a line on what was done."""

    layout: Layout
    run: RunCommand
    say: Callable[[str], None]


class Step(Protocol):
    """One thing that is done at once or not at all."""

    def describe(self) -> str:
        """What it would do, for people: a diff or a command."""
        ...

    def apply(self, machine: Machine) -> None:
        """Do it. Raises MienError."""
        ...


@dataclass(frozen=True, slots=True)
class WriteOwn:
    """Write a file of mien's own. before: what is there now, None for nothing."""

    path: Path
    shown: str
    before: bytes | None
    after: bytes
    mode: int = 0o644

    def describe(self) -> str:
        return diff_of(self.shown, self.before, self.after)

    def apply(self, machine: Machine) -> None:
        layout = machine.layout
        missing = [layout.shown(one) for one in self.path.parents if not one.exists()]
        record = read_record(layout.records).with_folders(missing)
        write_record(layout.records, record.with_file(self.shown, self.after))
        replace_file(self.path, self.after, expected=self.before, mode=self.mode)
        machine.say(f"wrote {self.shown}")


@dataclass(frozen=True, slots=True)
class EditPam:
    """Put mien's block into a PAM file, or take it out. before: None copies the vendor's file."""

    path: Path
    shown: str
    before: bytes | None
    after: bytes

    def describe(self) -> str:
        return diff_of(self.shown, self.before, self.after)

    def apply(self, machine: Machine) -> None:
        folder = machine.layout.records
        if self.before is None:
            copied = read_record(folder).with_copied(self.shown, remove_block(self.after))
            write_record(folder, copied)
        else:
            keep_original(folder, self.shown, self.before)
        replace_file(self.path, self.after, expected=self.before)
        machine.say(f"changed {self.shown}")


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Remove a file."""

    path: Path
    shown: str

    def describe(self) -> str:
        return diff_of(self.shown, read_system_file(self.path), None)

    def apply(self, machine: Machine) -> None:
        remove_file(self.path)
        machine.say(f"removed {self.shown}")


@dataclass(frozen=True, slots=True)
class RunProgram:
    """Run a program of the system. hint: what to do where it fails. may_fail: goes on then."""

    command: tuple[str, ...]
    hint: str
    may_fail: bool = False

    def describe(self) -> str:
        return f"run: {shlex.join(self.command)}"

    def apply(self, machine: Machine) -> None:
        code = machine.run(self.command)
        if code == 0:
            machine.say(f"ran {shlex.join(self.command)}")
            return
        message = f"{shlex.join(self.command)} failed with exit code {code}; {self.hint}"
        if not self.may_fail:
            raise CommandFailed(message)
        machine.say(message)


def run_program(command: Sequence[str]) -> int:
    """Run a program of the system with a clean environment; 127 if it is missing or hangs."""
    try:
        return subprocess.run(
            command, env=CLEAN, stdin=subprocess.DEVNULL, timeout=COMMAND_S, check=False
        ).returncode
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return 127


def apply_steps(steps: Sequence[Step], machine: Machine) -> None:
    """Do all steps in order. Raises MienError at the first that fails: nothing after it is done."""
    for step in steps:
        step.apply(machine)


def own_file_step(
    path: Path, content: bytes, layout: Layout, *, mode: int = 0o644
) -> WriteOwn | None:
    """The step that writes a file of mien's own; None if it has this content.

    Raises UsageError if there is a file that mien did not write.
    """
    shown, before = layout.shown(path), read_system_file(path)
    if before == content:
        return None
    if before is not None and not read_record(layout.records).wrote(shown, before):
        raise UsageError(
            f"{shown} is there, and mien did not write it so; look at it, and if you do not need"
            f" it run: sudo rm {shlex.quote(shown)}"
        )
    return WriteOwn(path, shown, before, content, mode)


def diff_of(shown: str, before: bytes | None, after: bytes | None) -> str:
    """A unified diff of two contents of a file; None for no file."""
    texts: list[list[str]] = []
    for content in (before, after):
        try:
            text = (content or b"").decode()
            if "\0" in text:
                raise ValueError
        except ValueError:
            change = "removed" if after is None else f"written, {len(after)} bytes"
            return f"--- {shown}\n+++ {shown}\nbinary file, {change}"
        texts.append(text.splitlines())
    old = "/dev/null" if before is None else shown
    new = "/dev/null" if after is None else shown
    return "\n".join(difflib.unified_diff(texts[0], texts[1], old, new, lineterm=""))
