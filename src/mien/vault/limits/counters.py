"""The count of failed tries: for each name, and for all names together."""

from __future__ import annotations

from dataclasses import dataclass

from mien.errors import TooManyAttempts, VaultDamaged
from mien.vault.backends.base import Section
from mien.vault.limits.attempts import (
    FREE_FAILURES,
    GLOBAL_FREE_FAILURES,
    Attempts,
    Moment,
    wait_in_words,
)
from mien.vault.transaction import Opened

PURPOSE = "attempt"
EVERYBODY = ""  # no user has the empty name
FORGET_EVERYBODY_AFTER_S = 86_400.0  # a quiet day clears the common count; nothing else does


@dataclass(frozen=True, slots=True)
class Charge:
    """What a try was charged: the failures that it brought the name and everybody to.

    refused: what is to be raised instead, once the vault has been written.
    """

    own: int
    everybody: int
    refused: TooManyAttempts | None = None


def charge(name: str, opened: Opened, now: Moment) -> Charge:
    """Count one more failure of this name and of all, ahead of the comparison.

    If either has to wait, nothing is counted, and `refused` says so.
    """
    own, everybody = _read(name, opened, now), _read(EVERYBODY, opened, now)
    wait_s = max(own.wait_s, everybody.wait_s)
    if wait_s <= 0:
        own = own.charged(now, free_failures=FREE_FAILURES)
        everybody = everybody.charged(now, free_failures=GLOBAL_FREE_FAILURES)
    _write(name, own, opened)
    _write(EVERYBODY, everybody, opened)
    words = f"too many failed attempts; {wait_in_words(wait_s)}"
    refused = None
    if wait_s > 0:
        refused = TooManyAttempts(words)
        refused.wait_s = wait_s
    return Charge(own.failures, everybody.failures, refused)


def settle(
    name: str, opened: Opened, now: Moment, charged: Charge, *, unlocked: bool, attempted: bool
) -> None:
    """After the comparison.

    unlocked clears this name's failures, and takes back the one that it cost all names;
    a try that was none (`attempted` false) takes back the one that was charged.
    """
    if attempted and not unlocked:
        return
    own, everybody = _read(name, opened, now), _read(EVERYBODY, opened, now)
    if unlocked:
        own = own.cleared(now)
    else:
        own = own.given_back(now, charged=charged.own, free_failures=FREE_FAILURES)
    everybody = everybody.given_back(
        now, charged=charged.everybody, free_failures=GLOBAL_FREE_FAILURES
    )
    _write(name, own, opened)
    _write(EVERYBODY, everybody, opened)


def name_of_attempts(plain: bytes) -> str:
    """Whose attempts a cell counts, for a rotation. VaultDamaged if it is no such cell."""
    return _parsed(plain)[0]


def _read(name: str, opened: Opened, now: Moment) -> Attempts:
    tag = opened.seals.tag(PURPOSE, name)
    cell = opened.index.get(Section.ATTEMPT, tag)
    if cell is None:
        return Attempts.fresh(now)
    bound_to = [tag, cell.version.to_bytes(8, "big")]
    plain = opened.seals.open(cell.value, purpose=PURPOSE, bound_to=bound_to)
    whose, attempts = _parsed(plain)
    if whose != name:
        raise VaultDamaged("the count of attempts is another name's; restore the vault")
    forget_after_s = FORGET_EVERYBODY_AFTER_S if name == EVERYBODY else None
    return attempts.seen(now, forget_after_s=forget_after_s)


def _write(name: str, attempts: Attempts, opened: Opened) -> None:
    write_plain(name.encode() + b"\n" + attempts.to_bytes(), name, opened)


def write_plain(plain: bytes, name: str, opened: Opened) -> None:
    """Seal a cell of attempts at its place."""
    tag = opened.seals.tag(PURPOSE, name)
    bound_to = [tag, opened.index.next_version.to_bytes(8, "big")]
    sealed = opened.seals.seal(plain, purpose=PURPOSE, bound_to=bound_to)
    opened.index.put(Section.ATTEMPT, tag, sealed)


def _parsed(plain: bytes) -> tuple[str, Attempts]:
    name, _, packed = plain.partition(b"\n")
    try:
        return name.decode(), Attempts.from_bytes(packed)
    except UnicodeDecodeError as error:
        raise VaultDamaged("a count of attempts is not as mien writes it; restore it") from error
