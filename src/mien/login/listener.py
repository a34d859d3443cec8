"""The listening socket of the login daemon: given by systemd, or made here as root."""

from __future__ import annotations

import os
import pwd
import socket
import stat
from collections.abc import MutableMapping
from pathlib import Path

from mien.errors import UsageError, quote_path

USER = "mien"
FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)
BACKLOG = 16


def open_listener(path: Path, environ: MutableMapping[str, str]) -> socket.socket:
    """The socket that systemd gave, else a new one at `path`, of root and open to everybody.

    Root makes it, so that clients see user id 0 as their peer; call `drop_rights` after it. Raises
    UsageError.
    """
    given = _take_from_systemd(environ)
    if given is not None:
        return given
    if os.geteuid() != 0:
        raise UsageError("the login daemon is started by root or by systemd; run it with sudo")
    _check_place(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        path.unlink(missing_ok=True)
        made.bind(str(path))
        path.chmod(0o666)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise UsageError(
            f"cannot listen at {quote_path(path)} ({error.strerror}); give another --socket"
        ) from error
    return made


def drop_rights(user: str = USER) -> None:
    """Become the system user for good, if this process is root. Raises UsageError."""
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise UsageError(
            f"there is no system user {user}; run: sudo mien login install --apply"
        ) from error
    os.setgroups(_groups_of(entry))
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def prepare_state(state: Path, user: str = USER) -> None:
    """Make the folder of the daemon, for its user alone, if this process is root."""
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(user)
        state.mkdir(mode=0o700, exist_ok=True)
        os.chmod(state, 0o700)
        if state.stat().st_uid != entry.pw_uid:
            os.chown(state, entry.pw_uid, entry.pw_gid)
    except KeyError as error:
        raise UsageError(
            f"there is no system user {user}; run: sudo mien login install --apply"
        ) from error
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {quote_path(state)} ({error.strerror}); give another --state"
        ) from error


def _take_from_systemd(environ: MutableMapping[str, str]) -> socket.socket | None:
    if environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return None
    if environ.pop("LISTEN_FDS", "") != "1":
        raise UsageError("systemd must give the login daemon one socket; check mien-login.socket")
    given = socket.socket(fileno=FIRST_DESCRIPTOR)
    os.set_inheritable(FIRST_DESCRIPTOR, False)
    if given.family != socket.AF_UNIX or given.type != socket.SOCK_SEQPACKET:
        raise UsageError("the socket of systemd must be ListenSequentialPacket=; check its unit")
    return given


def _check_place(path: Path) -> None:
    """Make the folder, and refuse to replace what is not an old socket."""
    try:
        path.parent.mkdir(mode=0o755, exist_ok=True)
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError(f"{quote_path(path)} is not a socket; give another --socket")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError(
            f"cannot use the folder of {quote_path(path)} ({error.strerror}); give another --socket"
        ) from error


def _groups_of(entry: pwd.struct_passwd) -> list[int]:
    return os.getgrouplist(entry.pw_name, entry.pw_gid)
