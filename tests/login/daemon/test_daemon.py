"""The login daemon as its askers meet it: real accounts, a real vault, real models, films."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.login.system import ALL_ON, FILMS, STATE, Machine, answer_of

from mien.login.protocol import ReplyCode

LOCKER = "swaylock"
UNAVAILABLE = ReplyCode.AUTHINFO_UNAVAIL


def test_the_owner_unlocks_the_open_session(machine: Machine) -> None:
    with machine.daemon("anna"):
        assert machine.ask(LOCKER, "anna", as_user="anna") == (ReplyCode.SUCCESS, "")


@pytest.mark.parametrize(
    ("film", "expected"),
    [
        ("dark", UNAVAILABLE),
        ("nobody", UNAVAILABLE),
        ("blinking", ReplyCode.SUCCESS),
        ("absent", UNAVAILABLE),
    ],
)
def test_what_the_camera_shows_decides(machine: Machine, film: str, expected: ReplyCode) -> None:
    if film == "absent":
        machine.private.path(f"{FILMS}/absent").write_bytes(b"")
    with machine.daemon(film):
        code, words = machine.ask(LOCKER, "anna", as_user="anna", timeout_s=5.0)
    assert code is expected
    assert words.endswith("use your password") is (expected is UNAVAILABLE)


def test_another_face_is_refused_and_after_five_there_is_a_wait(machine: Machine) -> None:
    with machine.daemon("anna"):
        for _ in range(5):
            code, words = machine.ask("mien-test", "bob")
            assert (code, words) == (
                ReplyCode.AUTH_ERR,
                "your face was not recognized; use your password",
            )
        code, words = machine.ask("mien-test", "bob")
    assert code is ReplyCode.AUTH_ERR
    assert words.startswith("too many attempts; use your password, or try again in")


def test_the_same_name_with_another_user_id_has_no_face(machine: Machine) -> None:
    accounts = machine.private.path("/etc/passwd")
    before = accounts.read_text()
    uid = machine.private.run("id", "--user", "anna").stdout.strip()
    accounts.write_text(before.replace(f"anna:x:{uid}:", "anna:x:4242:"))
    try:
        with machine.daemon("anna"):
            assert machine.ask("mien-test", "anna") == (ReplyCode.IGNORE, "")
    finally:
        accounts.write_text(before)


@pytest.mark.parametrize("user", ["root", "mien", "nobody", "no-such", "anna\n", "%s%n", "ánna"])
def test_a_name_without_a_face_is_none_for_a_look(machine: Machine, user: str) -> None:
    with machine.daemon("anna"):
        assert machine.ask("mien-test", user) == (ReplyCode.IGNORE, "")


def test_a_user_asks_only_for_itself(machine: Machine) -> None:
    with machine.daemon("anna"):
        assert machine.ask(LOCKER, "anna", as_user="bob") == (ReplyCode.IGNORE, "")


@pytest.mark.parametrize("session", ["remote", ""])
def test_away_from_the_screen_nobody_is_looked_for(machine: Machine, session: str) -> None:
    machine.be_in_session(session)
    try:
        with machine.daemon("anna"):
            assert machine.ask(LOCKER, "anna", as_user="anna") == (ReplyCode.IGNORE, "")
    finally:
        machine.be_in_session("local")


def test_a_locked_account_is_not_looked_for(machine: Machine) -> None:
    machine.private.lock("anna")
    try:
        with machine.daemon("anna"):
            assert machine.ask(LOCKER, "anna", as_user="anna") == (ReplyCode.IGNORE, "")
    finally:
        assert machine.private.run("passwd", "--unlock", "anna").returncode == 0


def test_a_class_that_is_off_is_not_looked_for(machine: Machine) -> None:
    with machine.daemon("anna", config=replace(ALL_ON, elevate=False)):
        assert machine.ask("sudo", "anna") == (ReplyCode.IGNORE, "")


def test_more_rights_need_a_challenge_which_a_still_picture_fails(machine: Machine) -> None:
    with machine.daemon("anna"):
        asking = machine.start_asking("sudo", "anna", timeout_s=20.0)
        output, _ = asking.communicate(timeout=120)
    lines = output.splitlines()
    assert lines[0] == "face the camera"
    assert lines[-1] == "7 no living person was seen; use your password"


def test_eight_at_once_are_answered_one_after_the_other(machine: Machine) -> None:
    with machine.daemon("anna"):
        asking = [machine.start_asking("mien-test", "anna", timeout_s=60.0) for _ in range(8)]
        answers = [answer_of(one) for one in asking]
    assert answers == [(ReplyCode.IGNORE, "your face was recognized")] * 8
    assert machine.private.path(f"{STATE}/proven").is_file()


def worker_of(daemon: subprocess.Popen[str]) -> int:
    """The process id of the worker, which the daemon has once a look was asked for."""
    line = ["pgrep", "--parent", str(daemon.pid)]
    return int(subprocess.run(line, capture_output=True, text=True, check=True).stdout)


def test_a_worker_that_is_stopped_costs_the_look_and_not_the_next(machine: Machine) -> None:
    with machine.daemon("anna") as daemon:
        assert machine.ask(LOCKER, "anna", as_user="anna")[0] is ReplyCode.SUCCESS
        stopped = worker_of(daemon)
        os.kill(stopped, signal.SIGSTOP)
        code, words = machine.ask(LOCKER, "anna", as_user="anna", timeout_s=1.0)
        assert (code, words) == (UNAVAILABLE, "the camera did not answer; use your password")
        assert not Path(f"/proc/{stopped}/fd").exists()
        assert machine.ask(LOCKER, "anna", as_user="anna")[0] is ReplyCode.SUCCESS


def test_a_worker_that_was_killed_is_replaced(machine: Machine) -> None:
    with machine.daemon("anna") as daemon:
        assert machine.ask(LOCKER, "anna", as_user="anna")[0] is ReplyCode.SUCCESS
        os.kill(worker_of(daemon), signal.SIGKILL)
        assert machine.ask(LOCKER, "anna", as_user="anna")[0] is ReplyCode.SUCCESS


def test_an_asker_that_is_killed_ends_the_look_and_is_not_charged(machine: Machine) -> None:
    with machine.daemon("dark"):
        for _ in range(7):  # more than the failures that cost a wait
            asking = machine.start_asking("sudo", "anna", timeout_s=30.0)
            assert asking.stdout is not None
            assert asking.stdout.readline() == "face the camera\n"
            asking.kill()
            asking.communicate(timeout=120)
        # answered at once: nobody waits for the looks of those that are gone
        assert machine.ask(LOCKER, "anna", as_user="anna", timeout_s=5.0)[0] is UNAVAILABLE
    with machine.daemon("anna"):
        assert machine.ask(LOCKER, "anna", as_user="anna")[0] is ReplyCode.SUCCESS


@pytest.mark.parametrize("message", ["", "short", "x" * 408, "x" * 9000])
def test_a_message_that_is_no_request_is_not_answered(machine: Machine, message: str) -> None:
    send = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET);"
        "s.connect('/run/mien/auth.sock'); s.send(sys.argv[1].encode()); print(len(s.recv(999)))"
    )
    with machine.daemon("anna"):
        ran = machine.private.run("/usr/bin/python3", "-c", send, message, user="bob")
        assert ran.stdout == "0\n"
        assert machine.ask(LOCKER, "anna", as_user="anna")[0] is ReplyCode.SUCCESS


def test_a_user_that_keeps_connections_open_does_not_stop_others(machine: Machine) -> None:
    hold = (
        "import socket,time\nfor _ in range(64):\n"
        " s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        " s.connect('/run/mien/auth.sock'); globals()[f's{_}']=s\nprint('open', flush=True)\n"
        "input()"
    )
    with machine.daemon("anna"):
        holder = subprocess.Popen(
            machine.private.command("/usr/bin/python3", "-c", hold, user="bob"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "open\n"
            assert machine.ask(LOCKER, "anna", as_user="anna")[0] is ReplyCode.SUCCESS


def test_the_daemon_holds_no_rights_of_root_and_little_memory(machine: Machine) -> None:
    with machine.daemon("anna") as daemon:
        assert machine.ask(LOCKER, "anna", as_user="anna")[0] is ReplyCode.SUCCESS
        status = Path(f"/proc/{daemon.pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in fields["Uid"].split()
    assert int(fields["CapEff"], 16) == 0
    assert int(fields["VmRSS"].split()[0]) < 20_000  # kB
