"""The Python and the package that the daemon runs: only root may be able to change them."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mien
from mien.errors import UsageError, one_line

FIRST_USER_ID = 1000  # of people; SYS_UID_MAX of login.defs(5) is 999
MAX_FILES = 1_000_000


@dataclass(frozen=True, slots=True)
class Program:
    """python: absolute path of the interpreter. folders: from which it loads code."""

    python: Path
    folders: tuple[Path, ...]


def running_program() -> Program:
    """The program that this process is."""
    places = [Path(mien.__file__).parent, *(Path(one) for one in sys.path if os.path.isabs(one))]
    folders = [one for one in (*places, Path(sys.prefix), Path(sys.base_prefix)) if one.exists()]
    return Program(Path(sys.executable), tuple(dict.fromkeys(folders)))


def check_program(program: Program, homes: Iterable[Path]) -> None:
    """Raise UsageError, with the commands to install mien elsewhere, if others than root can change
    what the daemon runs.

    homes: folders of people, in which nothing of it may lie.
    """
    fault = fault_of_path(program.python) or next(
        (fault for folder in program.folders if (fault := _fault_of_tree(folder, program.folders))),
        "",
    )
    fault = fault or _fault_of_home([program.python, *program.folders], list(homes))
    if not fault and not re.fullmatch(r"[A-Za-z0-9/._+-]+", str(program.python)):
        fault = f"the path {str(program.python)!r} has letters that a systemd unit may not have"
    if fault:
        raise UsageError(
            f"the daemon must not run this mien: {fault}; install it for root alone:"
            f" {install_commands()}; then run: sudo /opt/mien/bin/mien login install"
        )


def install_commands() -> str:
    """The commands that install mien for root alone, from the source folder if this is one."""
    source = Path(mien.__file__).resolve().parents[2]
    shown = str(source) if (source / "pyproject.toml").is_file() else "SOURCE"
    pip = f"sudo /opt/mien/bin/pip install {shlex.quote(shown + '[login]')}"
    return f"sudo python3 -m venv /opt/mien && {pip}"


def homes_of_people() -> list[Path]:
    """The homes of this machine's people and of root."""
    homes = {Path("/home"), Path("/root")}
    for entry in pwd.getpwall():
        if entry.pw_uid >= FIRST_USER_ID and entry.pw_dir.count("/") > 1:
            homes.add(Path(entry.pw_dir))
    return sorted(homes)


def fault_of_path(path: Path) -> str:
    """Why others than root could replace what is at a path, with every link on the way; else ""."""
    waiting, seen = [path], set[Path]()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        for part in (one, *one.parents):
            try:
                status = part.lstat()
            except OSError as error:
                return f"{part} cannot be read ({one_line(error)})"
            if fault := _fault_of_status(part, status):
                return fault
            if stat.S_ISLNK(status.st_mode):
                waiting.append(Path(os.path.normpath(part.parent / os.readlink(part))))
    return ""


def _fault_of_tree(folder: Path, others: Iterable[Path]) -> str:
    """Why others than root could change a file in a folder; other folders are checked apart."""
    if fault := fault_of_path(folder):
        return fault
    if folder in (Path("/"), Path("/usr"), Path("/usr/local")):
        return ""  # a prefix of the system: of it only the folders of sys.path count
    for number, (path, status) in enumerate(_walk(folder, frozenset(others))):
        if fault := _fault_of_status(path, status):
            return fault
        if number > MAX_FILES:
            return f"{folder} has too many files"
    return ""


def _walk(folder: Path, others: frozenset[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    waiting = [str(folder)]
    while waiting:
        here = waiting.pop()
        if not os.path.isdir(here):
            continue  # a zip file on sys.path, whose path was checked
        with os.scandir(here) as entries:
            for entry in entries:
                yield Path(entry.path), entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False) and Path(entry.path) not in others:
                    waiting.append(entry.path)


def _fault_of_status(path: Path, status: os.stat_result) -> str:
    if status.st_uid != 0:
        return f"{path} belongs to user id {status.st_uid}"
    if stat.S_ISLNK(status.st_mode):
        return ""
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0):
        return f"others than root can write {path}"
    return ""


def _fault_of_home(places: Iterable[Path], homes: Iterable[Path]) -> str:
    for place in places:
        for home in homes:
            if any(one.is_relative_to(home) for one in (place, place.resolve())):
                return f"{place} is in the home {home}, which the daemon cannot see"
    return ""
