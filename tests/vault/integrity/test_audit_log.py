"""The audit log: its chain notices every change, and its words are for people."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from mien.errors import VaultDamaged
from mien.vault.integrity.audit_log import (
    FIRST_LINK,
    MAX_ENTRY_BYTES,
    Entry,
    describe_entries,
    link,
    merge_attempts,
    verify_chain,
)

UTC = timezone.utc


def entry(
    minute: int, outcome: str = "not_the_owner", user: str = "ana", kind: str = "unlock"
) -> Entry:
    at = f"2026-01-31T12:{minute:02}:00+00:00"
    return Entry(at=at, kind=kind, user=user, outcome=outcome, where="command")


def chain(count: int) -> tuple[list[tuple[int, bytes]], bytes]:
    entries = [(number, entry(number).to_bytes()) for number in range(1, count + 1)]
    head = FIRST_LINK
    for _, packed in entries:
        head = link(head, packed)
    return entries, head


def test_a_whole_chain_and_an_empty_one_pass_verification() -> None:
    entries, head = chain(4)
    verify_chain(entries, head=head, count=4)
    verify_chain([], head=FIRST_LINK, count=0)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("first removed", "entry 1 was removed"),
        ("middle removed", "entry 2 was removed"),
        ("last removed", "entry 4 and later were removed"),
        ("all removed", "entry 1 and later were removed"),
        ("edited", "an entry was edited"),
        ("two swapped", "an entry was edited"),
        ("one added", "one was added"),
        ("one doubled", "was removed"),
    ],
)
def test_every_change_of_a_chain_is_detected(what: str, words: str) -> None:
    entries, head = chain(4)
    if what == "first removed":
        del entries[0]
    elif what == "middle removed":
        del entries[1]
    elif what == "last removed":
        del entries[3]
    elif what == "all removed":
        entries = []
    elif what == "edited":
        entries[1] = (2, entry(2, "unlocked").to_bytes())
    elif what == "two swapped":
        entries[1], entries[2] = (2, entries[2][1]), (3, entries[1][1])
    elif what == "one added":
        entries.append((5, entry(5).to_bytes()))
    elif what == "one doubled":
        entries.insert(1, entries[1])
    with pytest.raises(VaultDamaged, match=words):
        verify_chain(entries, head=head, count=4)


def test_only_the_bytes_of_an_entry_are_read_as_one() -> None:
    one = entry(1)
    assert Entry.from_bytes(one.to_bytes()) == one
    for packed in (
        b"", b"{}", b"[1]", b"null", b"[" * 100_000, one.to_bytes() + b" ", b"\xff",
        one.to_bytes().replace(b'"unlock"', b'"other"'),
        one.to_bytes().replace(b"2026-01-31", b"yesterday!"),
        one.to_bytes().replace(b'"ana"', b'"%s"' % (b"a" * MAX_ENTRY_BYTES)),
    ):  # fmt: skip
        with pytest.raises(VaultDamaged, match="entry of the log"):
            Entry.from_bytes(packed)


def describe(*entries: Entry) -> list[str]:
    return [line[24:] for line in describe_entries(entries, zone=UTC)]


def test_an_entry_is_stored_in_the_same_bytes_in_every_version() -> None:
    old = Entry("2026-01-31T12:00:00+00:00", "unlock", "ana", "unlocked", "pam")
    packed = (
        b'{"at": "2026-01-31T12:00:00+00:00", "kind": "unlock", %s'
        b'"outcome": "unlocked", "user": "ana", "where": "pam"}'
    )
    assert old.to_bytes() == packed % b""
    assert replace(old, nonce="0f").to_bytes() == packed % b'"nonce": "0f", '


def test_failures_in_a_row_are_one_line() -> None:
    assert describe(*(entry(minute) for minute in (1, 2, 9))) == [
        "3 failed attempts for ana, the last at 2026-01-31 12:09 +0000"
    ]
    assert describe(entry(1)) == ["1 failed attempt for ana"]


def test_what_showed_no_living_person_is_told_with_the_check_that_refused() -> None:
    outcomes = ("not_live_passive", "not_the_owner", "not_live_other_face", "not_live_passive")
    assert describe(*(entry(at, outcome) for at, outcome in enumerate(outcomes, 1))) == [
        "4 failed attempts for ana, the last at 2026-01-31 12:04 +0000; "
        "not a living person: 1 by other face, 2 by passive"
    ]
    assert describe(entry(1, "not_live_flat")) == [
        "1 failed attempt for ana; not a living person: 1 by flat"
    ]
    assert describe(entry(1, "not_live")) == ["1 failed attempt for ana"]


def test_failures_between_two_unlocks_are_described_so() -> None:
    lines = describe(entry(1, "unlocked"), entry(2), entry(3), entry(4), entry(5, "unlocked"))
    assert lines == [
        "ana unlocked",
        "3 failed attempts for ana between two unlocks by ana, the last at 2026-01-31 12:04 +0000",
        "ana unlocked",
    ]


def test_attempts_for_two_names_are_two_lines() -> None:
    assert describe(entry(1), entry(2, user="ben"), entry(3)) == [
        "1 failed attempt for ana",
        "1 failed attempt for ben",
        "1 failed attempt for ana",
    ]


def test_a_rename_is_one_line() -> None:
    old, new = entry(1, "done", "anna", "rename"), entry(1, "done", "ann", "new_name")
    assert describe(old, new, entry(2, "unlocked", "ann")) == [
        "anna was renamed to ann",
        "ann unlocked",
    ]


@pytest.mark.parametrize("where", ["before", "after"])
def test_failures_with_an_unlock_on_one_side_are_not_between_two(where: str) -> None:
    entries = (
        [entry(1, "unlocked"), entry(2)] if where == "before" else [entry(1), entry(2, "unlocked")]
    )
    assert "1 failed attempt for ana" in describe(*entries)


def test_unlocks_by_somebody_else_say_nothing_of_this_person() -> None:
    lines = describe(entry(1, "unlocked", "ben"), entry(2), entry(3, "unlocked", "ben"))
    assert lines[1] == "1 failed attempt for ana"


@pytest.mark.parametrize(
    ("kind", "outcome", "line"),
    [
        ("unlock", "unlocked", "ana unlocked"),
        ("unlock", "no_face", "no face seen for ana"),
        ("unlock", "several_faces", "several faces seen for ana"),
        ("identify", "unlocked", "ana was identified"),
        ("identify", "not_the_owner", "a face matched nobody enrolled"),
        ("enroll", "done", "ana was enrolled"),
        ("forget", "done", "ana was forgotten"),
        ("rotate", "done", "the key of the vault was replaced"),
        ("vault", "done", "the vault was created"),
        ("import", "done", "people were imported from a file"),
        ("export", "done", "all people were exported to a file"),
        ("accept_copy", "done", "an older copy of the vault, or another vault, was accepted"),
        ("accept_log", "done", "the log had been tampered with; what was left was accepted"),
        ("rename", "done", "rename ana: done"),
    ],
)
def test_each_event_is_described(kind: str, outcome: str, line: str) -> None:
    assert describe(entry(1, outcome, kind=kind)) == [line]


@pytest.mark.parametrize("outcome", ["not_the_owner", "not_enrolled", "not_live"])
def test_each_refusal_is_a_failed_attempt(outcome: str) -> None:
    assert describe(entry(1, outcome)) == ["1 failed attempt for ana"]


def test_other_entries_are_described_by_their_fields() -> None:
    assert describe(entry(1, "unreadable_image")) == ["unlock ana: unreadable image"]


def test_times_are_in_the_readers_time_zone() -> None:
    zone = timezone(timedelta(hours=9))
    assert describe_entries([entry(1, "unlocked")], zone=zone)[0].startswith(
        "2026-01-31 21:01 +0900  "
    )


def test_an_entry_of_an_unknown_kind_is_not_written() -> None:
    with pytest.raises(ValueError, match="one of"):
        entry(1, kind="party").to_bytes()


# attempts ----------------------------------------------------------------------------------


def event(kind: str, user: str, outcome: str, where: str = "command", minute: int = 0) -> Entry:
    return Entry(f"2026-01-31T12:{minute:02}:00+00:00", kind, user, outcome, where)


def told(*entries: Entry) -> list[tuple[str, str, str]]:
    return [(one.kind, one.user, one.outcome) for one in merge_attempts(entries)]


def test_an_attempt_is_one_entry_that_of_its_outcome() -> None:
    entries = [
        event("unlock", "ana", "started"),
        event("enroll", "ben", "done"),
        event("unlock", "ana", "unlocked", minute=1),
    ]
    assert told(*entries) == [("enroll", "ben", "done"), ("unlock", "ana", "unlocked")]


def test_an_attempt_that_was_killed_stays_in_the_log() -> None:
    entries = [event("unlock", "ana", "started"), event("identify", "", "started")]
    assert told(*entries) == [("unlock", "ana", "unfinished"), ("identify", "", "unfinished")]
    lines = describe_entries(merge_attempts(entries), zone=timezone.utc)
    assert lines == [
        "2026-01-31 12:00 +0000  an attempt for ana was not finished",
        "2026-01-31 12:00 +0000  an identification was not finished",
    ]


def test_of_attempts_at_once_each_is_told_and_the_unfinished_ones_are_counted() -> None:
    started = [event("unlock", "ana", "started", minute=at) for at in range(3)]
    ended = [event("unlock", "ana", "not_the_owner", minute=5), event("unlock", "ana", "unlocked")]
    assert [outcome for _, _, outcome in told(*started, *ended)] == [
        "unfinished",
        "not_the_owner",
        "unlocked",
    ]


@pytest.mark.parametrize(
    "other",
    [
        event("unlock", "ben", "unlocked"),
        event("identify", "ana", "unlocked"),
        event("unlock", "ana", "unlocked", where="web"),
        event("rename", "ana", "done"),
    ],
)
def test_another_event_does_not_end_an_attempt(other: Entry) -> None:
    assert told(event("unlock", "ana", "started"), other)[0] == ("unlock", "ana", "unfinished")


def test_an_identification_ends_with_the_name_that_was_found() -> None:
    entries = [event("identify", "", "started"), event("identify", "ana", "unlocked")]
    assert told(*entries) == [("identify", "ana", "unlocked")]


def test_the_log_of_an_earlier_version_has_no_starts_and_reads_as_before() -> None:
    entries = [event("unlock", "ana", "not_the_owner"), event("unlock", "ana", "unlocked")]
    assert merge_attempts(entries) == entries


def test_attempts_without_a_face_in_a_row_are_one_line() -> None:
    entries = [entry(minute, "no_face") for minute in range(5)]
    entries += [entry(5, "several_faces"), entry(6, "no_face"), entry(7, "no_face", user="ben")]
    assert describe_entries(entries, zone=UTC) == [
        "2026-01-31 12:00 +0000  no face seen for ana, 5 times, the last at 2026-01-31 12:04 +0000",
        "2026-01-31 12:05 +0000  several faces seen for ana",
        "2026-01-31 12:06 +0000  no face seen for ana",
        "2026-01-31 12:07 +0000  no face seen for ben",
    ]
