"""The PAM module and the daemon together, in real sudo, su and sshd, on throwaway users."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.app.turning_head import TurningHead
from tests.login.living_head import LivingHead
from tests.login.namespace import need_root_and
from tests.login.system import CLEAN_ENVIRONMENT, FILMS, Machine

from mien.app.pipeline import Pipeline
from mien.liveness.mesh import open_mesh
from mien.login.pam_build import MissingCompiler, compile_module
from mien.results import ByteArray
from mien.settings import Settings

MODULE = "/run/mien/pam_mien.so"
GUARD_S = 300.0
WITH_FACE = f"""auth [success=done default=ignore] {MODULE} %s
auth required pam_unix.so
account required pam_unix.so
session required pam_permit.so
"""


@pytest.fixture(scope="module", autouse=True)
def module(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> None:
    need_root_and("sudo", package="sudo")
    need_root_and("pamtester", package="pamtester")
    built = tmp_path_factory.mktemp("module") / "pam_mien.so"
    try:
        compile_module(built)
    except MissingCompiler as missing:
        pytest.skip(f"needs a compiler and libpam's headers: {missing}")
    machine.private.path(MODULE).write_bytes(built.read_bytes())


@pytest.fixture(scope="module", autouse=True)
def services(machine: Machine, module: None) -> None:
    folder = machine.private.path("/etc/pam.d")
    for name in ("sudo", "su"):
        (folder / name).write_text(WITH_FACE % "ask timeout=60")
    (folder / "swaylock").write_text(WITH_FACE % "timeout=30")
    sudoers = machine.private.path("/etc/sudoers")
    sudoers.chmod(0o640)
    sudoers.write_text("root ALL=(ALL) ALL\nanna ALL=(ALL) ALL\nDefaults timestamp_timeout=0\n")


@pytest.fixture(scope="module")
def turning(pipeline: Pipeline, with_liveness: Settings, astronaut: ByteArray) -> TurningHead:
    points = open_mesh(with_liveness)(astronaut, pipeline.door_face(astronaut))
    return TurningHead(astronaut, points)


@pytest.fixture
def head(machine: Machine, turning: TurningHead) -> Iterator[LivingHead]:
    made = LivingHead(machine.private.path(f"{FILMS}/live"), turning.seen)
    yield made
    made.stop()


def as_anna(machine: Machine, *command: str, typed: str = "") -> str:
    """What sudo and the like say, typed into a pipe."""
    ran = machine.private.run(*command, user="anna", typed=typed, timeout_s=GUARD_S)
    return ran.stdout + ran.stderr


def heard_lines(machine: Machine, head: LivingHead) -> list[str]:
    """What sudo says on a terminal, after Enter for the face; the head does what it says."""
    terminal, of_sudo = pty.openpty()
    sudo = subprocess.Popen(
        machine.private.command("sudo", "-S", "id", "-un", user="anna"),
        stdin=subprocess.PIPE,
        stdout=of_sudo,
        stderr=of_sudo,
        env=CLEAN_ENVIRONMENT,
    )
    os.close(of_sudo)
    said = []
    with sudo, os.fdopen(terminal, errors="replace") as lines, suppress(OSError):  # EIO at the end
        assert sudo.stdin is not None
        sudo.stdin.write(b"\n")  # and no password after it
        sudo.stdin.close()
        for line in lines:
            said.append(line.replace("\r\n", "\n"))
            head.hear(line)
    return said


def test_sudo_asks_for_movements_and_opens_for_the_head_that_makes_them(
    machine: Machine, head: LivingHead
) -> None:
    with machine.daemon("live"):
        said = heard_lines(machine, head)
    assert said[-1] == "root\n", said
    turns = [line for line in said if "turn your head" in line or "come closer" in line]
    assert len(turns) >= 2


def test_a_typed_password_is_taken_without_a_look(machine: Machine) -> None:
    with machine.daemon("anna"):
        said = as_anna(machine, "sudo", "-S", "id", "-un", typed="secret of anna\n")
    assert "root\n" in said
    assert "face the camera" not in said


def test_after_a_face_that_was_not_judged_the_password_is_asked_for(machine: Machine) -> None:
    with machine.daemon("dark"):
        said = as_anna(machine, "sudo", "-S", "id", "-un", typed="\nsecret of anna\n")
    assert "root\n" in said


def test_sudo_without_a_question_does_not_look(machine: Machine) -> None:
    with machine.daemon("anna"):
        said = as_anna(machine, "sudo", "-n", "id")
    assert "password is required" in said


def test_a_locker_unlocks_for_the_owner(machine: Machine) -> None:
    with machine.daemon("anna"):
        said = as_anna(machine, "pamtester", "swaylock", "anna", "authenticate")
    assert "successfully authenticated" in said


def test_with_the_daemon_gone_the_password_still_opens(machine: Machine) -> None:
    said = as_anna(machine, "sudo", "-S", "id", "-un", typed="\nsecret of anna\n")
    assert "root\n" in said


def test_a_hostile_environment_changes_nothing(machine: Machine) -> None:
    hostile = {
        "LD_PRELOAD": "/nonexistent.so",
        "PYTHONPATH": "/tmp",
        "HOME": "/tmp",
        "MIEN_VAULT": "/tmp/other.sqlite",
        "MIEN_LIVENESS": "off",
        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/tmp/no-bus",
    }
    with machine.daemon("anna"):
        ran = machine.private.run(
            *("pamtester", "swaylock", "anna", "authenticate"),
            user="anna",
            env=CLEAN_ENVIRONMENT | hostile,
        )
    assert "successfully authenticated" in ran.stdout + ran.stderr


SSHD_CONFIG = """Port %d
ListenAddress 127.0.0.1
HostKey /run/host_key
AuthorizedKeysFile /run/key.pub
PidFile none
StrictModes no
UsePAM yes
"""
# pam_loginuid gives the session its number, as on every system with logind
SSHD_SERVICE = """auth required pam_deny.so
account required pam_permit.so
session required pam_loginuid.so
"""


@pytest.fixture(scope="module")
def ssh(machine: Machine) -> Iterator[list[str]]:
    """The words that run a command as anna over a real sshd on loopback."""
    need_root_and("sshd", "ssh", package="openssh-server openssh-client")
    private = machine.private
    for key in ("/run/host_key", "/run/key"):
        assert private.run("ssh-keygen", "-q", "-N", "", "-f", key).returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    private.path("/run/sshd").mkdir(mode=0o755)
    private.path("/run/sshd_config").write_text(SSHD_CONFIG % port)
    private.path("/etc/pam.d/sshd").write_text(SSHD_SERVICE)
    server = machine.start("/usr/sbin/sshd", "-D", "-e", "-f", "/run/sshd_config")
    try:
        end_s = time.monotonic() + GUARD_S
        while not _listens(port):
            assert server.poll() is None, server.communicate()[0]
            assert time.monotonic() < end_s
        yield [
            *("ssh", "-i", "/run/key", "-p", str(port), "-o", "StrictHostKeyChecking=no"),
            *("-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "anna@127.0.0.1"),
        ]
    finally:
        server.kill()
        server.communicate()


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("escape", ["", "setsid --wait "])
def test_from_a_real_ssh_session_nobody_is_looked_for(
    machine: Machine, ssh: list[str], escape: str
) -> None:
    with machine.daemon("anna"):
        ran = machine.private.run(*ssh, f"{escape}pamtester swaylock anna authenticate")
    said = ran.stdout + ran.stderr
    assert "pamtester: " in said, said
    assert "successfully" not in said
