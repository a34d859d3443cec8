"""Which PAM services get mien's line, and the line of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mien.errors import UsageError, quote
from mien.login.install.layout import Layout
from mien.login.install.pam_file import insert_block, read_pam_lines, remove_block
from mien.login.install.pam_stack import ServiceFile, find_service, place_of_block
from mien.login.policy import ELEVATING, GDM, GREETERS, LOCKERS, ServiceClass, class_of

CONTROL = "[success=done default=ignore]"
"""A yes ends the question; anything else, also an absent module, goes on with the password."""

CHALLENGE_S = 15  # a login needs movements of the head, which take longer than a look

WHY_NOT_LOGIN = "a face at login leaves the keyring locked; add --login if you want it"
WHY_NOT_SUDO = (
    "a program that runs as you could call sudo while you sit before the camera; add --sudo if you"
    " want it"
)


@dataclass(frozen=True, slots=True)
class Wiring:
    """A service that gets a line. after: the content of its file in /etc/pam.d with it."""

    service: str
    file: ServiceFile
    after: bytes


@dataclass(frozen=True, slots=True)
class Unwired:
    """A service of this machine that gets no line, and why."""

    service: str
    reason: str


def entry_of(service: str, module: str) -> str:
    """The PAM line of a service. module: `pam_mien.so`, or `pam_exec.so` with its arguments."""
    options = ""
    if class_of(service, has_open_session=True) is ServiceClass.ELEVATE:
        options = " ask"
    elif class_of(service, has_open_session=False) is ServiceClass.LOGIN:
        options = f" timeout={CHALLENGE_S}"
    return f"auth\t{CONTROL}\t{module}{options}"


def choose_services(
    layout: Layout, *, login: bool, elevate: bool, named: Sequence[str] = ()
) -> tuple[list[str], list[Unwired]]:
    """Services of this machine that get a line, and those that do not, by the policy's classes.

    named: get one too, whatever their class. Raises UsageError for a name that no face may open.
    """
    chosen: list[str] = []
    left: list[Unwired] = []
    for service in named:
        if class_of(service, has_open_session=True) is ServiceClass.NEVER:
            known = ", ".join(sorted(LOCKERS | GDM | GREETERS | ELEVATING))
            raise UsageError(f"no face may open {quote(service)}; choose of: {known}")
        if find_service(service, layout) is None:
            raise UsageError(f"this machine has no PAM service {quote(service)}; see /etc/pam.d")
    for service in _present(layout):
        reason = "" if service in named else _reason_against(service, layout, login, elevate)
        if reason:
            left.append(Unwired(service, reason))
        else:
            chosen.append(service)
    return chosen, left


def wire(service: str, others: Sequence[str], module: str, layout: Layout) -> Wiring | Unwired:
    """The file of a service with mien's block. others: the services that get one as well."""
    file = find_service(service, layout)
    if file is None:
        return Unwired(service, "its file is gone")
    try:
        before = remove_block(file.content)
        original = ServiceFile(service, file.path, before, file.is_vendor)
        place = place_of_block(original, layout)
        line = next(one for one in read_pam_lines(before) if one.start == place)
        if line.includes in others and _kind(line.includes) is _kind(service):
            return Unwired(service, f"it takes the lines of {line.includes}, and so mien's")
        return Wiring(service, file, insert_block(before, place, entry_of(service, module)))
    except UsageError as error:
        return Unwired(service, f"left alone: {error}")


def _present(layout: Layout) -> Iterator[str]:
    """Every known service that this machine has."""
    for service in sorted(LOCKERS | GDM | GREETERS | ELEVATING):
        if find_service(service, layout) is not None:
            yield service


def _reason_against(service: str, layout: Layout, login: bool, elevate: bool) -> str:
    if service == "kde" and find_service("kde-fingerprint", layout) is not None:
        return "KDE asks kde-fingerprint at the same time, which does not delay the password"
    if service == "gdm-fingerprint":
        return "GDM asks it only where there is a fingerprint reader"
    kind = _kind(service)
    if kind is ServiceClass.LOGIN and not login:
        return WHY_NOT_LOGIN
    if kind is ServiceClass.ELEVATE and not elevate:
        return WHY_NOT_SUDO
    return ""


def _kind(service: str) -> ServiceClass:
    """The class of a service; a GDM service counts as unlocking, which is what it may always do."""
    return class_of(service, has_open_session=True)
