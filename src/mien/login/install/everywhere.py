"""Every service at once: through Debian's pam-auth-update, or a profile of Fedora's authselect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError
from mien.login.install.authselect import (
    CUSTOM_PROFILE,
    profile_files,
    profile_in_use,
    profile_removal,
)
from mien.login.install.layout import Layout
from mien.login.install.pam_file import names_mien, refuse_binding
from mien.login.install.record import read_record, write_record
from mien.login.install.replace_file import read_system_file
from mien.login.install.steps import CommandFailed, Machine, RunProgram, Step, own_file_step

PROFILE = """\
Name: Face unlock (mien)
Default: no
Priority: 320
Auth-Type: Primary
Auth:
\t[success=end default=ignore]\t{entry}
"""
"""For pam-auth-update(8). The priority puts it before pam_unix, which has 256."""

SEE = "pam-auth-update leaves files alone that were edited by hand; leave --everywhere out"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Check what a tool wrote, because pam-auth-update exits with 0 when it refuses, too."""

    path: Path
    shown: str
    expected: bool

    def describe(self) -> str:
        return f"check that {self.shown} {'asks' if self.expected else 'does not ask'} mien"

    def apply(self, machine: Machine) -> None:
        found = bool(names_mien(read_system_file(self.path) or b""))
        if found is not self.expected:
            raise CommandFailed(f"{self.shown} was not changed; {SEE}")


@dataclass(frozen=True, slots=True)
class NoteProfile:
    """Note which profile of authselect was in use before mien's."""

    words: tuple[str, ...]

    def describe(self) -> str:
        return ""

    def apply(self, machine: Machine) -> None:
        folder = machine.layout.records
        write_record(folder, read_record(folder).with_profile(self.words))


def everywhere_steps(layout: Layout, entry: str) -> list[Step]:
    """The steps for this distribution. entry: the module. Raises UsageError if there are none."""
    refuse_binding(f"auth [success=end default=ignore] {entry}")
    if layout.at("/usr/sbin/pam-auth-update").exists():
        return _debian_steps(layout, entry)
    if layout.at("/etc/authselect/authselect.conf").exists():
        return _authselect_steps(layout, entry)
    raise UsageError(
        "--everywhere needs Debian's pam-auth-update or a profile of Fedora's authselect;"
        " leave it out to change the files of single services"
    )


def everywhere_removal(layout: Layout) -> list[Step]:
    """The steps that take mien out of what `everywhere_steps` changed."""
    steps: list[Step] = []
    if layout.pam_config.exists():
        steps += [
            _program(("pam-auth-update", "--package", "--remove", "mien")),
            _read_back(layout, "common-auth", expected=False),
        ]
    words = read_record(layout.records).profile
    in_use = profile_in_use(layout)
    if words and in_use and in_use[0] == CUSTOM_PROFILE:
        steps += [
            _program(("authselect", "select", words[0], *in_use[1:])),
            _read_back(layout, "system-auth", expected=False),
        ]
    return [*steps, *profile_removal(layout)]


def _debian_steps(layout: Layout, entry: str) -> list[Step]:
    step = own_file_step(layout.pam_config, PROFILE.format(entry=entry).encode(), layout)
    is_there = bool(names_mien(read_system_file(layout.pam_folder / "common-auth") or b""))
    if step is None and is_there:
        return []
    tool = _program(("pam-auth-update", "--package", "--enable", "mien"))
    steps = [tool, _read_back(layout, "common-auth", expected=True)]
    return steps if step is None else [step, *steps]


def _authselect_steps(layout: Layout, entry: str) -> list[Step]:
    in_use = profile_in_use(layout)
    recorded = read_record(layout.records).profile
    words = recorded if in_use[0] == CUSTOM_PROFILE else in_use
    if not words:
        raise UsageError("authselect names no profile; run: authselect current")
    made = [
        own_file_step(path, content, layout)
        for path, content in profile_files(layout, words[0], in_use[1:], entry)
    ]
    steps: list[Step] = [step for step in made if step is not None]
    if not steps and in_use[0] == CUSTOM_PROFILE:
        return []
    return [
        NoteProfile(words),
        *steps,
        _program(("authselect", "select", CUSTOM_PROFILE, *in_use[1:])),
        _read_back(layout, "system-auth", expected=True),
    ]


def _program(command: Sequence[str]) -> Step:
    return RunProgram(tuple(command), "see what it printed, or leave --everywhere out")


def _read_back(layout: Layout, service: str, *, expected: bool) -> Step:
    path = layout.pam_folder / service
    return ReadBack(path, layout.shown(path), expected)
