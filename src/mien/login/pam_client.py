"""Ask the login daemon through pam_exec, where the PAM module cannot be compiled.

    auth [success=done default=ignore] pam_exec.so quiet seteuid stdout \\
        /usr/bin/python3 -I -S /opt/mien/.../login/pam_client.py [timeout=SECONDS] [socket=PATH]

The checks are those of `pam/pam_mien.c`; docs/login-module.md says what this one cannot do. It
exits with 0 for a yes, and with another code for all else. The standard library alone, because
`-I -S` sees no other package, so the numbers of `protocol.py` stand here again.
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

SOCKET_PATH = "/run/mien/auth.sock"
REQUEST = struct.Struct("<II16s64s256s64s")
REPLY = struct.Struct("<Ii16s160s")
REQUEST_MAGIC = 0x314E454D
REPLY_MAGIC = 0x3152454D
TELL, SUCCESS, AUTH_ERR, AUTHINFO_UNAVAIL, IGNORE = -1, 0, 7, 9, 25

TIMEOUT_S = 5
MAX_TIMEOUT_S = 60
SHADOW = Path("/etc/shadow")


class Options(NamedTuple):
    """The arguments of the line."""

    path: str
    timeout_s: int


class NoAnswer(Exception):
    """The daemon was not asked, or did not answer."""


def main(arguments: Sequence[str]) -> NoReturn:
    """Exit with 0 if the daemon says yes, else with the code of PAM."""
    try:
        options = _read_options(arguments)
        _end_by_force(options.timeout_s + 2)
        code = _ask(options) if _may_be_asked() else IGNORE
    except (NoAnswer, OSError, ValueError) as error:
        print(f"no look: {error}", file=sys.stderr)
        code = AUTHINFO_UNAVAIL
    sys.exit(code)


def _read_options(arguments: Sequence[str]) -> Options:
    options = Options(SOCKET_PATH, TIMEOUT_S)
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name == "socket":
            options = options._replace(path=value)
        elif name == "timeout" and value.isdecimal() and 1 <= int(value[:9]) <= MAX_TIMEOUT_S:
            options = options._replace(timeout_s=int(value))
        else:
            raise NoAnswer(f"the argument {argument} is wrong or unknown")
    return options


def _end_by_force(after_s: int) -> None:
    """Whatever hangs, such as a look-up of the user, ends by a signal, which is no yes."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    signal.alarm(after_s)


def _may_be_asked() -> bool:
    """A local question about a known user who is not root and whose password is not locked."""
    if _item("PAM_RHOST") or _item("PAM_TTY").startswith(b"ssh"):
        return False
    try:
        account = pwd.getpwnam(os.fsdecode(_item("PAM_USER")))
    except (KeyError, ValueError):
        return False
    return account.pw_uid != 0 and not _is_locked(_item("PAM_USER"))


def _item(name: str) -> bytes:
    return os.environb.get(os.fsencode(name), b"")


def _is_locked(user: bytes) -> bool:
    try:
        lines = SHADOW.read_bytes().splitlines()
    except PermissionError:  # not root: the daemon looks again
        return False
    fields = [line.split(b":") for line in lines]
    return any(one[0] == user and one[1][:1] in (b"!", b"*") for one in fields if len(one) > 1)


def _ask(options: Options) -> int:
    """The code of the last reply; its words, and those before it, are printed."""
    end_s = time.monotonic() + options.timeout_s
    nonce = os.urandom(16)
    request = _pack(options.timeout_s, nonce)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(1.0)
        _connect_to_root(connection, options.path)
        connection.send(request)
        while True:
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                raise NoAnswer("the login daemon did not answer in time")
            connection.settimeout(left_s)
            code, words = _read_reply(connection.recv(REPLY.size + 1), nonce)
            if words and code != IGNORE:
                print(words, flush=True)
            if code != TELL:
                return code


def _pack(timeout_s: int, nonce: bytes) -> bytes:
    texts = [_item("PAM_SERVICE"), _item("PAM_USER"), _item("PAM_TTY")]
    for text, size in zip(texts, (64, 256, 64), strict=True):
        if len(text) >= size:
            raise NoAnswer("a name is too long to be sent")
    return REQUEST.pack(REQUEST_MAGIC, timeout_s * 1000, nonce, *texts)


def _connect_to_root(connection: socket.socket, path: str) -> None:
    """Connect to a socket that only root can have made. Raises NoAnswer and OSError."""
    if not path.startswith("/"):
        raise NoAnswer("the path of the socket is not absolute")
    for folder in Path(path).parents:
        status = os.lstat(folder)
        others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        sticky = status.st_mode & stat.S_ISVTX
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or (others_write and not sticky):
            raise NoAnswer(f"others than root could have made {path}")
    status = os.lstat(path)
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != 0:
        raise NoAnswer(f"{path} is not a socket of root")
    connection.connect(path)
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    if struct.unpack("3i", peer)[1] != 0:
        raise NoAnswer(f"root does not listen at {path}")


def _read_reply(message: bytes, nonce: bytes) -> tuple[int, str]:
    """The code and the words. Raises NoAnswer for bytes that are no reply to this request."""
    if len(message) != REPLY.size:
        raise NoAnswer("the login daemon ended, or sent something else than a reply")
    magic, code, its_nonce, raw = REPLY.unpack(message)
    words, zero, rest = raw.partition(b"\0")
    if magic != REPLY_MAGIC or its_nonce != nonce or not zero or rest.strip(b"\0"):
        raise NoAnswer("the login daemon sent something else than a reply to this request")
    if code not in (TELL, SUCCESS, AUTH_ERR, AUTHINFO_UNAVAIL, IGNORE):
        raise NoAnswer(f"{code} is not the code of a reply")
    text = words.decode()  # UnicodeDecodeError is a ValueError
    return code, "".join(letter if letter.isprintable() else "?" for letter in text)


if __name__ == "__main__":
    main(sys.argv[1:])
