"""A machine for the tests of login: accounts, a system bus with logind, and the login daemon.

All of it is in a private mount namespace; python-dbusmock, on the system's own Python, is logind.
The camera is a film of a public-domain photo.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.login.namespace import CLEAN_ENVIRONMENT, Namespace, need_root_and

import mien
from mien.login.config import LoginConfig
from mien.login.protocol import ReplyCode
from mien.results import ByteArray

SYSTEM_PYTHON = "/usr/bin/python3"  # has Debian's python3-dbusmock
SOCKET = "/run/mien/auth.sock"
STATE, FILMS = "/mnt/state", "/mnt/films"
BUS = "/run/dbus/system_bus_socket"
GUARD_S = 120.0
ALL_ON = LoginConfig(unlock=True, login=True, elevate=True)

BUS_CONFIG = f"""<busconfig><type>system</type><keep_umask/><listen>unix:path={BUS}</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow eavesdrop="true"/>
<allow send_destination="*" eavesdrop="true"/></policy></busconfig>
"""
# which session a process is in: "local" and "remote" are told apart by the kernel's audit session,
# which pam_loginuid sets and no process can leave, as it cannot leave the control group of logind
SESSION_OF_PROCESS = """
import dbus
number = open("/proc/%d/sessionid" % args[0]).read()
name = open("/run/session-of-process").read() if number == "4294967295" else "remote"
if not name:
    error = "org.freedesktop.login1.NoSessionForPID"
    raise dbus.exceptions.DBusException("none", name=error)
ret = "/org/freedesktop/login1/session/" + name
"""
NO_USER = """
import dbus
raise dbus.exceptions.DBusException("none", name="org.freedesktop.login1.NoUserForPID")
"""
ASK = f"""
import os, sys
from pathlib import Path
from mien.login.client import ask
from mien.login.protocol import AuthRequest
service, user, timeout = sys.argv[1:4]
request = AuthRequest(service, user, "", float(timeout), os.urandom(16))
reply = ask(request, Path("{SOCKET}"), tell=lambda words: print(words, flush=True))
print(int(reply.code), reply.words)
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """The namespace, with accounts `mien`, anna and bob in it."""

    private: Namespace

    def start(self, *command: str | os.PathLike[str], user: str = "root") -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            self.private.command(*command, user=user),
            env=CLEAN_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start_asking(
        self, service: str, user: str, *, as_user: str = "root", timeout_s: float = 30.0
    ) -> subprocess.Popen[str]:
        return self.start(sys.executable, "-c", ASK, service, user, str(timeout_s), user=as_user)

    def ask(
        self, service: str, user: str, *, as_user: str = "root", timeout_s: float = 30.0
    ) -> tuple[ReplyCode, str]:
        """The last reply of the daemon."""
        asking = self.start_asking(service, user, as_user=as_user, timeout_s=timeout_s)
        return answer_of(asking)

    def be_in_session(self, name: str) -> None:
        """Processes are in this session from now on: "local", "remote", or "" for none."""
        self.private.path("/run/session-of-process").write_text(name)

    @contextmanager
    def daemon(
        self, film: str, *options: str, config: LoginConfig = ALL_ON
    ) -> Iterator[subprocess.Popen[str]]:
        """The daemon, with this film of `FILMS` in place of its camera."""
        place = self.private.path("/etc/mien")
        place.mkdir(exist_ok=True)
        (place / "login.toml").write_text(config.to_toml())
        words = ["--socket", SOCKET, "--state", STATE, "--frames", f"{FILMS}/{film}", *options]
        daemon = self.start(sys.executable, "-m", "mien", "login", "serve", *words)
        try:
            assert daemon.stdout is not None
            line = daemon.stdout.readline()
            assert "listening at" in line, line + daemon.stdout.read()
            yield daemon
        finally:
            daemon.terminate()
            daemon.communicate(timeout=GUARD_S)


def answer_of(asking: subprocess.Popen[str]) -> tuple[ReplyCode, str]:
    output, _ = asking.communicate(timeout=GUARD_S)
    assert asking.returncode == 0, output
    code, _, words = output.splitlines()[-1].partition(" ")
    return ReplyCode(int(code)), words


def need_login_tools() -> None:
    """Skip where a tool is missing."""
    need_root_and("dbus-daemon", package="dbus")
    need_root_and("useradd", "chpasswd", package="passwd")
    found = subprocess.run([SYSTEM_PYTHON, "-c", "import dbusmock"], capture_output=True)
    if found.returncode != 0:
        pytest.skip(
            "needs python-dbusmock for the system's Python: apt-get install python3-dbusmock"
        )


def set_up(private: Namespace) -> Machine:
    """Accounts, and a Python that they may read."""
    machine = Machine(private)
    _let_everybody_read_python(private)
    _run(private, "useradd", "--system", "--no-log-init", "--shell", "/usr/sbin/nologin", "mien")
    if private.run("getent", "group", "shadow").returncode == 0:
        _run(private, "usermod", "-aG", "shadow", "mien")
    for name in ("anna", "bob"):
        private.add_user(name, password=f"secret of {name}")
    private.path("/run/mien").mkdir()
    private.path(FILMS).mkdir()
    return machine


@contextmanager
def system_bus(machine: Machine) -> Iterator[None]:
    """A system bus with a logind that knows anna's session at the screen and a remote one."""
    private = machine.private
    private.path("/run/dbus").mkdir()
    private.path("/run/dbus/test.conf").write_text(BUS_CONFIG)
    machine.be_in_session("local")
    bus = machine.start("dbus-daemon", "--nofork", "--config-file=/run/dbus/test.conf")
    logind = None
    try:
        _wait_for(lambda: private.path(BUS).exists(), bus)
        logind = machine.start(SYSTEM_PYTHON, "-m", "dbusmock", "--system", "--template", "logind")
        call = _mock_caller(private)
        _wait_for(lambda: call("AddSeat", "string:seat0"), logind)
        uid = _run(private, "id", "--user", "anna").strip()
        assert call("AddSession", "string:local", "string:seat0", f"uint32:{uid}", "string:anna",
                    "boolean:true")  # fmt: skip
        assert call("AddSession", "string:remote", "string:seat0", f"uint32:{uid}", "string:anna",
                    "boolean:true")  # fmt: skip
        _run(private, *_SET_REMOTE)
        manager = "string:org.freedesktop.login1.Manager"
        assert call("AddMethod", manager, "string:GetSessionByPID", "string:u", "string:o",
                    f"string:{SESSION_OF_PROCESS}")  # fmt: skip
        assert call("AddMethod", manager, "string:GetUserByPID", "string:u", "string:o",
                    f"string:{NO_USER}")  # fmt: skip
        yield
    finally:
        for process in (logind, bus):
            if process is not None:
                process.kill()
                process.communicate(timeout=GUARD_S)


def write_film(private: Namespace, name: str, frames: Sequence[ByteArray]) -> None:
    """Frames of (480, 640, 3) uint8 RGB at 30 a second, as Y4M."""
    import cv2

    with private.path(f"{FILMS}/{name}").open("wb") as film:
        film.write(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n")
        for frame in frames:
            film.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())


_SET_REMOTE = (
    *("dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.login1"),
    *("/org/freedesktop/login1/session/remote", "org.freedesktop.DBus.Properties.Set"),
    *("string:org.freedesktop.login1.Session", "string:Remote", "variant:boolean:true"),
)


def _mock_caller(private: Namespace) -> Callable[..., bool]:
    destination = ["--dest=org.freedesktop.login1", "/org/freedesktop/login1"]

    def call(method: str, *arguments: str) -> bool:
        line = [
            *("dbus-send", "--system", "--print-reply", *destination),
            f"org.freedesktop.DBus.Mock.{method}",
            *arguments,
        ]
        return private.run(*line).returncode == 0

    return call


def _wait_for(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end_s = time.monotonic() + GUARD_S
    while not is_so():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end_s, "it did not start"
        os.sched_yield()


def _let_everybody_read_python(private: Namespace) -> None:
    """Where Python or mien is in a home that is closed to others, open a copy of the path to it."""
    needed = {Path(sys.base_prefix), Path(sys.prefix), Path(mien.__file__).parents[1]}
    needed |= {Path(one) for one in sys.path if re.search("site-packages$", one)}
    closed = {top for one in needed if (top := _closed_folder_above(one)) is not None}
    for top in closed:
        inside = sorted(str(one) for one in needed if one.is_relative_to(top))
        _run(private, "sh", "-euc", _OPEN, str(top), *inside)


# the folders are bound elsewhere first, and then into an empty folder in the closed one's place
_OPEN = """
hold=$(mktemp -d /run/open.XXXXXX); n=0
for one in "$@"; do n=$((n+1)); mkdir $hold/$n; mount --no-mtab --bind "$one" $hold/$n; done
mount --no-mtab -t tmpfs -o mode=755 mien-test "$0"; n=0
for one in "$@"; do n=$((n+1)); mkdir -p "$one"; mount --no-mtab --bind $hold/$n "$one"; done
"""


def _closed_folder_above(path: Path) -> Path | None:
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def _run(private: Namespace, *command: str) -> str:
    ran = private.run(*command)
    assert ran.returncode == 0, (command, ran.stderr)
    return ran.stdout
