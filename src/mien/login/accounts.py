"""The accounts of this machine: who has a name, and whether the account is locked."""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from pathlib import Path

from mien.files import read_regular

SHADOW = Path("/etc/shadow")
MAX_SHADOW_BYTES = 1 << 24
LOCKED = ("!", "*")  # how the hash of a locked account begins; see passwd(1), --lock


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine, by name and user id."""

    name: str
    uid: int

    def record_name(self, *, is_infrared: bool) -> str:
        """The name of the template in the vault of the system.

        With the user id, so that a new account of an old name has no face. Templates of an infrared
        camera are apart, because its pictures are not like those of a colour camera. No name of an
        account has a colon.
        """
        return f"{self.name}:{self.uid}{':infrared' if is_infrared else ''}"


def find_account(name: str) -> Account | None:
    """The account of that name, or None."""
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):  # ValueError: a zero byte
        return None
    # a directory service may ignore case: only the very name is that account
    return Account(name, entry.pw_uid) if entry.pw_name == name else None


def account_of_uid(uid: int) -> Account | None:
    """The account of that user id, or None. Of several names of one user id, the first."""
    try:
        return Account(pwd.getpwuid(uid).pw_name, uid)
    except KeyError:
        return None


def is_locked(name: str, shadow: Path = SHADOW) -> bool | None:
    """Whether `passwd --lock` or the like locked the account; None if that cannot be read.

    An account of a directory service has no line, and is not locked by this.
    """
    try:
        content = read_regular(shadow, MAX_SHADOW_BYTES)
    except OSError:
        return None
    for line in content.splitlines():
        fields = line.split(b":")
        if fields[0] == name.encode() and len(fields) > 1:
            return fields[1].decode("latin-1").startswith(LOCKED)
    return False
