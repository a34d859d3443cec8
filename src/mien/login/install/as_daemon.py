"""Start work in the folder of the daemon as its own user: root must not follow what lies there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import MienError
from mien.login.install.account import SystemUser, find_system_user
from mien.login.install.layout import Layout
from mien.login.install.program import Program
from mien.login.install.steps import CLEAN, Machine
from mien.login.listener import prepare_state

COUNT_S = 30.0
PREPARE_S = 900.0
MAX_ANSWER = 65_536


class TaskFailed(MienError):
    """A task of the daemon's user gave no result."""


@dataclass(frozen=True, slots=True)
class DaemonState:
    """people: enrolled faces, None if that cannot be read. missing: models for liveness."""

    people: int | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrepareModels:
    """Add the models that a look needs to the daemon's folder. models: a folder that has the
    published files; None downloads them."""

    program: Program
    models: Path | None

    def describe(self) -> str:
        source = "from the network" if self.models is None else f"from {self.models}"
        return f"add the liveness models, {source}, to the folder of the daemon"

    def apply(self, machine: Machine) -> None:
        """A machine without a network keeps the password; it is told what is missing."""
        prepare_state(machine.layout.state)
        words = [] if self.models is None else [str(self.models)]
        try:
            answer = _run(self.program, machine.layout, ["prepare", *words], PREPARE_S)
        except TaskFailed as error:
            machine.say(
                f"the models of the daemon are missing: {error}; without them no face opens"
                " anything; get them to this machine and run: sudo mien login install --apply"
                " --models DIR"
            )
        else:
            machine.say(f"added models: {', '.join(answer['models'])}")


def read_daemon_state(program: Program, layout: Layout) -> DaemonState:
    """What the folder of the daemon holds; root alone can start its user."""
    if find_system_user(layout) is None:
        return DaemonState(0, ("all",))
    try:
        answer = _run(program, layout, ["count"], COUNT_S)
        missing = tuple(str(name) for name in answer["missing"])
        return DaemonState(int(answer["people"]), missing)
    except TaskFailed:
        return DaemonState(None, ())


def _run(
    program: Program, layout: Layout, words: Sequence[str], timeout_s: float
) -> Mapping[str, Any]:
    """The answer of a task, run as the daemon's user. Raises TaskFailed."""
    user = find_system_user(layout)
    if user is None:
        raise TaskFailed("there is no system user of the daemon")
    task, *rest = words
    command = [str(program.python), "-I", "-m", "mien.login.install.tasks", task]
    try:
        ran = _run_as(user, [*command, str(layout.state), *rest], timeout_s)
        answer = json.loads(ran.stdout[:MAX_ANSWER])
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise TaskFailed(f"{program.python} gave no answer ({type(error).__name__})") from error
    if "error" in answer:
        raise TaskFailed(str(answer["error"]))
    found: Mapping[str, Any] = answer
    return found


def _run_as(
    user: SystemUser, command: Sequence[str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        umask=0o077,
        cwd="/",
        env=CLEAN,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=timeout_s,
        check=True,
    )
