"""How an installation stands: what asks for a face, and whether what it needs is there."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.errors import ExitCode, MienError, UsageError
from mien.login.config import read_config
from mien.login.install.as_daemon import DaemonState
from mien.login.install.layout import MODULE_NAME, Layout
from mien.login.install.pam_file import has_block, names_mien, remove_block
from mien.login.install.pam_stack import find_service
from mien.login.install.plan import has_proven_look
from mien.login.install.program import fault_of_path, install_commands
from mien.login.install.record import read_record
from mien.login.install.replace_file import read_system_file
from mien.login.install.steps import CLEAN
from mien.login.install.units import SERVICE_UNIT, UNITS
from mien.login.policy import ELEVATING, GDM, GREETERS, LOCKERS
from mien.login.protocol import SOCKET_PATH
from mien.media.camera_choice import find_camera

IMPORT = "import mien.login.daemon, mien.login.worker"
IMPORT_S = 60.0
AGAIN = "run: sudo mien login install --apply"


@dataclass(frozen=True, slots=True)
class LoginCheck:
    """The result of one check. state: ok; note, works but one should know it; broken."""

    what: str
    state: Literal["ok", "note", "broken"]
    found: str
    exit_code: ExitCode = ExitCode.OK


def check_login(
    *, layout: Layout, daemon: DaemonState, find: Callable[..., object] = find_camera
) -> list[LoginCheck]:
    """Run every check. find: finds a camera, as `find_camera` does."""
    record = read_record(layout.records)
    if not record.files and not any((layout.units / name).exists() for name in UNITS):
        found = f"mien login is not installed; {AGAIN}"
        return [LoginCheck("installation", "broken", found, ExitCode.USAGE)]
    return [
        *_services(layout),
        _module(layout),
        _units(layout),
        _interpreter(layout),
        _socket(layout),
        _models(daemon),
        _camera(layout, find),
        _people(daemon, layout),
    ]


def wired_services(layout: Layout) -> list[str]:
    """The services whose file in /etc/pam.d has mien's block."""
    names = []
    for service in sorted(LOCKERS | GDM | GREETERS | ELEVATING):
        content = _pam_content(layout.pam_folder / service)
        if has_block(content) and names_mien(content):
            names.append(service)
    if names_mien(_pam_content(layout.pam_folder / "common-auth")):
        names.append("common-auth")
    if names_mien(_pam_content(layout.pam_folder / "system-auth")):
        names.append("system-auth")
    return names


def _services(layout: Layout) -> Iterator[LoginCheck]:
    wired = wired_services(layout)
    for path in sorted(layout.pam_folder.iterdir()) if layout.pam_folder.is_dir() else []:
        yield from _faults_of_file(path, layout)
    if wired:
        yield LoginCheck("services", "ok", f"ask for a face: {', '.join(wired)}")
    else:
        yield LoginCheck("services", "note", f"none asks for a face yet; {AGAIN}")
    present = sorted(LOCKERS | GDM | GREETERS | ELEVATING)
    others = [one for one in present if one not in wired and find_service(one, layout)]
    if others:
        yield LoginCheck("services", "ok", f"ask for the password alone: {', '.join(others)}")


def _faults_of_file(path: Path, layout: Layout) -> Iterator[LoginCheck]:
    content, shown = _pam_content(path), layout.shown(path)
    if any(line.is_binding for line in names_mien(content)):
        found = f"{shown} has mien as required or requisite: nobody gets in without it; change it"
        yield LoginCheck("services", "broken", found, ExitCode.USAGE)
    try:
        remove_block(content)
    except UsageError as error:
        found = f"{shown}: {error}; correct that file"
        yield LoginCheck("services", "broken", found, ExitCode.USAGE)


def _module(layout: Layout) -> LoginCheck:
    path = layout.security_folder() / MODULE_NAME
    content = read_system_file(path)
    lines = b"".join(_pam_content(one) for one in _pam_paths(layout))
    if content is None and b"pam_exec" in lines and b"pam_client.py" in lines:
        return LoginCheck("module", "note", "pam_exec asks the daemon; a compiler would be faster")
    if content is None:
        return _broken("module", f"there is no {layout.shown(path)}; {AGAIN}")
    if not read_record(layout.records).wrote(layout.shown(path), content):
        return _broken("module", f"{layout.shown(path)} is not the one that was installed; {AGAIN}")
    return LoginCheck("module", "ok", f"{layout.shown(path)}, as it was installed")


def _units(layout: Layout) -> LoginCheck:
    record = read_record(layout.records)
    for name in UNITS:
        content = read_system_file(layout.units / name)
        if content is None:
            return _broken("units", f"there is no {name}; {AGAIN}")
        if not record.wrote(layout.shown(layout.units / name), content):
            return LoginCheck("units", "note", f"{name} was edited")
    return LoginCheck("units", "ok", f"{', '.join(UNITS)}, as they were installed")


def _interpreter(layout: Layout) -> LoginCheck:
    """Whether the Python of the unit still runs mien. A broken one costs the face, never the
    password."""
    text = (read_system_file(layout.units / SERVICE_UNIT) or b"").decode("utf-8", "replace")
    found = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)
    if found is None:
        return _broken("python", f"{SERVICE_UNIT} names no program; {AGAIN}")
    python = Path(found[1])
    remedy = f"the password still works; to have the face back run: {install_commands()}"
    if not os.access(python, os.X_OK):
        return _broken("python", f"{python} is missing or broken; {remedy}")
    if fault := fault_of_path(python):
        return _broken("python", f"{fault}; {remedy}")
    try:
        code = subprocess.run(
            [python, "-I", "-c", IMPORT],
            env=CLEAN,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=IMPORT_S,
            check=False,
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        code = -1
    if code != 0:
        return _broken("python", f"{python} cannot import mien; {remedy}")
    return LoginCheck("python", "ok", f"{python} runs mien")


def _socket(layout: Layout) -> LoginCheck:
    path = layout.at(SOCKET_PATH)
    remedy = "run: sudo systemctl start mien-login.socket"
    try:
        status = path.lstat()
    except OSError:
        return _broken("socket", f"there is no {SOCKET_PATH}; {remedy}")
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != 0:
        return _broken("socket", f"{SOCKET_PATH} is not root's socket; {remedy}")
    if not _listens(path):
        return _broken("socket", f"nobody listens at {SOCKET_PATH}; {remedy}")
    return LoginCheck("socket", "ok", f"{SOCKET_PATH} is listened at")


def _listens(path: Path) -> bool:
    """Whether a socket takes connections, without one: that would start the daemon."""
    accepts = 1 << 16  # __SO_ACCEPTCON of the kernel's net/unix
    kind = int(socket.SOCK_SEQPACKET)
    for line in Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[7] == str(path) and int(fields[4], 16) == kind:
            return bool(int(fields[3], 16) & accepts)
    return False


def _models(daemon: DaemonState) -> LoginCheck:
    if daemon.people is None:
        return LoginCheck("models", "note", "only root can see them; run it with sudo")
    if daemon.missing:
        found = f"missing: {', '.join(daemon.missing)}; {AGAIN}"
        return LoginCheck("models", "broken", found, ExitCode.MODEL_UNAVAILABLE)
    return LoginCheck("models", "ok", "the liveness models are there")


def _camera(layout: Layout, find: Callable[..., object]) -> LoginCheck:
    try:
        config = read_config(layout.config)
    except UsageError as error:
        return LoginCheck("camera", "broken", str(error), ExitCode.USAGE)
    try:
        find(config.camera, expected_usb_id=config.camera_id, must_be_free=False)
    except MienError as error:
        return LoginCheck("camera", "broken", str(error), error.exit_code)
    kind = "infrared camera" if config.infrared else "camera"
    return LoginCheck("camera", "ok", f"{kind} {config.camera or 'chosen at each look'}")


def _people(daemon: DaemonState, layout: Layout) -> LoginCheck:
    if daemon.people is None:
        return LoginCheck("people", "note", "only root can count them; run it with sudo")
    if daemon.people == 0:
        found = "nobody is enrolled; run: sudo mien login enroll USER"
        return LoginCheck("people", "broken", found, ExitCode.NOT_ENROLLED)
    if not has_proven_look(layout):
        found = f"{daemon.people} enrolled, none recognized yet; run: sudo mien login test USER"
        return LoginCheck("people", "note", found)
    return LoginCheck("people", "ok", f"{daemon.people} enrolled")


def _broken(what: str, found: str) -> LoginCheck:
    return LoginCheck(what, "broken", found, ExitCode.INTERNAL_ERROR)


def _pam_paths(layout: Layout) -> list[Path]:
    return sorted(layout.pam_folder.iterdir()) if layout.pam_folder.is_dir() else []


def _pam_content(path: Path) -> bytes:
    return (read_system_file(path.resolve()) or b"") if path.is_file() else b""
