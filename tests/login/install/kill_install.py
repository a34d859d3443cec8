"""Install and uninstall, killed before each system call that changes a file; see test_kill.py.

    LD_PRELOAD=kill_at_call.so python kill_install.py SHIM FOLDER

Prints how many calls an installation and a removal make, once every one of them was tried: after
each kill the password still counts, and uninstalling gives the bytes back.
"""

from __future__ import annotations

import ctypes
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.killed_child import run_killed
from tests.login.install.test_removal import install_all, uninstall
from tests.login.install.trees import ACCOUNTS, DEBIAN, make_tree, snapshot

from mien.login.install.layout import MODULE_NAME, Layout
from mien.login.install.pam_file import names_mien, remove_block


def check_services(layout: Layout, before: dict[str, tuple[int, str, bytes]]) -> None:
    """Every file is the one from before or has one whole block, which finds its module."""
    module = layout.security_folder() / MODULE_NAME
    for name, (mode, _, content) in before.items():
        path = layout.pam_folder / name
        now = path.read_bytes()
        assert remove_block(now) == content, name
        assert path.stat().st_mode == mode, name
        assert module.exists() or not names_mien(now), name


def try_every_kill(
    folder: Path, shim: ctypes.CDLL, *, prepare: Callable[[Layout], object], work: str
) -> int:
    """Kill the work before each of its calls. Returns their number."""
    kill_at, killed, calls = 0, True, 0
    while killed:
        kill_at += 1
        shutil.rmtree(folder, ignore_errors=True)
        layout = make_tree(folder, DEBIAN, ACCOUNTS)
        layout.records.parent.mkdir(parents=True)
        before = snapshot(layout.root)
        services = snapshot(layout.pam_folder)
        prepare(layout)
        act = {"install": install_all, "uninstall": uninstall}[work]
        ready = partial(act, layout)
        killed, calls = run_killed(lambda ready=ready: ready, shim, kill_at)  # type: ignore[misc]
        check_services(layout, services)
        uninstall(layout)
        after = snapshot(layout.root)
        assert after == before, (work, kill_at, set(after) ^ set(before))
    return calls


def main(shim_path: str, folder: str) -> None:
    shim, place = ctypes.CDLL(shim_path), Path(folder) / "root"
    installing = try_every_kill(place, shim, prepare=lambda layout: None, work="install")
    removing = try_every_kill(place, shim, prepare=install_all, work="uninstall")
    print(installing, removing)


if __name__ == "__main__":
    main(*sys.argv[1:])
