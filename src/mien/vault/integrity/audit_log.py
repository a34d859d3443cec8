"""The audit log: what happened to the vault, each entry chained to the one before.

An entry has no picture, no embedding and no similarity. Its link is the SHA-256 of the
previous link and of the entry. The vault's manifest keeps the last link and the count, so
that no entry can be edited, removed, added or cut off unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from mien.errors import VaultDamaged
from mien.records import dataclass, field, replace

KINDS = (
    *("unlock", "identify", "enroll", "forget", "rename", "new_name"),
    *("rotate", "import", "export", "vault", "accept_log", "accept_copy"),
)
FIRST_LINK = hashlib.sha256(b"mien log 1").digest()
MAX_ENTRY_BYTES = 4096
NONCE_BYTES = 8
FAILED = ("not_the_owner", "not_enrolled", "not_live")
NOT_LIVE_BY = "not_live_"  # and what refused: the passive check, a rule on motion, a challenge
NO_ATTEMPT = ("no_face", "several_faces")
ATTEMPTS = ("unlock", "identify")
STARTED = "started"  # written when an attempt is charged; one with its outcome follows
UNFINISHED = "unfinished"  # of an attempt that started and has no outcome: it was killed, or runs


@dataclass(frozen=True, slots=True)
class Entry:
    """One event.

    at: as `utc_stamp` writes it. kind: one of `KINDS`; a "rename" with the old name is followed
    by a "new_name". user: "" for nobody. outcome: an exit code's name in lower case, or
    "done"; of an "enroll" also "added", "replaced", "photo_removed", "follow_on", "follow_off",
    "learned", "learned_removed", "not_me" or "not_me_undone"; of a "vault" also "readable" or
    "not_readable"; of an attempt also `STARTED`; of an "unlock" also "unlocked_laxer", and
    `NOT_LIVE_BY` with a reason. where: the surface that was used. nonce: random, so that two logs
    of the same events differ, as two machines write them from one earlier state; "" in mien 0.1.
    """

    at: str
    kind: str
    user: str
    outcome: str
    where: str
    nonce: str = field(default="", compare=False, repr=False)

    def to_bytes(self) -> bytes:
        if self.kind not in KINDS:
            raise ValueError(f"a log entry is one of {', '.join(KINDS)}, not {self.kind!r}")
        fields = {
            "at": self.at,
            "kind": self.kind,
            "user": self.user,
            "outcome": self.outcome,
            "where": self.where,
        }
        if self.nonce:
            fields["nonce"] = self.nonce
        return json.dumps(fields, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Entry:
        """Read what `to_bytes` wrote. VaultDamaged for anything else."""
        try:
            if len(packed) > MAX_ENTRY_BYTES:
                raise ValueError("too long")
            entry = cls(**json.loads(packed))
            datetime.fromisoformat(entry.at)
            if entry.to_bytes() != packed:
                raise ValueError("not canonical")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise VaultDamaged(
                "an entry of the log was not written by mien; restore the vault from a backup"
            ) from error
        return entry


def link(previous: bytes, entry: bytes) -> bytes:
    """The link after this entry, 32 bytes."""
    return hashlib.sha256(previous + len(entry).to_bytes(8, "big") + entry).digest()


def verify_chain(entries: Iterable[tuple[int, bytes]], *, head: bytes, count: int) -> None:
    """Entries are (number, bytes), from 1 on. VaultDamaged if they are not the whole chain."""
    last, reached = FIRST_LINK, 0
    for number, entry in entries:
        if number != reached + 1:
            raise log_damaged(f"entry {reached + 1} was removed")
        last, reached = link(last, entry), number
    if reached != count:
        what = f"entry {reached + 1} and later were removed" if reached < count else "one was added"
        raise log_damaged(what)
    if last != head:
        raise log_damaged("an entry was edited")


def merge_attempts(entries: Iterable[Entry]) -> list[Entry]:
    """The entries with one for each attempt: that of its outcome, or `UNFINISHED` without one.

    An outcome ends the earliest attempt of its kind, name and surface that has none yet. An
    identification starts without a name.
    """
    merged: list[Entry | None] = []
    running: dict[tuple[str, str, str], deque[int]] = {}
    for entry in entries:
        user = "" if entry.kind == "identify" else entry.user
        started = running.setdefault((entry.kind, user, entry.where), deque())
        if entry.outcome == STARTED:
            started.append(len(merged))
            entry = replace(entry, outcome=UNFINISHED)
        elif entry.kind in ATTEMPTS and started:
            merged[started.popleft()] = None
        merged.append(entry)
    return [entry for entry in merged if entry is not None]


def log_damaged(what: str) -> VaultDamaged:
    """The error for a log that was changed by something other than mien."""
    return VaultDamaged(
        f"the log was tampered with: {what}; compare it with a backup, or accept what is left of"
        " it: mien vault rotate --accept-log"
    )


def describe_entries(entries: Sequence[Entry], *, zone: tzinfo) -> list[str]:
    """Lines of text, oldest first; failed attempts in a row become one line.

    zone: the reader's time zone.
    """
    lines: list[str] = []
    at = 0
    while at < len(entries):
        failures = _failures_from(entries, at)
        if failures:
            lines.append(_describe_failures(failures, entries, at, zone))
            at += len(failures)
        elif _count_alike(entries, at) > 1:
            count = _count_alike(entries, at)
            last = local_time(entries[at + count - 1].at, zone)
            first = _describe_entry(entries[at], zone)
            lines.append(f"{first}, {count} times, the last at {last}")
            at += count
        elif _is_rename(entries, at):
            old, new = entries[at].user, entries[at + 1].user
            lines.append(f"{local_time(entries[at].at, zone)}  {old} was renamed to {new}")
            at += 2
        else:
            lines.append(_describe_entry(entries[at], zone))
            at += 1
    return lines


def _is_rename(entries: Sequence[Entry], at: int) -> bool:
    return [entry.kind for entry in entries[at : at + 2]] == ["rename", "new_name"]


def _failures_from(entries: Sequence[Entry], start: int) -> list[Entry]:
    """The failed attempts at one name that follow each other, from `start` on."""
    failures = []
    for entry in entries[start:]:
        same = entry.kind == "unlock" and entry.user == entries[start].user
        if not same or not _is_failure(entry.outcome):
            break
        failures.append(entry)
    return failures


def _count_alike(entries: Sequence[Entry], start: int) -> int:
    """How many attempts from `start` on showed no one face in the same way; 0 for another entry."""
    first = entries[start]
    if first.kind not in ATTEMPTS or first.outcome not in NO_ATTEMPT:
        return 0
    alike = (first.kind, first.user, first.outcome)
    count = 0
    for entry in entries[start:]:
        if (entry.kind, entry.user, entry.outcome) != alike:
            break
        count += 1
    return count


def _describe_failures(
    failures: list[Entry], entries: Sequence[Entry], start: int, zone: tzinfo
) -> str:
    user, count = failures[0].user, len(failures)
    unlocked_later = any(
        e.user == user and e.outcome == "unlocked" for e in entries[start + count :]
    )
    unlocked_before = any(e.user == user and e.outcome == "unlocked" for e in entries[:start])
    between = f" between two unlocks by {user}" if unlocked_later and unlocked_before else ""
    first = local_time(failures[0].at, zone)
    if count == 1:
        return f"{first}  1 failed attempt for {user}{between}{_not_living(failures)}"
    last = local_time(failures[-1].at, zone)
    words = f"{count} failed attempts for {user}{between}, the last at {last}"
    return f"{first}  {words}{_not_living(failures)}"


def _is_failure(outcome: str) -> bool:
    return outcome in FAILED or outcome.startswith(NOT_LIVE_BY)


def _not_living(failures: list[Entry]) -> str:
    """How many of them showed no living person, and by which check; empty for none."""
    by = Counter(
        one.outcome.removeprefix(NOT_LIVE_BY).replace("_", " ")
        for one in failures
        if one.outcome.startswith(NOT_LIVE_BY)
    )
    if not by:
        return ""
    reasons = ", ".join(f"{count} by {reason}" for reason, count in sorted(by.items()))
    return f"; not a living person: {reasons}"


def _describe_entry(entry: Entry, zone: tzinfo) -> str:
    descriptions = {
        ("unlock", "unlocked"): f"{entry.user} unlocked",
        ("unlock", "unlocked_laxer"): f"{entry.user} unlocked with a higher --target-fmr",
        ("unlock", "undecided"): f"frames for {entry.user} showed a face and decided nothing",
        ("unlock", UNFINISHED): f"an attempt for {entry.user} was not finished",
        ("identify", UNFINISHED): "an identification was not finished",
        ("unlock", "no_face"): f"no face seen for {entry.user}",
        ("unlock", "several_faces"): f"several faces seen for {entry.user}",
        ("identify", "unlocked"): f"{entry.user} was identified",
        ("identify", "not_the_owner"): "a face matched nobody enrolled",
        ("enroll", "done"): f"{entry.user} was enrolled",
        ("enroll", "added"): f"photos were added to {entry.user}",
        ("enroll", "photo_removed"): f"a photo of {entry.user} was removed",
        ("enroll", "follow_on"): f"the template of {entry.user} follows the face from now on",
        (
            "enroll",
            "follow_off",
        ): f"the template of {entry.user} is the enrolled photos alone again",
        ("enroll", "learned"): f"the template of {entry.user} learned the face of an unlock",
        ("enroll", "learned_removed"): f"what the template of {entry.user} learned was removed",
        ("enroll", "not_me"): f"an unlock of {entry.user} was marked as somebody else's",
        ("enroll", "not_me_undone"): f"a mark on an unlock of {entry.user} was removed",
        ("enroll", "replaced"): f"{entry.user} was enrolled again, the earlier photos replaced",
        ("forget", "done"): f"{entry.user} was forgotten",
        ("rotate", "done"): "the key of the vault was replaced",
        ("vault", "done"): "the vault was created",
        ("vault", "readable"): "the database can read centroids from now on (pgvector)",
        ("vault", "not_readable"): "the database can read no centroids any more",
        ("import", "done"): "people were imported from a file",
        ("export", "done"): "all people were exported to a file",
        ("accept_copy", "deleted"): "an earlier vault was deleted, which was accepted",
        ("accept_copy", "done"): "an older copy of the vault, or another vault, was accepted",
        ("accept_log", "done"): "the log had been tampered with; what was left was accepted",
    }
    plain = f"{entry.kind} {entry.user}: {entry.outcome.replace('_', ' ')}"
    description = descriptions.get((entry.kind, entry.outcome), plain)
    return f"{local_time(entry.at, zone)}  {description}"


def local_time(stamp: str, zone: tzinfo | None) -> str:
    """A time as `utc_stamp` writes it, in the reader's zone, which is named."""
    return datetime.fromisoformat(stamp).astimezone(zone).strftime("%Y-%m-%d %H:%M %z")
