"""A socket that others than root could have made is not asked, whatever it would answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.login.pam.fake_daemon import YES, replies
from tests.login.pam.machine import SOCKET, Machine

# binds as root and listens as nobody; prints what it got from the first to connect
LISTEN_AS_NOBODY = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
os.setuid(65534)
listener.listen()
print("listening", flush=True)
print(listener.accept()[0].recv(1000), flush=True)
"""


@contextmanager
def listens_as_nobody(machine: Machine) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", LISTEN_AS_NOBODY, str(machine.private.path(SOCKET))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        try:
            yield listener
        finally:
            listener.kill()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("chown anna /run/mien/auth.sock", id="a socket of another user"),
        pytest.param("chown anna /run/mien", id="a folder of another user"),
        pytest.param("chmod 0777 /run/mien", id="a folder that all can write"),
        pytest.param("chmod 0775 /run/mien", id="a folder that a group can write"),
        pytest.param("chmod 0757 /run/mien", id="a folder that all but its group can write"),
        pytest.param("chmod 0777 /run", id="a folder further up that all can write"),
        pytest.param("mv /run/mien /run/real; ln -s real /run/mien", id="a symlink to the folder"),
        pytest.param(
            "mv /run/mien/auth.sock /run/mien/real; ln -s real /run/mien/auth.sock",
            id="a symlink to the socket",
        ),
        pytest.param("rm /run/mien/auth.sock; touch /run/mien/auth.sock", id="a file"),
    ],
)
def test_a_spoofed_socket_is_not_asked(machine: Machine, change: str) -> None:
    with machine.daemon(replies(YES)) as daemon:
        assert machine.code() == "SUCCESS"
        machine.shell(change)
        assert machine.code() == "AUTHINFO_UNAVAIL"
    assert len(daemon.requests) == 1


def test_a_socket_in_a_sticky_folder_is_asked_because_others_cannot_replace_it(
    machine: Machine,
) -> None:
    machine.shell("chmod 1777 /run/mien")
    with machine.daemon(replies(YES)):
        assert machine.code() == "SUCCESS"


def test_a_listener_that_is_not_root_gets_no_request(machine: Machine) -> None:
    with listens_as_nobody(machine) as listener:
        assert machine.code() == "AUTHINFO_UNAVAIL"
        assert listener.stdout is not None
        assert listener.stdout.readline() == "b''\n"


def test_a_program_that_is_not_root_asks_too(machine: Machine) -> None:
    """As swaylock does."""
    machine.code()  # writes the service
    with machine.daemon(replies(YES)) as daemon:
        assert machine.pamtester("anna", run_as="anna").code == "SUCCESS"
    assert len(daemon.requests) == 1


@pytest.mark.parametrize("path", ["run/mien/auth.sock", "", "/" + "a/" * 60 + "auth.sock"])
def test_a_path_that_is_relative_or_too_long_is_not_asked(machine: Machine, path: str) -> None:
    with machine.daemon(replies(YES)) as daemon:
        assert machine.code(arguments=f"socket={path}") == "AUTHINFO_UNAVAIL"
    assert daemon.requests == []
