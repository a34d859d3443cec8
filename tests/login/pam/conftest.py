"""A machine of one's own for the PAM module: a private /etc with two users, and the module."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.login.namespace import Namespace, need_root_and, private_namespace
from tests.login.pam.machine import MODULE, PASSWORD, USERS, Machine

from mien.login.pam_build import MissingCompiler, compile_module

SUDOERS = "Defaults !lecture\nanna ALL=(ALL) ALL\nbert ALL=(ALL) NOPASSWD: ALL\n"


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled module."""
    built = tmp_path_factory.mktemp("module") / "pam_mien.so"
    try:
        compile_module(built)
    except MissingCompiler as missing:
        pytest.skip(f"needs a compiler and libpam's headers: {missing}")
    return built


@pytest.fixture(scope="session")
def namespace(module: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    need_root_and("pamtester", package="pamtester")
    need_root_and("sudo", package="sudo")
    scratch = tmp_path_factory.mktemp("scratch")
    with private_namespace(scratch, empty=("/run", "/var/lib/sudo")) as private:
        private.path(MODULE).write_bytes(module.read_bytes())
        for name in USERS:
            private.add_user(name, password=PASSWORD)
        private.lock("locked")
        _change(private.path("/etc/shadow"), r"(?m)^starred:[^:]*:", "starred:*:")
        _change(private.path("/etc/passwd"), r"\Z", "toor:x:0:0::/root:/bin/sh\n")
        private.path("/etc/sudoers.d/test").write_text(SUDOERS)
        yield private


@pytest.fixture
def machine(namespace: Namespace) -> Machine:
    """The namespace with the services as a test first sees them, and without a daemon."""
    machine = Machine(namespace)
    machine.restore()
    return machine


def _change(file: Path, pattern: str, replacement: str) -> None:
    text = file.read_text()
    changed = re.sub(pattern, replacement, text)
    assert changed != text
    file.write_text(changed)
