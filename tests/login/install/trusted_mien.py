"""mien in a private mount namespace as an administrator installs it: root's own, outside homes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.login.namespace import Namespace, private_namespace

import mien

VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
PYTHON = "/opt/mien/bin/python"
PACKAGES = f"/opt/mien/lib/{VERSION}/site-packages"
MIEN = (PYTHON, "-I", "-m", "mien.cli", "login")

LAYERS = """
set -eu
for folder in usr var; do
    mkdir -p /opt/layers/$folder /opt/layers/$folder.work
    options=lowerdir=/$folder,upperdir=/opt/layers/$folder,workdir=/opt/layers/$folder.work
    mount --no-mtab -t overlay mien-test -o $options /$folder
done
rm -rf /var/lib/mien /var/lib/mien-install
"""
CHECK = """
from mien.login.install.program import *
check_program(running_program(), homes_of_people())
"""


@contextmanager
def trusted_mien(scratch: Path) -> Iterator[Namespace]:
    """A namespace in which /etc, /usr and /var may be changed, and this mien runs from /opt/mien.

    The interpreter and the other packages are mounted there, because a checkout is often in a home.
    """
    with private_namespace(scratch, empty=("/run", "/opt")) as private:
        layered = private.run("sh", "-c", LAYERS)
        if layered.returncode != 0:
            pytest.skip(f"needs overlay mounts ({layered.stderr.strip()}); run it outside Docker")
        base = _mount(private, Path(sys.base_prefix), "/opt/python")
        _must_run(private, f"{base}/bin/{VERSION}", "-m", "venv", "--without-pip", "/opt/mien")
        mounted = [_mount(private, one, f"/opt/code{n}") for n, one in enumerate(_others())]
        private.path(f"{PACKAGES}/mounted.pth").write_text("\n".join(mounted) + "\n")
        _must_run(private, "cp", "-a", str(Path(mien.__file__).parent), f"{PACKAGES}/mien")
        checked = private.run(PYTHON, "-I", "-c", CHECK)
        if "check_program" in checked.stderr:
            reason = checked.stderr.strip().splitlines()[-1].split(";")[0]
            pytest.skip(f"needs an interpreter and packages of root ({reason}); install as root")
        yield private


def _mount(private: Namespace, source: Path, target: str) -> str:
    private.path(target).mkdir()
    _must_run(private, "mount", "--no-mtab", "--bind", str(source), target)
    _must_run(private, "mount", "--no-mtab", "-o", "remount,bind,ro", target)
    return target


def _others() -> list[Path]:
    """The folders with the packages that mien needs."""
    names = [Path(one) for one in sys.path if Path(one).name in ("site-packages", "dist-packages")]
    return [one for one in names if one.is_dir()]


def _must_run(private: Namespace, *command: str) -> None:
    ran = private.run(*command)
    assert ran.returncode == 0, (command, ran.stderr)
