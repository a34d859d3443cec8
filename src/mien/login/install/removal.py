"""Plan to undo an installation, from what is really there: the install may have been cut off.

PAM lines go first. While one is left, the module and the daemon stay.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError, one_line
from mien.files import remove_temporary_files
from mien.login.install.account import removal_of_account
from mien.login.install.everywhere import everywhere_removal
from mien.login.install.fprintd import fprintd_files
from mien.login.install.layout import MODULE_NAME, Layout
from mien.login.install.pam_file import has_block, names_mien, remove_block
from mien.login.install.plan import ENROLL_PAM
from mien.login.install.record import InstallRecord, read_record, sha256_of
from mien.login.install.replace_file import read_system_file, real_path
from mien.login.install.steps import EditPam, Machine, RemoveFile, Step
from mien.login.install.units import UNITS, reload_step, unit_removal
from mien.login.policy import ELEVATING, GDM, GREETERS, LOCKERS


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """lines: the steps that free the PAM services. rest: those after it. blockers: why lines of
    mien would be left, so that `rest` must not be done. kept: files of mien that somebody edited.
    """

    lines: tuple[Step, ...]
    rest: tuple[Step, ...]
    blockers: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done."""
        return self.lines if self.blockers else (*self.lines, *self.rest)


@dataclass(frozen=True, slots=True)
class CheckNoLine:
    """Look again, before anything is removed that a PAM line needs."""

    def describe(self) -> str:
        return "check that no file of /etc/pam.d asks mien"

    def apply(self, machine: Machine) -> None:
        found = [file for file in _pam_files(machine.layout) if names_mien(_content(file))]
        if found:
            raise UsageError(f"{found[0]} still asks mien; remove that line, and run it again")


@dataclass(frozen=True, slots=True)
class RemoveFolder:
    """Remove a folder with all that it holds, without following links."""

    path: Path
    shown: str

    def describe(self) -> str:
        return f"remove the folder {self.shown}"

    def apply(self, machine: Machine) -> None:
        try:
            shutil.rmtree(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(
                f"cannot remove {self.shown} ({one_line(error)}); remove it by hand"
            ) from error
        machine.say(f"removed {self.shown}")


@dataclass(frozen=True, slots=True)
class RemoveLeftovers:
    """Remove the temporary files that killed installs left beside these files."""

    paths: tuple[Path, ...]

    def describe(self) -> str:
        return ""

    def apply(self, machine: Machine) -> None:
        try:
            for path in self.paths:
                remove_temporary_files(path)
        except OSError as error:
            raise UsageError(
                f"cannot clean {error.filename} ({one_line(error)}); run it again"
            ) from error


@dataclass(frozen=True, slots=True)
class RemoveEmptyFolder:
    """Remove a folder that mien made, unless something else lies in it."""

    path: Path

    def describe(self) -> str:
        return ""

    def apply(self, machine: Machine) -> None:
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()


def plan_removal(*, layout: Layout, purge: bool) -> RemovalPlan:
    """What an uninstallation does. purge: remove the faces and the user of the daemon, too."""
    record = read_record(layout.records)
    lines, blockers = _lines_of_services(layout, record)
    kept: list[str] = []
    rest: list[Step] = [*unit_removal(layout)]
    for path in _own_files(layout):
        _remove_own(path, layout, record, rest, kept)
    services = (layout.pam_folder / one for one in LOCKERS | GDM | GREETERS | ELEVATING)
    rest.append(RemoveLeftovers((*_own_files(layout), *services)))
    made = sorted(record.folders, reverse=True)  # those in others first
    rest += [*(RemoveEmptyFolder(layout.at(one)) for one in made), *reload_step(layout)]
    if purge:
        if layout.state.is_dir():
            rest.append(RemoveFolder(layout.state, layout.shown(layout.state)))
        rest += removal_of_account(layout)
    if not kept and layout.records.is_dir():
        rest.append(RemoveFolder(layout.records, layout.shown(layout.records)))
    everywhere = everywhere_removal(layout)
    return RemovalPlan(
        lines=(*lines, *everywhere),
        rest=(CheckNoLine(), *rest),
        blockers=tuple(blockers),
        kept=tuple(kept),
    )


def _lines_of_services(layout: Layout, record: InstallRecord) -> tuple[list[Step], list[str]]:
    steps: list[Step] = []
    blockers: list[str] = []
    managed = ("common-auth", "system-auth", "password-auth")  # by their tools
    for path in _pam_files(layout):
        content, shown = _content(path), layout.shown(path)
        if not has_block(content):
            if names_mien(content) and path.name not in managed:
                blockers.append(f"{shown} asks mien in a line that mien did not write; remove it")
            continue
        if path.name in managed:
            continue
        try:
            after = remove_block(content)
            real_path(path)
        except UsageError as error:
            blockers.append(f"{shown}: {error}; remove the lines from '# mien: begin' by hand")
            continue
        if record.copied.get(shown) == sha256_of(after):
            steps.append(RemoveFile(path, shown))  # the vendor's own file counts again
        else:
            steps.append(EditPam(path, shown, content, after))
        if names_mien(after):
            blockers.append(f"{shown} asks mien in a line that mien did not write; remove it")
    return steps, blockers


def _own_files(layout: Layout) -> list[Path]:
    module = layout.security_folder() / MODULE_NAME
    units = [layout.units / name for name in UNITS]
    facade = fprintd_files(layout)
    return [*units, *facade, layout.enroll_service, module, layout.config, layout.sysusers]


def _remove_own(
    path: Path, layout: Layout, record: InstallRecord, rest: list[Step], kept: list[str]
) -> None:
    """Remove a file if mien wrote what it holds; otherwise say that it is kept."""
    content, shown = read_system_file(path), layout.shown(path)
    if content is None:
        return
    if record.wrote(shown, content) or content == ENROLL_PAM:
        rest.append(RemoveFile(path, shown))
    else:
        kept.append(shown)


def _pam_files(layout: Layout) -> list[Path]:
    folder = layout.pam_folder
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def _content(path: Path) -> bytes:
    """What PAM reads there, behind a link, too."""
    return read_system_file(path.resolve()) or b""
