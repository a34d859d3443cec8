"""The module under the real sudo and su."""

from __future__ import annotations

import pytest
from tests.login.namespace import CLEAN_ENVIRONMENT
from tests.login.pam.fake_daemon import NO, YES, fake_daemon, never, replies, tell
from tests.login.pam.machine import FACE_OR_PASSWORD, MODULE, PASSWORD, Machine
from tests.login.pam.terminal import CTRL_C, terminal

PASSWORD_OF_ANNA = "[sudo] password for anna: "


@pytest.fixture(params=["sudo", "su"])
def program(request: pytest.FixtureRequest, machine: Machine) -> list[str]:
    """A command of anna that prints the uid that it got, which is not hers."""
    machine.service(FACE_OR_PASSWORD, name=request.param)
    return {
        "sudo": ["sudo", "-S", "-u", "bert", "id", "-u"],
        "su": ["su", "--command", "id -u", "bert"],
    }[request.param]


def test_a_face_opens_without_a_word(machine: Machine, program: list[str]) -> None:
    with machine.daemon(replies(YES)) as daemon:
        ran = machine.private.run(*program, user="anna")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, machine.uid("bert"), "")
    (request,) = daemon.requests
    assert request.service == program[0]


def test_another_face_and_then_the_password_opens(machine: Machine, program: list[str]) -> None:
    with machine.daemon(replies(NO)):
        ran = machine.private.run(*program, user="anna", typed=f"{PASSWORD}\n")
    assert (ran.returncode, ran.stdout.endswith(machine.uid("bert"))) == (0, True)


def test_another_face_and_a_wrong_password_do_not_open(
    machine: Machine, program: list[str]
) -> None:
    with machine.daemon(replies(NO)):
        ran = machine.private.run(*program, user="anna", typed="wrong\n")
    assert ran.returncode == 1
    assert machine.uid("bert") not in ran.stdout


@pytest.mark.parametrize("library", ["/run/absent.so", "/etc/passwd", "/run"])
def test_a_module_that_is_absent_or_no_library_leaves_the_password(
    machine: Machine, program: list[str], library: str
) -> None:
    machine.service(FACE_OR_PASSWORD, name=program[0], line=library)
    ran = machine.private.run(*program, user="anna", typed=f"{PASSWORD}\n")
    assert (ran.returncode, ran.stdout.endswith(machine.uid("bert"))) == (0, True)


def test_the_words_of_a_hostile_environment_are_not_heard(
    machine: Machine, program: list[str]
) -> None:
    hostile = {
        **CLEAN_ENVIRONMENT,
        "LD_PRELOAD": "/tmp/evil.so",
        "LD_LIBRARY_PATH": "/tmp",
        "PYTHONPATH": "/tmp",
        "HOME": "/tmp",
        "XDG_RUNTIME_DIR": "/tmp",
        "MIEN_SOCKET": "/run/spoofed.sock",
        "MIEN_LOGIN_SOCKET": "/run/spoofed.sock",
        "PAM_RHOST": "",
        "PAM_USER": "bert",
    }
    spoofed = machine.private.path("/run/spoofed.sock")
    with machine.daemon(replies(NO)) as daemon, fake_daemon(spoofed, replies(YES)) as other:
        ran = machine.private.run(*program, user="anna", typed="wrong\n", env=hostile)
    assert ran.returncode == 1
    assert (len(daemon.requests), other.requests) == (1, [])


def test_three_passwords_at_sudo_cost_one_look(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD, name="sudo")
    with machine.daemon(replies(NO)) as daemon:
        ran = machine.private.run("sudo", "-S", "true", user="anna", typed="a\nb\nc\n")
    assert ran.returncode == 1
    assert "3 incorrect password attempts" in ran.stderr
    assert len(daemon.requests) == 1


def test_sudo_shows_the_instructions_of_a_challenge(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD, name="sudo")
    with machine.daemon(replies(tell("turn your head left"), YES)):
        ran = machine.private.run("sudo", "-S", "true", user="anna")
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "turn your head left\n")


def test_sudo_says_why_there_was_no_yes_where_it_asked_before(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD, name="sudo", line=f"{MODULE} ask")
    with machine.daemon(replies(NO)):
        ran = machine.private.run("sudo", "-S", "true", user="anna", typed=f"\n{PASSWORD}\n")
    assert ran.returncode == 0
    assert "not recognized" in ran.stdout + ran.stderr


def test_sudo_that_may_not_ask_does_not_look(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD, name="sudo", line=f"{MODULE} ask")
    with machine.daemon(replies(YES)) as daemon:
        ran = machine.private.run("sudo", "-n", "true", user="anna")
    assert (ran.returncode, "password is required" in ran.stderr) == (1, True)
    assert daemon.requests == []


def test_sudo_without_a_password_still_sets_credentials(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD, name="sudo")
    ran = machine.private.run("sudo", "-n", "id", "-u", user="bert")  # NOPASSWD
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "0\n", "")


@pytest.mark.parametrize("line", [f"{MODULE} timeout=60", f"{MODULE} ask timeout=60"])
def test_ctrl_c_during_the_look_gives_the_password_prompt_of_sudo(
    machine: Machine, line: str
) -> None:
    machine.service(FACE_OR_PASSWORD, name="sudo", line=line)
    command = machine.private.command("sudo", "id", "-u", user="anna")
    with machine.daemon(never) as daemon, terminal(command) as screen:
        if "ask" in line:
            screen.wait_for("Password, or Enter for your face: ")
            screen.type("\n")
        daemon.wait_asked()
        screen.type(CTRL_C)
        screen.wait_for(PASSWORD_OF_ANNA)
        daemon.wait_gone()
        screen.type(f"{PASSWORD}\n")
        screen.wait_for("0")
        assert screen.wait_end() == 0
    assert len(daemon.requests) == 1


def test_ctrl_c_during_the_look_gives_the_password_prompt_of_su(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD, name="su", line=f"{MODULE} timeout=60")
    command = machine.private.command("su", "--command", "id -u", "bert", user="anna")
    with machine.daemon(never) as daemon, terminal(command) as screen:
        daemon.wait_asked()
        screen.type(CTRL_C)
        screen.wait_for("Password: ")
        screen.type(f"{PASSWORD}\n")
        screen.wait_for(machine.uid("bert").strip())
        assert screen.wait_end() == 0
