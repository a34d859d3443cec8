"""The audit log: what happened at the door, each entry chained to the one before.

An entry holds no picture, no embedding and no similarity. Its link is the SHA-256 of the
link before it and of the entry; the vault's manifest keeps the last link and the count,
so that an entry cannot be edited, removed, added or cut off unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo

from mien.errors import VaultDamaged

KINDS = (
    *("unlock", "identify", "enroll", "forget", "rotate", "import", "export", "vault"),
    *("accept_log", "accept_copy"),
)
FIRST_LINK = hashlib.sha256(b"mien log 1").digest()
MAX_ENTRY_BYTES = 4096
REFUSED = ("not_the_owner", "not_enrolled", "not_live")


@dataclass(frozen=True, slots=True)
class Entry:
    """at: as `utc_stamp` writes it. kind: of `KINDS`. user: "" for nobody. outcome: an exit
    code's name in lower case, or "done". where: the surface that was used.
    """

    at: str
    kind: str
    user: str
    outcome: str
    where: str

    def to_bytes(self) -> bytes:
        if self.kind not in KINDS:
            raise ValueError(f"a log entry is one of {', '.join(KINDS)}, not {self.kind!r}")
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Entry:
        """What `to_bytes` wrote. VaultDamaged for anything else."""
        try:
            if len(packed) > MAX_ENTRY_BYTES:
                raise ValueError("too long")
            entry = cls(**json.loads(packed))
            datetime.fromisoformat(entry.at)
            if entry.to_bytes() != packed:
                raise ValueError("not canonical")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise VaultDamaged(
                "an entry of the log is not as mien writes it; restore the vault from a backup"
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
            raise broken(f"entry {reached + 1} was removed")
        last, reached = link(last, entry), number
    if reached != count:
        what = f"entry {reached + 1} and later were removed" if reached < count else "one was added"
        raise broken(what)
    if last != head:
        raise broken("an entry was edited")


def broken(what: str) -> VaultDamaged:
    """The error for a log that is not as mien left it, in the same words everywhere."""
    return VaultDamaged(
        f"the log was tampered with: {what}; compare with a backup, or go on with what is left of"
        " it: mien vault rotate --accept-log"
    )


def describe_entries(entries: Sequence[Entry], *, zone: tzinfo) -> list[str]:
    """Lines for people, oldest first; tries that failed in a row become one line.

    zone: the reader's time zone.
    """
    lines: list[str] = []
    at = 0
    while at < len(entries):
        run = _run_of_failures(entries, at)
        if run:
            lines.append(_failures_in_words(run, entries, at, zone))
            at += len(run)
        else:
            lines.append(_entry_in_words(entries[at], zone))
            at += 1
    return lines


def _run_of_failures(entries: Sequence[Entry], start: int) -> list[Entry]:
    run = []
    for entry in entries[start:]:
        same = entry.kind == "unlock" and entry.user == entries[start].user
        if not same or entry.outcome not in REFUSED:
            break
        run.append(entry)
    return run


def _failures_in_words(run: list[Entry], entries: Sequence[Entry], start: int, zone: tzinfo) -> str:
    user, count = run[0].user, len(run)
    came_back = any(e.user == user and e.outcome == "unlocked" for e in entries[start + count :])
    was_here = any(e.user == user and e.outcome == "unlocked" for e in entries[:start])
    away = f" while {user} was away" if came_back and was_here else ""
    when = _when(run[0], zone)
    if count == 1:
        return f"{when}  1 attempt by someone else at {user}'s door{away}"
    until = _when(run[-1], zone)
    return f"{when}  {count} attempts by someone else at {user}'s door{away}, the last at {until}"


def _entry_in_words(entry: Entry, zone: tzinfo) -> str:
    words = {
        ("unlock", "unlocked"): f"{entry.user} unlocked",
        ("unlock", "no_face"): f"nobody to be seen at {entry.user}'s door",
        ("unlock", "several_faces"): f"several people at {entry.user}'s door",
        ("identify", "unlocked"): f"{entry.user} was recognised",
        ("identify", "not_the_owner"): "somebody was recognised as nobody enrolled",
        ("enroll", "done"): f"{entry.user} was enrolled",
        ("forget", "done"): f"{entry.user} was forgotten",
        ("rotate", "done"): "the vault was sealed under a new key",
        ("vault", "done"): "the vault was made",
        ("import", "done"): "people were imported from a file",
        ("export", "done"): "everybody was exported to a file",
        ("accept_copy", "done"): "an older or another copy of the vault was accepted in its place",
        ("accept_log", "done"): "the log had been tampered with, and what was left of it accepted",
    }
    plain = f"{entry.kind} {entry.user}: {entry.outcome.replace('_', ' ')}"
    said = words.get((entry.kind, entry.outcome), plain)
    return f"{_when(entry, zone)}  {said}"


def _when(entry: Entry, zone: tzinfo) -> str:
    return datetime.fromisoformat(entry.at).astimezone(zone).strftime("%Y-%m-%d %H:%M")
