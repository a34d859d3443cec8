"""The fprintd facade as unmodified programs meet it: fprintd-verify and pam_fprintd."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.login.namespace import need_root_and
from tests.login.system import SYSTEM_PYTHON, Machine

from mien.login.protocol import ReplyCode

PAM_FPRINTD = [
    *Path("/lib").glob("*/security/pam_fprintd.so"),
    *Path("/usr/lib64/security").glob("pam_fprintd.so"),
]
LOCKER = """auth sufficient pam_fprintd.so timeout=30
auth required pam_deny.so
account required pam_permit.so
"""
# another program that says, on the device's path, that the finger matched
FORGE = """
import dbus, dbus.lowlevel, sys, time
bus = dbus.SystemBus()
print("ready", flush=True)
while True:
    signal = dbus.lowlevel.SignalMessage(
        "/net/reactivated/Fprint/Device/0", "net.reactivated.Fprint.Device", "VerifyStatus")
    signal.append("verify-match", True, signature="sb")
    bus.send_message(signal)
    bus.flush()
    time.sleep(0.01)
"""
# another program that says, to the facade alone, that a connection has left the bus
LEFT = """
import dbus, dbus.lowlevel, sys
bus = dbus.SystemBus()
for body in (("sss", ":1.1", "", ""), ("s", "no owner")):
    signal = dbus.lowlevel.SignalMessage(
        "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged")
    signal.append(*body[1:], signature=body[0])
    signal.set_destination("net.reactivated.Fprint")
    bus.send_message(signal)
bus.flush()
"""


@pytest.fixture(autouse=True)
def tools() -> None:
    need_root_and("fprintd-verify", package="fprintd")
    need_root_and("pamtester", package="pamtester")
    if not PAM_FPRINTD:
        pytest.skip("needs pam_fprintd.so; run: apt-get install libpam-fprintd")


@pytest.fixture
def locker(machine: Machine) -> Iterator[None]:
    service = machine.private.path("/etc/pam.d/swaylock")
    service.write_text(LOCKER)
    yield
    service.unlink()


def run(machine: Machine, *command: str, user: str) -> str:
    ran = machine.private.run(*command, user=user)
    return ran.stdout + ran.stderr


def load_models(machine: Machine) -> None:
    """Have a look done, so that the next one does not wait for the models on a loaded machine."""
    assert machine.ask("mien-test", "anna") == (ReplyCode.IGNORE, "your face was recognized")


def test_fprintd_verify_matches_the_owner(machine: Machine) -> None:
    with machine.daemon("anna", "--fprintd"):
        load_models(machine)
        said = run(machine, "fprintd-verify", user="anna")
    assert "Verify result: verify-match (done)" in said


def test_fprintd_verify_says_that_nobody_could_be_judged(machine: Machine) -> None:
    with machine.daemon("dark", "--fprintd"):
        said = run(machine, "fprintd-verify", user="anna")
    assert "Verify result: verify-unknown-error (done)" in said


def test_who_is_enrolled_is_listed(machine: Machine) -> None:
    with machine.daemon("anna", "--fprintd"):
        assert "right-index-finger" in run(machine, "fprintd-list", "anna", user="anna")
        assert "no fingers enrolled" in run(machine, "fprintd-list", "mien", user="root")


def test_another_user_may_not_claim(machine: Machine) -> None:
    with machine.daemon("anna", "--fprintd"):
        said = run(machine, "fprintd-verify", "anna", user="bob")
    assert "PermissionDenied" in said


def test_a_remote_session_may_not_claim(machine: Machine) -> None:
    machine.be_in_session("remote")
    try:
        with machine.daemon("anna", "--fprintd"):
            said = run(machine, "fprintd-verify", user="anna")
    finally:
        machine.be_in_session("local")
    assert "PermissionDenied" in said


def test_a_finger_cannot_be_enrolled(machine: Machine) -> None:
    with machine.daemon("anna", "--fprintd"):
        said = run(machine, "fprintd-enroll", user="anna")
    assert "mien login enroll" in said


def test_pam_fprintd_unlocks_for_the_owner_in_its_session(machine: Machine, locker: None) -> None:
    with machine.daemon("anna", "--fprintd"):
        load_models(machine)
        said = run(machine, "pamtester", "swaylock", "anna", "authenticate", user="anna")
    assert "successfully authenticated" in said


def test_pam_fprintd_of_a_root_program_in_the_session_is_refused(
    machine: Machine, locker: None
) -> None:
    with machine.daemon("anna", "--fprintd"):
        said = run(machine, "pamtester", "swaylock", "anna", "authenticate", user="root")
    assert "successfully" not in said


def test_pam_fprintd_of_a_root_program_without_a_session_is_refused(
    machine: Machine, locker: None
) -> None:
    machine.be_in_session("")  # a job of cron has none
    try:
        with machine.daemon("anna", "--fprintd"):
            load_models(machine)
            said = run(machine, "pamtester", "swaylock", "anna", "authenticate", user="root")
    finally:
        machine.be_in_session("local")
    assert "successfully" not in said


def test_a_forged_word_that_a_program_left_the_bus_changes_nothing(machine: Machine) -> None:
    with machine.daemon("anna", "--fprintd"):
        forged = machine.private.run(SYSTEM_PYTHON, "-c", LEFT, user="bob")
        assert forged.returncode == 0, forged.stderr
        assert "right-index-finger" in run(machine, "fprintd-list", "anna", user="anna")


def test_a_match_that_another_program_forges_is_ignored(machine: Machine, locker: None) -> None:
    forger = machine.start(SYSTEM_PYTHON, "-c", FORGE, user="bob")
    try:
        assert forger.stdout is not None
        assert forger.stdout.readline() == "ready\n"
        with machine.daemon("dark", "--fprintd"):
            said = run(machine, "pamtester", "swaylock", "anna", "authenticate", user="anna")
    finally:
        forger.kill()
        forger.communicate()
    assert "successfully" not in said


def test_a_program_that_dies_in_a_look_leaves_the_device_free(machine: Machine) -> None:
    with machine.daemon("dark", "--fprintd"):
        dying = subprocess.Popen(
            machine.private.command("fprintd-verify", user="anna"),
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin"},
        )
        assert dying.stdout is not None
        while "Verify started" not in dying.stdout.readline():
            pass
        dying.kill()
        dying.communicate()
        said = run(machine, "fprintd-verify", user="anna")
    assert "Verify result: verify-unknown-error (done)" in said
