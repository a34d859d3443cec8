"""The system user of the daemon."""

from __future__ import annotations

import stat
from dataclasses import dataclass

from mien.errors import UsageError
from mien.login.install.layout import Layout
from mien.login.install.program import FIRST_USER_ID
from mien.login.install.replace_file import read_system_file
from mien.login.install.steps import RunProgram, Step, own_file_step
from mien.login.listener import USER
from mien.login.state import STATE_DIR

NO_SHELL = "/usr/sbin/nologin"
CAMERAS = "video"
SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class SystemUser:
    """An entry of passwd(5)."""

    uid: int
    gid: int


def account_steps(layout: Layout) -> list[Step]:
    """The steps that make the user with its groups. Raises UsageError if a person has the name."""
    find_system_user(layout)
    groups = [CAMERAS, *([SHADOW] if _shadow_has_group(layout) else [])]
    if layout.at("/usr/bin/systemd-sysusers").exists():
        lines = [f'u {USER} - "Login with a face" {STATE_DIR} {NO_SHELL}']
        lines += [f"m {USER} {group}" for group in groups]
        step = own_file_step(layout.sysusers, ("\n".join(lines) + "\n").encode(), layout)
        if step is None and find_system_user(layout) is not None and _is_member(layout, groups):
            return []
        command = ("systemd-sysusers", layout.shown(layout.sysusers))
        run = RunProgram(command, "see what it printed, and run the command again")
        return [run] if step is None else [step, run]
    steps: list[Step] = []
    if find_system_user(layout) is None:
        options = ("--system", "--user-group", "--no-create-home", "--home-dir", str(STATE_DIR))
        make = ("useradd", *options, "--shell", NO_SHELL, USER)
        steps.append(RunProgram(make, f"make a system user {USER}, and run the command again"))
    if not _is_member(layout, groups):
        join = ("usermod", "--append", "--groups", ",".join(groups), USER)
        steps.append(RunProgram(join, "see what it printed, and run the command again"))
    return steps


def removal_of_account(layout: Layout) -> list[Step]:
    """The step that removes the user, if there is one."""
    if find_system_user(layout) is None:
        return []
    return [RunProgram(("userdel", USER), f"remove the user {USER} by hand", may_fail=True)]


def find_system_user(layout: Layout) -> SystemUser | None:
    """The daemon's user; None if it is not there. Raises UsageError if it is a person's account."""
    for fields in _entries(layout, "/etc/passwd"):
        if fields[0] == USER and len(fields) == 7:
            user = SystemUser(int(fields[2]), int(fields[3]))
            if not 0 < user.uid < FIRST_USER_ID or not fields[6].endswith(("nologin", "/false")):
                raise UsageError(
                    f"the account {USER} is not a system user without a shell; the daemon needs"
                    f" that name: rename the account with usermod --login"
                )
            return user
    return None


def _is_member(layout: Layout, groups: list[str]) -> bool:
    members = {
        fields[0]: fields[3].split(",")
        for fields in _entries(layout, "/etc/group")
        if len(fields) == 4
    }
    return all(USER in members.get(group, []) for group in groups)


def _shadow_has_group(layout: Layout) -> bool:
    """Whether members of the group `shadow` may read /etc/shadow, as on Debian and Ubuntu."""
    group = next((one for one in _entries(layout, "/etc/group") if one[0] == SHADOW), None)
    try:
        status = layout.shadow.stat()
    except OSError:
        return False
    is_readable = bool(status.st_mode & stat.S_IRGRP)
    return group is not None and is_readable and status.st_gid == int(group[2])


def _entries(layout: Layout, path: str) -> list[list[str]]:
    content = read_system_file(layout.at(path)) or b""
    return [line.split(":") for line in content.decode("utf-8", "replace").splitlines()]
