"""The code that pam_mien.so gives to PAM, for what the daemon answers and for who asks."""

from __future__ import annotations

import struct

import pytest
from tests.login.pam.fake_daemon import NO, YES, Answer, never, raw, replies, tell
from tests.login.pam.machine import FACE_OR_PASSWORD, PASSWORD, Machine

from mien.login.protocol import REPLY, REPLY_MAGIC, AuthReply, AuthRequest, ReplyCode


def code_of(number: int) -> Answer:
    """A reply with this number as its code."""
    return raw(lambda yes: yes[:4] + struct.pack("<i", number) + yes[8:])


def words_of(words: bytes, code: ReplyCode = ReplyCode.SUCCESS) -> Answer:
    """A reply with these bytes as its words."""
    return lambda request: [REPLY.pack(REPLY_MAGIC, code, request.nonce, words)]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        pytest.param(YES, "SUCCESS", id="yes"),
        pytest.param(NO, "AUTH_ERR", id="no"),
        pytest.param(
            AuthReply(ReplyCode.AUTHINFO_UNAVAIL, "too dark"), "AUTHINFO_UNAVAIL", id="dark"
        ),
        pytest.param(AuthReply(ReplyCode.IGNORE), "IGNORE", id="not a question for a face"),
    ],
)
def test_the_answer_of_the_daemon_is_the_answer_to_pam(
    machine: Machine, reply: AuthReply, code: str
) -> None:
    with machine.daemon(replies(reply)) as daemon:
        assert machine.code("anna", "tty=/dev/tty2") == code
    (request,) = daemon.requests
    assert (request.service, request.user, request.tty) == ("mien-test", "anna", "/dev/tty2")


def test_each_request_has_a_nonce_of_its_own(machine: Machine) -> None:
    with machine.daemon(replies(YES)) as daemon:
        machine.code()
        machine.code()
    first, second = daemon.requests
    assert first.nonce != second.nonce
    assert len(set(first.nonce)) > 4


def test_instructions_are_shown_and_the_answer_after_them_counts(machine: Machine) -> None:
    with machine.daemon(replies(tell("turn your head left"), tell("and back"), YES)):
        machine.service(FACE_OR_PASSWORD)
        login = machine.pamtester()
    assert login.accepted
    assert "turn your head left\nand back\n" in login.printed


def test_a_refusal_says_why_and_the_password_is_asked(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD)
    with machine.daemon(replies(NO)):
        assert not machine.pamtester(typed="wrong\n").accepted
        login = machine.pamtester(typed=f"{PASSWORD}\n")
    assert login.accepted
    assert "not recognized\nPassword: " in login.printed


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(raw(lambda yes: yes[:8] + bytes(16) + yes[24:]), id="another nonce"),
        pytest.param(raw(lambda yes: bytes(4) + yes[4:]), id="another magic"),
        pytest.param(raw(lambda yes: yes[:-1]), id="a byte short"),
        pytest.param(raw(lambda yes: yes + b"\0"), id="a byte long"),
        pytest.param(raw(lambda yes: yes * 300), id="very long"),
        pytest.param(raw(lambda yes: b""), id="nothing"),
        pytest.param(raw(lambda yes: b"SUCCESS"), id="text"),
        pytest.param(code_of(1), id="a code of another meaning"),
        pytest.param(code_of(256), id="a code that is 0 in its first byte"),
        pytest.param(code_of(-2), id="a negative code"),
        pytest.param(words_of(b"a" * 160), id="words without an end"),
        pytest.param(words_of(b"a\0b"), id="words after their end"),
        pytest.param(words_of(b"\xff"), id="words that are not UTF-8"),
        pytest.param(words_of(b"a" * 158 + b"\xc3"), id="a letter that is cut"),
    ],
)
def test_what_is_no_reply_to_the_request_is_no_yes(machine: Machine, answer: Answer) -> None:
    with machine.daemon(answer) as daemon:
        assert machine.code() == "AUTHINFO_UNAVAIL"
    assert len(daemon.requests) == 1


def test_a_yes_behind_a_message_that_is_none_is_too_late(machine: Machine) -> None:
    def answer(request: AuthRequest) -> list[bytes]:
        return [b"text", YES.pack(request.nonce)]

    with machine.daemon(answer):
        assert machine.code() == "AUTHINFO_UNAVAIL"


@pytest.mark.parametrize("words", ["%s%n%s%n%s%n", "%1000000d", "100 %"])
def test_words_are_no_format(machine: Machine, words: str) -> None:
    machine.service(FACE_OR_PASSWORD)
    with machine.daemon(replies(tell(words), YES)):
        login = machine.pamtester()
    assert login.accepted
    assert f"{words}\n" in login.printed


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(b"a\x1b[2Jb", "a?[2Jb", id="an escape sequence"),
        pytest.param(b"a\r\nb\x7f", "a??b?", id="control letters"),
        pytest.param("a\x9b2Jb".encode(), "a??2Jb", id="a control letter of two bytes"),
        pytest.param("ä € 😀".encode(), "ä € 😀", id="letters of two to four bytes"),
    ],
)
def test_words_lose_what_a_terminal_would_act_on(
    machine: Machine, words: bytes, shown: str
) -> None:
    machine.service(FACE_OR_PASSWORD)
    with machine.daemon(words_of(words)):
        login = machine.pamtester()
    assert login.accepted
    assert login.printed.startswith(f"{shown}\n")


def test_without_a_daemon_the_password_is_asked(machine: Machine) -> None:
    assert machine.code() == "AUTHINFO_UNAVAIL"
    machine.service(FACE_OR_PASSWORD)
    assert machine.pamtester(typed=f"{PASSWORD}\n").accepted


def test_a_socket_that_nobody_listens_at_is_no_yes(machine: Machine) -> None:
    machine.left_socket()
    assert machine.code() == "AUTHINFO_UNAVAIL"


def test_a_daemon_that_dies_midway_is_no_yes(machine: Machine) -> None:
    with machine.daemon(replies(tell("look here")), ends_midway=True) as daemon:
        assert machine.code() == "AUTHINFO_UNAVAIL"
    assert len(daemon.requests) == 1


def test_a_daemon_that_never_answers_is_left_after_the_timeout(machine: Machine) -> None:
    with machine.daemon(never) as daemon:
        assert machine.code(arguments="timeout=1") == "AUTHINFO_UNAVAIL"
        daemon.wait_gone()
    (request,) = daemon.requests
    assert request.timeout_s == 1.0


def test_instructions_do_not_prolong_the_timeout(machine: Machine) -> None:
    def answer(request: AuthRequest):
        while True:
            yield tell("wait").pack(request.nonce)

    with machine.daemon(answer) as daemon:
        assert machine.code(arguments="timeout=1") == "AUTHINFO_UNAVAIL"
        daemon.wait_gone()


@pytest.mark.parametrize(
    ("user", "items"),
    [
        pytest.param("anna", ["rhost=192.0.2.1"], id="from another machine"),
        pytest.param("anna", ["tty=ssh"], id="over ssh"),
        pytest.param("root", [], id="root"),
        pytest.param("toor", [], id="another name with uid 0"),
        pytest.param("nobody-of-that-name", [], id="an unknown name"),
        pytest.param("a" * 300, [], id="a very long name"),
        pytest.param("", ["prompt=login: "], id="no name"),
        pytest.param("locked", [], id="passwd --lock"),
        pytest.param("starred", [], id="an account that never had a password"),
    ],
)
def test_what_is_no_question_for_a_face_is_not_asked(
    machine: Machine, user: str, items: list[str]
) -> None:
    with machine.daemon(replies(YES)) as daemon:
        assert machine.code(user, *items) == "IGNORE"
    assert daemon.requests == []


def test_a_locked_account_stays_locked_whatever_the_daemon_says(machine: Machine) -> None:
    machine.service(FACE_OR_PASSWORD)
    with machine.daemon(replies(YES)):
        assert not machine.pamtester("locked", typed=f"{PASSWORD}\n").accepted
