"""Where mien's line goes in the file of a PAM service, and when it must not go there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError
from mien.files import read_regular
from mien.login.install.layout import Layout
from mien.login.install.pam_file import PamLine, read_pam_lines

MAX_PAM_BYTES = 1 << 20
MAX_DEPTH = 16  # of files that include others; Linux-PAM allows 32

_BEFORE = """
    pam_rootok pam_nologin pam_faildelay pam_securetty pam_shells pam_env pam_issue pam_group
    pam_selinux_permit pam_succeed_if pam_wheel pam_access pam_time pam_listfile pam_echo
    pam_warn pam_debug pam_limits pam_keyinit
"""
BEFORE_PASSWORD = frozenset(_BEFORE.split())
"""Modules that prepare or restrict. A face comes after those that stand before the password."""

_AROUND = """
    pam_unix pam_deny pam_permit pam_cap pam_faillock pam_tally2 pam_usertype pam_localuser
    pam_sss pam_krb5 pam_ldap pam_winbind pam_systemd_home pam_systemd pam_fprintd pam_mien
    pam_gnome_keyring pam_kwallet pam_kwallet5 pam_ecryptfs pam_mount pam_umask pam_lastlog
    pam_ck_connector
"""
AROUND_PASSWORD = frozenset(_AROUND.split())
"""Modules that belong to the password and its consequences, which a face stands in for."""

_ASKING = """
    pam_unix pam_sss pam_krb5 pam_ldap pam_winbind pam_systemd_home pam_fprintd
"""
ASKING = frozenset(_ASKING.split())
"""Of these, the modules by which somebody gets in."""

_RULES = {"pam_succeed_if", "pam_wheel", "pam_access", "pam_time", "pam_listfile"}
HARMLESS = BEFORE_PASSWORD - _RULES
"""May stand after the password: they restrict nothing for somebody at the machine's own screen."""


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """The file of a service. is_vendor: it lies outside /etc/pam.d, so that it must be copied."""

    service: str
    path: Path
    content: bytes
    is_vendor: bool


def find_service(service: str, layout: Layout) -> ServiceFile | None:
    """The file that PAM reads for a service; None if there is none. Raises UsageError."""
    for folder in (layout.pam_folder, *layout.vendor_folders):
        path = folder / service
        if not path.exists():
            continue
        try:
            content = read_regular(path, MAX_PAM_BYTES + 1)
        except OSError as error:
            raise UsageError(f"cannot read {layout.shown(path)} ({error}); check it") from error
        if len(content) > MAX_PAM_BYTES:
            raise UsageError(f"{layout.shown(path)} is too large for a PAM file; check it")
        return ServiceFile(service, path, content, folder != layout.pam_folder)
    return None


def place_of_block(file: ServiceFile, layout: Layout) -> int:
    """The number of the line before which mien's block goes: that of the password's entry.

    Raises UsageError with the reason where there is no safe place: a face would skip another
    factor or a rule about who may use the service.
    """
    lines = [line for line in read_pam_lines(file.content) if _asks(line, layout)]
    number = next(
        (n for n, line in enumerate(lines) if line.includes or line.name not in BEFORE_PASSWORD),
        None,
    )
    if number is None:
        raise UsageError("it has no auth line that asks for a password")
    early = next((line for line in lines[:number] if line.jumps), None)
    if early is not None:
        raise UsageError(f"its line with {early.name} jumps over others")
    following = list(_expanded(lines[number:], layout, depth=0))
    if not _lets_somebody_in(following):
        raise UsageError("it refuses everybody, or has no password that is known to mien")
    for line in following:
        if _is_skipped_rule(line):
            raise UsageError(f"it also asks {line.name}, which a face would skip")
    return lines[number].start


def _asks(line: PamLine, layout: Layout) -> bool:
    """Not for common-account and the like: Debian's directive includes lines of every kind."""
    return line.control != "@include" or any(_expanded([line], layout, depth=0))


def _lets_somebody_in(lines: list[PamLine]) -> bool:
    """Whether a password or finger is asked for before the line that refuses all who are left.

    An administrator closes a service with pam_deny in its first line: a face must not open it.
    """
    first = next((line.name for line in lines if line.name in ASKING | {"pam_deny"}), "")
    return first in ASKING


def _is_skipped_rule(line: PamLine) -> bool:
    if not (line.is_binding or line.jumps) or line.name in AROUND_PASSWORD | HARMLESS:
        return False
    # of Fedora's old system-auth: it keeps directory services from being asked for system accounts
    return not (line.name == "pam_succeed_if" and line.arguments.startswith("uid >= "))


def _expanded(lines: list[PamLine], layout: Layout, *, depth: int) -> Iterator[PamLine]:
    """The entries, with those of the services that they include. Raises UsageError."""
    if depth > MAX_DEPTH:
        raise UsageError("its files include one another")
    for line in lines:
        if not line.includes:
            yield line
            continue
        included = find_service(line.includes.rsplit("/", 1)[-1], layout)
        if included is None:
            raise UsageError(f"it includes {line.includes}, which is not there")
        yield from _expanded(read_pam_lines(included.content), layout, depth=depth + 1)
