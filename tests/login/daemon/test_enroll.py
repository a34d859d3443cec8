"""`mien login enroll` and `forget`: as root, after the account's password, of a living head."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.app.turning_head import TurningHead
from tests.login.living_head import LivingHead
from tests.login.system import CLEAN_ENVIRONMENT, FILMS, STATE, Machine

from mien.app.pipeline import Pipeline
from mien.liveness.mesh import open_mesh
from mien.login.protocol import ReplyCode
from mien.results import ByteArray
from mien.settings import Settings

SERVICE = "auth required pam_unix.so\naccount required pam_unix.so\n"
MIEN = (sys.executable, "-m", "mien", "login")


@pytest.fixture(autouse=True)
def service(machine: Machine) -> Iterator[None]:
    path = machine.private.path("/etc/pam.d/mien-enroll")
    path.write_text(SERVICE)
    yield
    path.unlink(missing_ok=True)


@pytest.fixture
def head(
    machine: Machine, pipeline: Pipeline, with_liveness: Settings, astronaut: ByteArray
) -> Iterator[LivingHead]:
    points = open_mesh(with_liveness)(astronaut, pipeline.door_face(astronaut))
    turning = TurningHead(astronaut, points)
    made = LivingHead(machine.private.path(f"{FILMS}/enrolled"), turning.seen)
    yield made
    made.stop()


def login(machine: Machine, *words: str, typed: str, user: str = "root") -> tuple[int, str]:
    ran = machine.private.run(*MIEN, *words, "--state", STATE, typed=typed, user=user)
    return ran.returncode, ran.stdout + ran.stderr


def test_a_living_head_is_enrolled_after_the_password_and_then_unlocks(
    machine: Machine, head: LivingHead
) -> None:
    assert login(machine, "forget", "anna", typed="secret of anna\n")[0] == 0
    with machine.daemon("anna"):
        assert machine.ask("mien-test", "anna") == (ReplyCode.IGNORE, "")
    said = enrolled(machine, head)
    assert "turn your head" in said or "come closer" in said
    assert "enrolled anna from" in said, said
    with machine.daemon("anna"):
        answer = machine.ask("mien-test", "anna")
    assert answer == (ReplyCode.IGNORE, "your face was recognized")


def enrolled(machine: Machine, head: LivingHead) -> str:
    """What `mien login enroll` says on a terminal, at which the password is typed."""
    terminal, of_mien = pty.openpty()
    words = ["enroll", "anna", "--state", STATE, "--frames", f"{FILMS}/enrolled"]
    process = subprocess.Popen(
        machine.private.command(*MIEN, *words),
        stdin=subprocess.PIPE,
        stdout=of_mien,
        stderr=of_mien,
        env=CLEAN_ENVIRONMENT,
        start_new_session=True,
    )
    os.close(of_mien)
    said = ""
    with process, os.fdopen(terminal, errors="replace") as lines, suppress(OSError):
        assert process.stdin is not None
        process.stdin.write(b"secret of anna\n")
        process.stdin.close()
        for line in lines:
            said += line
            head.hear(line)
    return said


@pytest.mark.parametrize("command", ["enroll", "forget"])
def test_a_wrong_password_changes_nothing(machine: Machine, command: str) -> None:
    code, said = login(machine, command, "bob", typed="wrong\n")
    assert code == 1
    assert "the password was refused, so nothing was changed" in said


def test_only_root_enrolls(machine: Machine) -> None:
    code, said = login(machine, "enroll", "anna", typed="", user="anna")
    assert code == 2
    assert "run: sudo mien login enroll anna" in said


@pytest.mark.parametrize(
    ("user", "word"), [("root", "root has no face"), ("no-such", "no account")]
)
def test_root_and_unknown_accounts_are_refused(machine: Machine, user: str, word: str) -> None:
    code, said = login(machine, "enroll", user, typed="")
    assert code == 2
    assert word in said


def test_without_its_own_service_no_password_is_asked(machine: Machine) -> None:
    machine.private.path("/etc/pam.d/mien-enroll").unlink()
    code, said = login(machine, "enroll", "anna", typed="secret of anna\n")
    assert code == 2
    assert "run: sudo mien login install --apply" in said
