"""The arguments of the line, and the question that `ask` puts first."""

from __future__ import annotations

import pytest
from tests.login.pam.fake_daemon import YES, replies
from tests.login.pam.machine import FACE_OR_PASSWORD, MODULE, PASSWORD, Machine

QUESTION = "Password, or Enter for your face: "


@pytest.mark.parametrize(
    ("arguments", "timeout_s"),
    [
        ("", 5),
        ("ask", 15),
        ("timeout=60", 60),
        ("ask timeout=7", 7),
        ("timeout=7 ask", 7),
        ("socket=/run/mien/auth.sock", 5),
    ],
)
def test_the_daemon_hears_how_long_it_may_take(
    machine: Machine, arguments: str, timeout_s: int
) -> None:
    with machine.daemon(replies(YES)) as daemon:
        assert machine.code(arguments=arguments, typed="\n") == "SUCCESS"
    assert [request.timeout_s for request in daemon.requests] == [timeout_s]


@pytest.mark.parametrize(
    "argument",
    [
        "aks",
        "ask=1",
        "timeout",
        "timeout=",
        "timeout=0",
        "timeout=-1",
        "timeout=61",
        "timeout=5s",
        "timeout=4294967297",
        "timeout=99999999999999999999999",
        "timeout=0 timeout=5",
        "%n%s",
    ],
)
def test_a_wrong_argument_is_no_look(machine: Machine, argument: str) -> None:
    with machine.daemon(replies(YES)) as daemon:
        assert machine.code(arguments=argument) == "AUTHINFO_UNAVAIL"
    assert daemon.requests == []


def test_a_typed_password_is_taken_without_a_look_and_without_another_question(
    machine: Machine,
) -> None:
    machine.service(FACE_OR_PASSWORD, line=f"{MODULE} ask")
    with machine.daemon(replies(YES)) as daemon:
        login = machine.pamtester(typed=f"{PASSWORD}\n")
    assert login.accepted
    assert QUESTION in login.printed
    assert login.printed.count("assword") == 1
    assert daemon.requests == []


def test_a_wrong_password_is_refused_without_a_look(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD, line=f"{MODULE} ask")
    with machine.daemon(replies(YES)) as daemon:
        assert not machine.pamtester(typed="wrong\n").accepted
    assert daemon.requests == []


def test_enter_starts_the_look(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD, line=f"{MODULE} ask")
    with machine.daemon(replies(YES)) as daemon:
        login = machine.pamtester(typed="\n")
    assert login.accepted
    assert len(daemon.requests) == 1


def test_with_nobody_to_ask_there_is_no_look(machine: Machine) -> None:
    with machine.daemon(replies(YES)) as daemon:
        assert machine.code(arguments="ask", typed="") == "IGNORE"
    assert daemon.requests == []


@pytest.mark.parametrize(("user", "item"), [("root", "tty=tty1"), ("anna", "rhost=192.0.2.1")])
def test_who_is_not_asked_for_a_face_does_not_get_the_question(
    machine: Machine, user: str, item: str
) -> None:
    machine.service(FACE_OR_PASSWORD, line=f"{MODULE} ask")
    login = machine.pamtester(user, item, typed="wrong\n")
    assert QUESTION not in login.printed
