"""The units of systemd that start the daemon when PAM first asks."""

from __future__ import annotations

from importlib.resources import files

from mien.login.install.layout import Layout
from mien.login.install.program import Program
from mien.login.install.steps import RunProgram, Step, own_file_step

SOCKET_UNIT = "mien-login.socket"
SERVICE_UNIT = "mien-login.service"
UNITS = (SERVICE_UNIT, SOCKET_UNIT)
SHIPPED_PYTHON = "/opt/mien/bin/python"


def unit_text(name: str, program: Program) -> bytes:
    """A shipped unit, with the interpreter of this program."""
    shipped = (files("mien.login.install") / "units" / name).read_text(encoding="utf-8")
    return shipped.replace(SHIPPED_PYTHON, str(program.python)).encode()


def unit_steps(layout: Layout, program: Program) -> list[Step]:
    """The steps that put the units in place and start the socket."""
    steps: list[Step] = []
    for name in UNITS:
        step = own_file_step(layout.units / name, unit_text(name, program), layout)
        if step is not None:
            steps.append(step)
    wanted = layout.units / "sockets.target.wants" / SOCKET_UNIT
    if not steps and wanted.is_symlink():
        return []
    if not layout.has_systemd:  # an image, or a system that has not started: at its next start
        return [*steps, _systemctl("enable", SOCKET_UNIT)]
    return [
        *steps,
        _systemctl("daemon-reload"),
        _systemctl("enable", "--now", SOCKET_UNIT),
        # a daemon of the units from before
        _systemctl("try-restart", SERVICE_UNIT),
    ]


def unit_removal(layout: Layout) -> list[Step]:
    """The steps that stop the daemon; the files are removed after them."""
    # both: --fprintd has the service started with the machine. The socket first: it starts a daemon
    there = [name for name in reversed(UNITS) if (layout.units / name).exists()]
    if not there:
        return []
    return [_systemctl("disable", *(["--now"] if layout.has_systemd else []), *there)]


def reload_step(layout: Layout) -> list[Step]:
    """Let systemd forget units whose files are gone."""
    return [_systemctl("daemon-reload")] if layout.has_systemd else []


def _systemctl(*words: str) -> Step:
    return RunProgram(("systemctl", *words), "see: systemctl status mien-login.socket")
