"""The counterpart of the PAM module: a socket that answers each request as a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.login.protocol import REQUEST, AuthReply, AuthRequest, ReplyCode, unpack_request

Answer = Callable[[AuthRequest], Iterable[bytes]]

WAIT_S = 60.0


class FakeDaemon:
    """What was asked. requests: in their order. strays: what came after a request."""

    def __init__(self, answer: Answer, *, ends_midway: bool) -> None:
        self.requests: list[AuthRequest] = []
        self.strays: list[bytes] = []
        self._answer = answer
        self._ends_midway = ends_midway
        self._asked = threading.Event()
        self._gone = threading.Event()

    def wait_asked(self) -> None:
        """Wait until the module has sent a request and got the messages of the answer."""
        assert self._asked.wait(WAIT_S), "the module has not asked"

    def wait_gone(self) -> None:
        """Wait until the module has closed its end."""
        assert self._gone.wait(WAIT_S), "the module holds the connection"

    def serve(self, listener: socket.socket) -> None:
        """Answer one connection after the other, until the listener is shut down."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # shut down: the test is over
                return
            with connection:
                self._serve_one(connection)

    def _serve_one(self, connection: socket.socket) -> None:
        message = connection.recv(REQUEST.size + 1)
        if not message:
            return
        request = unpack_request(message)
        self.requests.append(request)
        try:
            for reply in self._answer(request):
                connection.send(reply)
            self._asked.set()
            while not self._ends_midway and (stray := connection.recv(1000)):
                self.strays.append(stray)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the module had gone before it was answered
        self._gone.set()


@contextmanager
def fake_daemon(path: Path, answer: Answer, *, ends_midway: bool = False) -> Iterator[FakeDaemon]:
    """A daemon that listens at `path` until the block ends.

    ends_midway: close the connection after the messages, as a daemon that dies does.
    """
    daemon = FakeDaemon(answer, ends_midway=ends_midway)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(8)
        thread = threading.Thread(target=daemon.serve, args=(listener,))
        thread.start()
        try:
            yield daemon
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(WAIT_S)
            path.unlink(missing_ok=True)
    assert not thread.is_alive()


def replies(*answers: AuthReply) -> Answer:
    """Answer every request with these replies."""
    return lambda request: [reply.pack(request.nonce) for reply in answers]


def never(request: AuthRequest) -> Iterable[bytes]:
    """Give no answer, and keep the connection."""
    return ()


def tell(words: str) -> AuthReply:
    """An instruction, which another reply follows."""
    return AuthReply(ReplyCode.TELL, words)


def raw(change: Callable[[bytes], bytes]) -> Answer:
    """Answer with what becomes of the bytes of a yes."""
    return lambda request: [change(YES.pack(request.nonce))]


YES = AuthReply(ReplyCode.SUCCESS)
NO = AuthReply(ReplyCode.AUTH_ERR, "not recognized")
