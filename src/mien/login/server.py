"""The login daemon: answers askers on a socket, one thread each, and lets the worker look.

It holds neither models nor a camera, decides nothing about faces, and waits without using the CPU.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable

from mien.errors import MienError, Outcome, WorkerDied
from mien.login.accounts import Account
from mien.login.authorization import Asker, Grant, OpenSessions, authorize
from mien.login.config import LoginConfig
from mien.login.look_job import LookJob
from mien.login.outcomes import (
    IN_USE,
    INTERNAL_ERROR,
    NOT_ASKED,
    RECOGNIZED,
    TOO_SLOW,
    reply_for,
)
from mien.login.protocol import (
    REQUEST,
    AuthReply,
    AuthRequest,
    ProtocolError,
    ReplyCode,
    unpack_request,
)
from mien.login.worker_process import AskerGone, LookTimedOut, Tell, WorkerProcess

MAX_ASKERS = 16
MAX_ASKERS_OF_USER = 2  # so that one user cannot keep all others from asking
MAX_ASKERS_OF_USERS = 8  # one user may have 65,536 user ids, by subuid(5)
REQUEST_S = 1.0  # an asker sends its request at once
WAIT_STEP_S = 0.05
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


class LoginServer:
    """Answers questions. Thread-safe; one look at a time.

    worker: looks. config: what may be asked. on_recognized: called when a look that `mien login
    test` asked for recognized the person.
    """

    def __init__(
        self,
        worker: WorkerProcess,
        config: LoginConfig,
        open_sessions: OpenSessions,
        *,
        on_recognized: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        self._worker = worker
        self._config = config
        self._open_sessions = open_sessions
        self._on_recognized = on_recognized
        self._log = log
        self._camera = threading.Lock()

    def answer(self, request: AuthRequest, asker: Asker, *, tell: Tell, gone: int) -> AuthReply:
        """The answer to a question. gone: readable when nobody waits for it; raises AskerGone."""
        end_s = time.monotonic() + request.timeout_s
        grant = self._grant(request, asker)
        if grant is None:
            return NOT_ASKED
        if not self._take_camera(gone, end_s):
            return IN_USE
        try:
            return self._look(grant, tell, gone, end_s)
        except LookTimedOut as error:
            self._log(str(error))
            return TOO_SLOW
        except WorkerDied as error:
            self._log(str(error))
            return INTERNAL_ERROR
        finally:
            self._camera.release()

    def may_ask(self, request: AuthRequest, asker: Asker) -> bool:
        """Whether this question would be answered by a look."""
        return self._grant(request, asker) is not None

    def is_enrolled(self, account: Account) -> bool:
        """Whether the vault has a template of the account. False while the camera is in use."""
        if not self._camera.acquire(timeout=REQUEST_S):
            return False
        try:
            name = account.record_name(is_infrared=self._config.infrared)
            return self._worker.holds(name)
        except WorkerDied as error:
            self._log(str(error))
            return False
        finally:
            self._camera.release()

    def _grant(self, request: AuthRequest, asker: Asker) -> Grant | None:
        try:
            return authorize(request, asker, self._config, self._open_sessions)
        except MienError as error:  # no logind, or a question that is none for a face
            self._log(f"not asked for {request.service!r}: {error}")
            return None

    def _look(self, grant: Grant, tell: Tell, gone: int, end_s: float) -> AuthReply:
        is_infrared = self._config.infrared
        job = LookJob(
            record_name=grant.account.record_name(is_infrared=is_infrared),
            is_strong=grant.service_class.needs_strong_check,
            is_infrared=is_infrared,
        )
        outcome, words = self._worker.look(job, tell=tell, gone=gone, end_s=end_s)
        if grant.is_test and outcome is Outcome.UNLOCKED:
            self._on_recognized()
            return RECOGNIZED
        return reply_for(outcome, words)

    def _take_camera(self, gone: int, end_s: float) -> bool:
        """Wait for the one camera, as long as the asker does."""
        while not self._camera.acquire(timeout=WAIT_STEP_S):
            if _has_input(gone):
                raise AskerGone
            if time.monotonic() >= end_s:
                return False
        return True


class AskerThreads:
    """Takes connections from a listening socket, and answers each on a thread of its own."""

    def __init__(self, server: LoginServer, log: Callable[[str], None]) -> None:
        self._server = server
        self._log = log
        self._lock = threading.Lock()
        self._askers: Counter[int] = Counter()  # by user id

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the process is told to end."""
        while True:
            connection, _ = listener.accept()
            asker = _asker_of(connection)
            if not self._admit(asker):
                connection.close()  # the asker goes on with the password
                continue
            threading.Thread(target=self._run, args=(connection, asker), daemon=True).start()

    def _admit(self, asker: Asker) -> bool:
        with self._lock:
            total = self._askers.total()
            is_full = total >= MAX_ASKERS
            if asker.uid != 0:
                is_full |= total - self._askers[0] >= MAX_ASKERS_OF_USERS
                is_full |= self._askers[asker.uid] >= MAX_ASKERS_OF_USER
            if is_full:
                return False
            self._askers[asker.uid] += 1
            return True

    def _run(self, connection: socket.socket, asker: Asker) -> None:
        try:
            with connection:
                self._answer(connection, asker)
        except (AskerGone, OSError):
            pass  # nobody is there to be told
        except ProtocolError as error:
            self._log(f"refused a message of user id {asker.uid}: {error}")
        finally:
            with self._lock:
                self._askers[asker.uid] -= 1

    def _answer(self, connection: socket.socket, asker: Asker) -> None:
        connection.settimeout(REQUEST_S)
        request = unpack_request(connection.recv(REQUEST.size + 1))

        def tell(words: str) -> None:
            connection.send(AuthReply(ReplyCode.TELL, words).pack(request.nonce))

        reply = self._server.answer(request, asker, tell=tell, gone=connection.fileno())
        connection.send(reply.pack(request.nonce))


def _asker_of(connection: socket.socket) -> Asker:
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(packed)
    return Asker(uid=uid, pid=pid)


def _has_input(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0.0)[0])
