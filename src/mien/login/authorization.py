"""Who may ask for whose face: the rules that are checked before a camera is opened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mien.errors import MienError
from mien.login.accounts import SHADOW, Account, account_of_uid, find_account, is_locked
from mien.login.config import LoginConfig
from mien.login.logind import Session
from mien.login.policy import (
    DISPLAY_MANAGERS,
    FPRINTD,
    GDM,
    GREETERS,
    TEST_SERVICE,
    ServiceClass,
    class_of,
)
from mien.login.protocol import AuthRequest


class NotAsked(MienError):
    """The question is none for a face; the asker goes on as if mien were not there."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The process that asks, as the kernel names it (SO_PEERCRED)."""

    uid: int
    pid: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A question that may be answered. is_test: it opens nothing, whatever the answer."""

    account: Account
    service_class: ServiceClass
    is_test: bool = False


class SessionReader(Protocol):
    """What is asked of logind: `mien.login.logind.Sessions`."""

    def of_process(self, pid: int) -> Session | None: ...
    def display_of_process(self, pid: int) -> Session | None: ...
    def unit_of_process(self, pid: int) -> str: ...
    def all(self) -> list[Session]: ...


OpenSessions = Callable[[], AbstractContextManager[SessionReader]]


def authorize(
    request: AuthRequest,
    asker: Asker,
    config: LoginConfig,
    open_sessions: OpenSessions,
    *,
    shadow: Path = SHADOW,
) -> Grant:
    """The grant for a question. Raises NotAsked with the reason, LogindUnavailable and
    NoSystemBus."""
    account = _account_of(request, asker)
    _refuse_locked(account, asker, shadow)
    if request.service == TEST_SERVICE and asker.uid == 0:
        return Grant(account, ServiceClass.UNLOCK, is_test=True)
    if "ssh" in request.tty:
        raise NotAsked("the terminal is a remote one")
    if class_of(request.service, has_open_session=True) is ServiceClass.NEVER:
        raise NotAsked("no face opens this service")
    with open_sessions() as sessions:
        has_session = any(_is_open_for(account, one) for one in sessions.all())
        service_class = class_of(request.service, has_open_session=has_session)
        if not _is_allowed(service_class, config):
            raise NotAsked(f"the class {service_class.value} is off in the configuration")
        if not _is_at_seat(service_class, request.service, asker, account, sessions):
            raise NotAsked("the asker is not in a session at this machine's own screen")
    return Grant(account, service_class)


def _account_of(request: AuthRequest, asker: Asker) -> Account:
    account = find_account(request.user)
    if account is None:
        raise NotAsked("there is no account of that name")
    if account.uid == 0:
        raise NotAsked("no face opens root")
    if asker.uid != 0 and account_of_uid(asker.uid) != account:
        raise NotAsked("only root may ask for another user")
    return account


def _refuse_locked(account: Account, asker: Asker, shadow: Path) -> None:
    locked = is_locked(account.name, shadow)
    if locked:
        raise NotAsked("the account is locked")
    if locked is None and asker.uid != 0:  # a module that runs as root has read it itself
        raise NotAsked("whether the account is locked cannot be read")


def _is_allowed(service_class: ServiceClass, config: LoginConfig) -> bool:
    allowed = {
        ServiceClass.UNLOCK: config.unlock,
        ServiceClass.LOGIN: config.login,
        ServiceClass.ELEVATE: config.elevate,
    }
    return allowed.get(service_class, False)


def _is_open_for(account: Account, session: Session) -> bool:
    return session.uid == account.uid and session.kind == "user" and session.is_local


def _is_at_seat(
    service_class: ServiceClass,
    service: str,
    asker: Asker,
    account: Account,
    sessions: SessionReader,
) -> bool:
    """Whether the asker is at the machine itself; a process without a session is not.

    Two have none by design. A screen locker that the user's systemd started counts as in the
    graphical session, because a yes gives a process of that user nothing that it has not. A display
    manager is root's, and counts if a greeter or the user's session is on the screen.
    """
    session = sessions.of_process(asker.pid)
    if session is not None:
        if service == FPRINTD and asker.uid == 0 and session.kind != "greeter":
            return False  # such as sudo: a look for fprintd is too weak for it
        is_own = session.uid == account.uid or session.kind == "greeter"
        return session.is_at_seat and (is_own or service_class is ServiceClass.ELEVATE)
    display = sessions.display_of_process(asker.pid)
    if asker.uid == account.uid and service_class is ServiceClass.UNLOCK:
        return display is not None and display.is_at_seat and display.uid == account.uid
    if service == FPRINTD and sessions.unit_of_process(asker.pid) not in DISPLAY_MANAGERS:
        return False  # such as sudo in a job of cron: it may name any user, and needs a strong look
    if asker.uid == 0 and display is None and service in GDM | GREETERS | {FPRINTD}:
        return any(
            one.is_at_seat and (one.kind == "greeter" or one.uid == account.uid)
            for one in sessions.all()
        )
    return False
