"""The fallback for pam_exec gives the same answers, and exits with 0 for a yes alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.login.namespace import CLEAN_ENVIRONMENT
from tests.login.pam.fake_daemon import NO, YES, Answer, fake_daemon, never, raw, replies, tell
from tests.login.pam.machine import FACE_OR_PASSWORD, PASSWORD, SOCKET, Machine
from tests.login.pam.test_socket import listens_as_nobody

from mien.login import pam_client, protocol
from mien.login.protocol import AuthReply, ReplyCode

CLIENT = "/run/pam_client.py"
PYTHON = "/usr/bin/python3"
ITEMS = {"PAM_USER": "anna", "PAM_SERVICE": "mien-test", "PAM_TTY": "/dev/tty2"}


@pytest.fixture
def client(machine: Machine) -> Machine:
    """The machine with the client at its place."""
    if not Path(PYTHON).exists():
        pytest.skip("needs the system's Python; run: apt-get install python3-minimal")
    copy = machine.private.path(CLIENT)
    copy.write_bytes(Path(pam_client.__file__).read_bytes())
    return machine


def run(
    client: Machine, *arguments: str, user: str = "root", **items: str
) -> subprocess.CompletedProcess[str]:
    return client.private.run(
        PYTHON,
        "-I",
        "-S",
        CLIENT,
        *arguments,
        user=user,
        env={**CLEAN_ENVIRONMENT, **ITEMS, **items},
    )


def line(*arguments: str) -> str:
    return " ".join(["pam_exec.so quiet seteuid stdout", PYTHON, "-I -S", CLIENT, *arguments])


def test_the_client_has_the_numbers_of_the_protocol() -> None:
    assert pam_client.SOCKET_PATH == protocol.SOCKET_PATH
    assert pam_client.REQUEST.format == protocol.REQUEST.format
    assert pam_client.REPLY.format == protocol.REPLY.format
    assert pam_client.REQUEST_MAGIC == protocol.REQUEST_MAGIC
    assert pam_client.REPLY_MAGIC == protocol.REPLY_MAGIC
    assert pam_client.MAX_TIMEOUT_S * 1000 == protocol.MAX_TIMEOUT_MS
    for code in ReplyCode:
        assert getattr(pam_client, code.name) == code


@pytest.mark.parametrize("reply", [YES, NO, AuthReply(ReplyCode.AUTHINFO_UNAVAIL, "too dark")])
def test_the_exit_code_is_the_code_of_the_reply(client: Machine, reply: AuthReply) -> None:
    with client.daemon(replies(tell("turn your head left"), reply)) as daemon:
        ran = run(client)
    assert ran.returncode == reply.code
    shown = ["turn your head left", *([reply.words] if reply.words else [])]
    assert ran.stdout.splitlines() == shown
    (request,) = daemon.requests
    assert (request.user, request.service, request.tty) == ("anna", "mien-test", "/dev/tty2")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(raw(lambda yes: yes[:8] + bytes(16) + yes[24:]), id="another nonce"),
        pytest.param(raw(lambda yes: bytes(4) + yes[4:]), id="another magic"),
        pytest.param(raw(lambda yes: yes[:-1]), id="short"),
        pytest.param(raw(lambda yes: yes + b"\0"), id="long"),
        pytest.param(raw(lambda yes: b"SUCCESS"), id="text"),
        pytest.param(raw(lambda yes: yes[:4] + b"\1" + yes[5:]), id="an unknown code"),
        pytest.param(raw(lambda yes: yes[:24] + b"a" * 160), id="words without an end"),
        pytest.param(raw(lambda yes: yes[:24] + b"\xff" + yes[25:]), id="not UTF-8"),
        pytest.param(never, id="no answer"),
    ],
)
def test_what_is_no_reply_to_the_request_is_no_yes(client: Machine, answer: Answer) -> None:
    with client.daemon(answer):
        assert run(client, "timeout=1").returncode == ReplyCode.AUTHINFO_UNAVAIL


@pytest.mark.parametrize(
    "items",
    [
        {"PAM_RHOST": "192.0.2.1"},
        {"PAM_TTY": "ssh"},
        {"PAM_USER": "root"},
        {"PAM_USER": "toor"},  # another name with uid 0
        {"PAM_USER": "nobody-of-that-name"},
        {"PAM_USER": ""},
        {"PAM_USER": "locked"},
        {"PAM_USER": "starred"},
    ],
)
def test_what_is_no_question_for_a_face_is_not_asked(
    client: Machine, items: dict[str, str]
) -> None:
    with client.daemon(replies(YES)) as daemon:
        assert run(client, **items).returncode == ReplyCode.IGNORE
    assert daemon.requests == []


@pytest.mark.parametrize(
    "change",
    [
        "chown anna /run/mien/auth.sock",
        "chown anna /run/mien",
        "chmod 0777 /run/mien",
        "chmod 0775 /run/mien",
        "mv /run/mien /run/real; ln -s real /run/mien",
        "mv /run/mien/auth.sock /run/mien/real; ln -s real /run/mien/auth.sock",
        "rm /run/mien/auth.sock",
    ],
)
def test_a_spoofed_socket_is_not_asked(client: Machine, change: str) -> None:
    with client.daemon(replies(YES)) as daemon:
        client.shell(change)
        assert run(client).returncode == ReplyCode.AUTHINFO_UNAVAIL
    assert daemon.requests == []


def test_a_listener_that_is_not_root_gets_no_request(client: Machine) -> None:
    with listens_as_nobody(client) as listener:
        assert run(client).returncode == ReplyCode.AUTHINFO_UNAVAIL
        assert listener.stdout is not None
        assert listener.stdout.readline() == "b''\n"


@pytest.mark.parametrize("argument", ["ask", "timeout=0", "timeout=61", "timeout=", "other"])
def test_a_wrong_argument_is_no_look(client: Machine, argument: str) -> None:
    with client.daemon(replies(YES)) as daemon:
        assert run(client, argument).returncode == ReplyCode.AUTHINFO_UNAVAIL
    assert daemon.requests == []


def test_modules_and_settings_of_a_user_are_not_loaded(client: Machine) -> None:
    client.shell("mkdir -p /run/evil; echo 'import os; os._exit(0)' > /run/evil/socket.py")
    client.shell("cp /run/evil/socket.py /run/evil/sitecustomize.py")
    evil = {"PYTHONPATH": "/run/evil", "HOME": "/run/evil", "PYTHONSTARTUP": "/run/evil/socket.py"}
    spoofed = client.private.path("/run/spoofed.sock")
    with client.daemon(replies(NO)), fake_daemon(spoofed, replies(YES)) as other:
        ran = run(client, MIEN_SOCKET="/run/spoofed.sock", **evil)
    assert ran.returncode == ReplyCode.AUTH_ERR
    assert other.requests == []


@pytest.mark.parametrize("program", ["sudo", "su"])
def test_a_face_opens_through_pam_exec(client: Machine, program: str) -> None:
    client.service(FACE_OR_PASSWORD, name=program, line=line())
    words = {"sudo": ["sudo", "-S", "-u", "bert"], "su": ["su", "bert", "--command"]}[program]
    command = ["id", "-u"] if program == "sudo" else ["id -u"]
    with client.daemon(replies(YES)) as daemon:
        ran = client.private.run(*words, *command, user="anna")
    assert (ran.returncode, ran.stdout) == (0, client.uid("bert"))
    assert len(daemon.requests) == 1


@pytest.mark.parametrize("answer", [replies(NO), raw(lambda yes: b""), never])
def test_all_else_through_pam_exec_asks_for_the_password(client: Machine, answer: Answer) -> None:
    client.service(FACE_OR_PASSWORD, line=line("timeout=1"))
    with client.daemon(answer):
        assert not client.pamtester(typed="wrong\n").accepted
        assert client.pamtester(typed=f"{PASSWORD}\n").accepted


@pytest.mark.parametrize("broken", ["rm {0}", "echo 'no python' > {0}", "ln -sf /etc {0}"])
def test_a_client_that_is_absent_or_broken_leaves_the_password(
    client: Machine, broken: str
) -> None:
    client.service(FACE_OR_PASSWORD, line=line())
    client.shell(broken.format(CLIENT))
    assert not client.pamtester(typed="wrong\n").accepted
    assert client.pamtester(typed=f"{PASSWORD}\n").accepted
    client.shell(f"rm -f {CLIENT}")


def test_the_client_needs_no_other_module_of_mien(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-I", "-S", pam_client.__file__, "other"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (9, "no look: the argument other is wrong or unknown\n")


def test_the_socket_is_the_one_that_the_module_asks() -> None:
    assert pam_client.SOCKET_PATH == SOCKET
