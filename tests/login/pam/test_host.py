"""The program that loads the module keeps its signals, its descriptors and its memory."""

from __future__ import annotations

import os
import re
import shutil
import signal

import pytest
from tests.login.namespace import CLEAN_ENVIRONMENT, need_root_and
from tests.login.pam.fake_daemon import NO, YES, Answer, never, raw, replies, tell
from tests.login.pam.machine import FACE_OR_PASSWORD, MODULE, PASSWORD, Machine
from tests.login.pam.terminal import CTRL_Z, terminal

CLOSED = {"standard input": "<&-", "output and errors": ">&- 2>&-", "all three": "<&- >&- 2>&-"}


def login_at_terminal(machine: Machine) -> list[str]:
    """The command of a login whose look lasts as long as the test."""
    machine.service(FACE_OR_PASSWORD, line=f"{MODULE} timeout=60")
    return machine.private.command("pamtester", "mien-test", "anna", "authenticate")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_the_look_at_once_and_then_the_program(
    machine: Machine, stop: signal.Signals
) -> None:
    with machine.daemon(never) as daemon, terminal(login_at_terminal(machine)) as screen:
        daemon.wait_asked()
        screen.program.send_signal(stop)
        assert screen.wait_end() == -stop
        daemon.wait_gone()


def test_a_killed_program_ends_the_look(machine: Machine) -> None:
    with machine.daemon(never) as daemon, terminal(login_at_terminal(machine)) as screen:
        daemon.wait_asked()
        screen.program.kill()
        daemon.wait_gone()


def test_ctrl_z_ends_the_look_and_the_password_is_asked(machine: Machine) -> None:
    """The program is the only one of its terminal, where the kernel stops nothing."""
    with machine.daemon(never) as daemon, terminal(login_at_terminal(machine)) as screen:
        daemon.wait_asked()
        screen.type(CTRL_Z)
        daemon.wait_gone()
        screen.wait_for("Password: ")
        screen.type(f"{PASSWORD}\n")
        screen.wait_for("successfully authenticated")
        assert screen.wait_end() == 0


def test_the_program_has_its_own_signals_back_when_the_password_is_asked(
    machine: Machine,
) -> None:
    machine.service(FACE_OR_PASSWORD)
    command = machine.private.command("pamtester", "mien-test", "anna", "authenticate")
    with machine.daemon(replies(NO)), terminal(command) as screen:
        screen.wait_for("Password: ")
        assert not blocked_signals(screen.program.pid) & OF_THE_MODULE
        assert descriptors(screen.program.pid) == []


# pamtester itself blocks SIGINT and SIGTSTP while it reads a password
OF_THE_MODULE = sum(1 << number - 1 for number in (signal.SIGTERM, signal.SIGHUP))


def blocked_signals(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        (mask,) = (line.split()[1] for line in status if line.startswith("SigBlk:"))
    return int(mask, 16)


def descriptors(pid: int) -> list[str]:
    """What the program has open of the module's kinds."""
    folder = f"/proc/{pid}/fd"
    targets = [os.readlink(f"{folder}/{name}") for name in os.listdir(folder)]
    return [target for target in targets if "socket" in target or "signalfd" in target]


@pytest.mark.parametrize("closed", CLOSED.values(), ids=CLOSED.keys())
def test_closed_standard_descriptors_do_not_get_the_socket(machine: Machine, closed: str) -> None:
    """pamtester prints the words of a refusal while the module has its socket open."""
    machine.service(FACE_OR_PASSWORD)
    with machine.daemon(replies(tell("turn your head left"), NO)) as daemon:
        machine.private.run("sh", "-c", f"exec pamtester mien-test anna authenticate {closed}")
    assert (len(daemon.requests), daemon.strays) == (1, [])


def test_a_face_opens_with_all_descriptors_closed(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD)
    with machine.daemon(replies(YES)):
        ran = machine.private.run(
            "sh", "-c", "exec pamtester mien-test anna authenticate <&- >&- 2>&-"
        )
    assert ran.returncode == 0


def test_a_second_question_on_the_same_handle_is_not_asked(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD)
    with machine.daemon(replies(YES)) as daemon:
        login = machine.pamtester(operations=("authenticate",) * 2, typed=f"{PASSWORD}\n")
    assert login.accepted
    assert login.printed.count("Password: ") == 1
    assert len(daemon.requests) == 1


@pytest.mark.parametrize("typed", ["", f"{PASSWORD}\n"], ids=["a face", "a password"])
def test_credentials_are_set_after(machine: Machine, typed: str) -> None:
    machine.service(FACE_OR_PASSWORD)
    with machine.daemon(replies(NO if typed else YES)):
        login = machine.pamtester(operations=("authenticate", "setcred"), typed=typed)
    assert login.accepted
    assert "successfully been set" in login.printed


def test_credentials_of_a_face_do_not_hang_on_the_modules_below(machine: Machine) -> None:
    machine.service("auth [success=done default=ignore] {line}\nauth required pam_deny.so\n")
    with machine.daemon(replies(YES)):
        assert machine.pamtester(operations=("authenticate", "setcred")).accepted


def test_variables_of_the_program_that_asks_change_nothing(machine: Machine) -> None:
    """pamtester is not set-uid, so libc hides no variable from the module."""
    machine.service(FACE_OR_PASSWORD)
    names = ("MIEN_SOCKET", "MIEN_LOGIN_SOCKET", "XDG_RUNTIME_DIR", "HOME", "TMPDIR")
    hostile = {**CLEAN_ENVIRONMENT, **dict.fromkeys(names, "/run/other")}
    with machine.daemon(replies(YES)) as daemon:
        ran = machine.private.run("pamtester", "mien-test", "anna", "authenticate", env=hostile)
    assert (ran.returncode, len(daemon.requests)) == (0, 1)


VALGRIND = ("valgrind", "--leak-check=full", "--show-leak-kinds=definite", "--keep-debuginfo=yes")


@pytest.mark.parametrize(
    ("answer", "arguments", "typed"),
    [
        pytest.param(replies(tell("turn your head left"), YES), "", "", id="yes"),
        pytest.param(replies(NO), "", f"{PASSWORD}\n", id="no"),
        pytest.param(never, "ask timeout=1", f"\n{PASSWORD}\n", id="no answer"),
        pytest.param(replies(YES), "ask", f"{PASSWORD}\n", id="a typed password"),
        pytest.param(raw(lambda yes: yes[:-1]), "", f"{PASSWORD}\n", id="a short reply"),
        pytest.param(replies(YES), "wrong", f"{PASSWORD}\n", id="a wrong argument"),
    ],
)
def test_valgrind_finds_no_error_and_no_leak(
    machine: Machine, answer: Answer, arguments: str, typed: str
) -> None:
    need_root_and("valgrind", package="valgrind")
    machine.service(FACE_OR_PASSWORD, line=f"{MODULE} {arguments}")
    program = shutil.which("pamtester", path=CLEAN_ENVIRONMENT["PATH"])
    assert program is not None
    with machine.daemon(answer):
        ran = machine.private.run(
            *VALGRIND, program, "mien-test", "anna", "authenticate", "setcred", typed=typed
        )
    assert ran.returncode == 0, ran.stderr
    assert "ERROR SUMMARY: 0 errors" in ran.stderr
    lost = re.findall(r"definitely lost: ([\d,]+) bytes", ran.stderr)
    assert lost == ["0"] or "All heap blocks were freed" in ran.stderr, ran.stderr
