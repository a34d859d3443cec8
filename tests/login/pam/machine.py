"""What the tests of the PAM module do on their private machine: services, logins, a daemon."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.login.namespace import Namespace
from tests.login.pam.fake_daemon import Answer, FakeDaemon, fake_daemon

MODULE = "/run/pam_mien.so"
SOCKET = "/run/mien/auth.sock"
PASSWORD = "open sesame"
USERS = ("anna", "bert", "locked", "starred")

# the lines of a real service: a face, or else the password
FACE_OR_PASSWORD = """\
auth [success=done default=ignore] {line}
auth [success=1 default=ignore] pam_unix.so nullok
auth requisite pam_deny.so
auth required pam_permit.so
account required pam_unix.so
session required pam_permit.so
"""

# says which code the line gave
OUTCOME_OF_A_LINE = """\
auth [success=1 auth_err=2 authinfo_unavail=3 ignore=4 default=5] {line}
auth requisite pam_deny.so
auth [default=die] pam_echo.so code: SUCCESS
auth [default=die] pam_echo.so code: AUTH_ERR
auth [default=die] pam_echo.so code: AUTHINFO_UNAVAIL
auth [default=die] pam_echo.so code: IGNORE
auth [default=die] pam_echo.so code: another
"""


@dataclass(frozen=True, slots=True)
class Login:
    """What a run of pamtester printed. accepted: whether PAM let the user in."""

    accepted: bool
    printed: str

    @property
    def code(self) -> str:
        """The code of the line, in a service of `OUTCOME_OF_A_LINE`."""
        (word,) = (
            line.split()[-1] for line in self.printed.splitlines() if line.startswith("code: ")
        )
        return word


@dataclass(frozen=True, slots=True)
class Machine:
    """A private machine with the users of `USERS`, all with the same password."""

    private: Namespace

    def restore(self) -> None:
        """The state at the start of each test: root's folder for the socket, and no socket."""
        self.shell("rm -rf /run/mien /run/real /run/sudo")
        self.shell("chmod 755 /run; mkdir -m 755 /run/mien")

    def shell(self, script: str) -> None:
        """Run commands as root."""
        done = self.private.run("sh", "-ec", script)
        assert done.returncode == 0, done.stderr

    def uid(self, user: str) -> str:
        """What `id -u` prints for a user."""
        return self.private.run("id", "-u", user).stdout

    def daemon(
        self, answer: Answer, *, ends_midway: bool = False
    ) -> AbstractContextManager[FakeDaemon]:
        """A daemon at the socket that the module asks by default."""
        return fake_daemon(self.private.path(SOCKET), answer, ends_midway=ends_midway)

    def left_socket(self) -> None:
        """The socket of a daemon that ended without removing it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
            left.bind(str(self.private.path(SOCKET)))

    def service(self, lines: str, *, name: str = "mien-test", line: str = MODULE) -> None:
        """Write a service. lines: with the place of a `line`, which is a module and arguments."""
        self.private.path(f"/etc/pam.d/{name}").write_text(lines.format(line=line))

    def pamtester(
        self,
        user: str = "anna",
        *items: str,
        operations: tuple[str, ...] = ("authenticate",),
        typed: str = "",
        run_as: str = "root",
    ) -> Login:
        """Log in to the service mien-test. items: such as "tty=ssh". typed: at the prompts."""
        options = [word for item in items for word in ("-I", item)]
        ran = self.private.run(
            "pamtester", *options, "mien-test", user, *operations, typed=typed, user=run_as
        )
        return Login(ran.returncode == 0, ran.stdout + ran.stderr)

    def code(self, user: str = "anna", *items: str, arguments: str = "", typed: str = "") -> str:
        """The code of the module for a user, such as "AUTH_ERR"."""
        self.service(OUTCOME_OF_A_LINE, line=f"{MODULE} {arguments}".rstrip())
        return self.pamtester(user, *items, typed=typed).code
