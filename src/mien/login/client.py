"""Ask the login daemon from Python, for `mien login test`."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from mien.errors import UsageError, one_line
from mien.login.protocol import (
    REPLY,
    AuthReply,
    AuthRequest,
    ProtocolError,
    ReplyCode,
    unpack_reply,
)


class DaemonUnavailable(UsageError):
    """The login daemon does not run, or gives no answer."""


def ask(request: AuthRequest, path: Path, *, tell: Callable[[str], None]) -> AuthReply:
    """The answer of the daemon. tell: gets the words on the way to it.

    Raises DaemonUnavailable.
    """
    end_s = time.monotonic() + request.timeout_s + 1.0
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(1.0)
            connection.connect(str(path))
            connection.send(request.pack())
            while True:
                connection.settimeout(max(0.01, end_s - time.monotonic()))
                message = connection.recv(REPLY.size + 1)
                reply = unpack_reply(message, expected_nonce=request.nonce)
                if reply.code is not ReplyCode.TELL:
                    return reply
                tell(reply.words)
    except (OSError, ProtocolError) as error:
        raise DaemonUnavailable(
            f"the login daemon gives no answer ({one_line(error)}); see: mien login status"
        ) from error
