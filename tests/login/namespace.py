"""A private mount namespace: throwaway copies of /etc and of what else a test may change.

    with private_namespace(tmp_path) as private:
        private.add_user("anna", password="open sesame")
        private.path("/etc/pam.d/sudo").write_text("auth required pam_deny.so\n")
        ran = private.run("sudo", "-k", "id", user="anna")

The copies are tmpfs mounts that only this namespace sees. A process that waits for the end of its
input holds it. Killed or not, the test's end ends that input, and so the namespace with all in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

TIMEOUT_S = 120.0
CLEAN_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

UNSHARE = ("unshare", "--mount", "--propagation=private", "sh", "-c")

# $0 is a folder to mount on for a moment; the arguments are "=FOLDER" for a copy, else empty ones.
# --no-mtab, because the machine's /run/mount/utab is no business of ours
HOLD = """
set -eu
for place in "$@"; do
    folder=${place#=}
    mount --no-mtab -t tmpfs -o mode=755 mien-test "$0"
    [ "$place" = "$folder" ] || cp -a "$folder/." "$0"
    mount --no-mtab --move "$0" "$folder"
done
echo ready
exec cat >/dev/null
"""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A mount namespace. pid: the process that holds it."""

    pid: int

    def path(self, inside: str | os.PathLike[str]) -> Path:
        """The path, for the test itself, of what the namespace has at this absolute path.

        A symlink in it that is absolute leads out of the namespace, so name the target.
        """
        return Path(f"/proc/{self.pid}/root") / os.fspath(inside).lstrip("/")

    def command(self, *command: str | os.PathLike[str], user: str = "root") -> list[str]:
        """The words that run a command in the namespace as this user of the namespace."""
        enter = ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "--"]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
        return [*enter, *([] if user == "root" else become), *map(os.fspath, command)]

    def run(
        self,
        *command: str | os.PathLike[str],
        user: str = "root",
        typed: str = "",
        env: Mapping[str, str] = CLEAN_ENVIRONMENT,
        timeout_s: float = TIMEOUT_S,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal. typed: its standard input."""
        return subprocess.run(
            self.command(*command, user=user),
            input=typed,
            env=dict(env),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            start_new_session=True,  # so that no program asks at the tester's terminal
            check=False,
        )

    def add_user(self, name: str, *, password: str) -> None:
        """Add a user with a group of the same name and no home."""
        self._must_run("useradd", "--no-create-home", "--no-log-init", "--user-group", name)
        self._must_run("chpasswd", "--crypt-method", "SHA512", typed=f"{name}:{password}\n")

    def lock(self, name: str) -> None:
        """Lock a user's password, as an administrator does."""
        self._must_run("passwd", "--lock", name)

    def _must_run(self, *command: str, typed: str = "") -> None:
        ran = self.run(*command, typed=typed)
        assert ran.returncode == 0, (command, ran.stderr)


@contextmanager
def private_namespace(
    scratch: Path, *, copies: Sequence[str] = ("/etc",), empty: Sequence[str] = ("/run",)
) -> Iterator[Namespace]:
    """A namespace in which some folders are copies, and others empty, until the block ends.

    scratch: a folder that nothing else uses. copies, empty: absolute paths of folders that exist.
    Skips the test where this is not possible.
    """
    need_root_and("unshare", "nsenter", "setpriv", "mount", package="util-linux")
    _need_mounts(scratch)
    places = [*(f"={folder}" for folder in copies), *empty]
    holder = subprocess.Popen(
        [*UNSHARE, HOLD, scratch, *places],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=CLEAN_ENVIRONMENT,
        start_new_session=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stderr is not None
        ready = holder.stdout.readline() == b"ready\n"
        assert ready, holder.stderr.read().decode(errors="replace")
        yield Namespace(holder.pid)


def need_root_and(*programs: str, package: str) -> None:
    """Skip the test where it does not run as root, or a program is missing."""
    if os.geteuid() != 0:
        pytest.skip("needs root; run the tests with sudo")
    missing = [name for name in programs if not shutil.which(name, path=CLEAN_ENVIRONMENT["PATH"])]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}; run: apt-get install {package}")


def _need_mounts(scratch: Path) -> None:
    probe = subprocess.run(
        [*UNSHARE, 'mount --no-mtab -t tmpfs mien-test "$0"', scratch],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if probe.returncode != 0:
        pytest.skip(f"needs to mount ({probe.stderr.strip()}); run the tests outside a container")
