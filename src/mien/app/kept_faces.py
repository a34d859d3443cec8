"""What is kept of a person's unlocks: follow the face, mark an unlock as wrong, and undo both."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mien.app.verify import not_enrolled
from mien.errors import UsageError, quote
from mien.records import dataclass, replace
from mien.vault import Record, check_user_name
from mien.vault.records.kept_faces import (
    kept_of,
    mark_unlock,
    numbered_face,
    without_face,
    without_kept,
)
from mien.vault.records.record import FaceKind, KeptFace
from mien.vault.rotated_space import SpaceOf
from mien.vault.vault import Vault

MOST_ASKED = 50  # each opens a record


@dataclass(frozen=True, slots=True)
class KeptTimes:
    """When the unlocks were whose faces are kept, as `utc_stamp` writes it, the newest first.

    follows: the template may learn. learned: by the template. unlocks: the last ones. marked: as
    somebody else's.
    """

    follows: bool
    learned: tuple[str, ...]
    unlocks: tuple[str, ...]
    marked: tuple[str, ...]


def kept_times(record: Record) -> KeptTimes:
    """Of a record."""

    def times(kind: FaceKind) -> tuple[str, ...]:
        return tuple(one.at for one in reversed(kept_of(record, kind)))

    return KeptTimes(record.follows, times("learned"), times("unlock"), times("not_me"))


def kept_times_of(user: str, vault: Vault) -> KeptTimes:
    """Of a person. Raises NotEnrolled."""
    name = check_user_name(user)
    found = vault.look_up(name)
    if found is None or found.record is None:
        raise not_enrolled(name)
    return kept_times(found.record)


def set_following(user: str, vault: Vault, *, on: bool) -> None:
    """Let the template learn from unlocks, or not any more: then it is the enrolled photos again.

    Raises NotEnrolled.
    """

    def change(record: Record) -> Record:
        return replace(record if on else without_kept(record, "learned"), follows=on)

    _update(user, vault, change, logged="follow_on" if on else "follow_off")


def forget_learned(user: str, vault: Vault, number: int | None = None) -> str:
    """Remove what the template learned: all, or one of them. number: from 1, the newest first.

    Returns what was removed, in words. Raises NotEnrolled, and UsageError where there is none.
    """
    removed: list[KeptFace] = []

    def change(record: Record) -> Record:
        if number is None:
            numbered_face(record, "learned", 1)  # there is one
            removed.extend(kept_of(record, "learned"))
            return without_kept(record, "learned")
        face = numbered_face(record, "learned", number)
        removed.append(face)
        return without_face(record, face)

    _update(user, vault, change, logged="learned_removed")
    return f"{len(removed)} learned face{'s' * (len(removed) != 1)}"


def mark_as_wrong(user: str, vault: Vault, *, number: int = 1, at: str | None = None) -> str:
    """One of the last unlocks was not this person: whoever is more like that face stays locked.

    number: from 1, the newest first. at: instead, the time of the unlock. What the template learned
    is removed, for it may have learned that face. Returns the time. Raises NotEnrolled, and
    UsageError for an unlock whose face is not kept.
    """
    marked: list[str] = []

    def change(record: Record) -> Record:
        face = _chosen(record, "unlock", number, at)
        marked.append(face.at)
        return mark_unlock(without_kept(record, "learned"), face)

    _update(user, vault, change, logged="not_me")
    return marked[-1]


def unmark(user: str, vault: Vault, *, number: int = 1, at: str | None = None) -> str:
    """Undo `mark_as_wrong`. number: from 1, the newest first. at: instead, the time of the unlock.

    Returns the time. Raises NotEnrolled, and UsageError where there is none.
    """
    gone: list[str] = []

    def change(record: Record) -> Record:
        face = _chosen(record, "not_me", number, at)
        gone.append(face.at)
        return without_face(record, face)

    _update(user, vault, change, logged="not_me_undone")
    return gone[-1]


def markable_unlocks(users: Iterable[str], vault: Vault) -> set[tuple[str, str]]:
    """(user, time) of the unlocks that can be marked, of at most `MOST_ASKED` of these people."""
    found: set[tuple[str, str]] = set()
    for user in list(dict.fromkeys(users))[:MOST_ASKED]:
        known = vault.look_up(user)
        if known is not None and known.record is not None:
            found.update((user, at) for at in kept_times(known.record).unlocks)
    return found


def _chosen(record: Record, kind: FaceKind, number: int, at: str | None) -> KeptFace:
    """The face of this time, or of this number if none is given."""
    if at is None:
        return numbered_face(record, kind, number)
    found = [one for one in kept_of(record, kind) if one.at == at]
    if not found:
        what = "that unlock" if kind == "unlock" else "such a mark"
        raise UsageError(
            f"the face of {what} of {quote(record.user)} is not kept; those of the last few"
            " unlocks are"
        )
    return found[-1]


def _update(user: str, vault: Vault, change: Callable[[Record], Record], *, logged: str) -> None:
    name = check_user_name(user)
    if not vault.holds(name):
        raise not_enrolled(name)

    def make(stored: Record | None, space_of: SpaceOf) -> Record:
        if stored is None:
            raise not_enrolled(name)
        return change(stored)

    vault.update(name, make, logged=logged)
