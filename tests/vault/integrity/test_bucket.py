"""One bucket of the manifest, against a dictionary that is sorted when it is packed."""

from __future__ import annotations

import hashlib
import random
import struct

import pytest

from mien.vault.integrity.bucket import ENTRY_BYTES, Bucket

RECORD, ATTEMPT, CENTROIDS = 1, 2, 3


def tag(number: int) -> bytes:
    return b"\x07" + number.to_bytes(31, "big")


def digest(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8, "big")).digest()


def test_entries_are_stored_by_section_and_tag() -> None:
    bucket = Bucket(b"")
    bucket.put(ATTEMPT, tag(1), 5, digest(1))
    bucket.put(RECORD, tag(9), 6, digest(2))
    bucket.put(RECORD, tag(3), 7, digest(3))
    first = struct.pack("<B32sQ32s", RECORD, tag(3), 7, digest(3))
    assert bucket.packed[:ENTRY_BYTES] == first
    assert list(bucket.tags(RECORD)) == [tag(3), tag(9)]
    assert list(bucket.tags(ATTEMPT)) == [tag(1)]
    assert (bucket.count(RECORD), bucket.count(ATTEMPT), bucket.count(CENTROIDS)) == (2, 1, 0)


def test_the_same_tag_in_two_sections_is_two_entries() -> None:
    bucket = Bucket(b"")
    bucket.put(RECORD, tag(1), 5, digest(1))
    bucket.put(CENTROIDS, tag(1), 6, digest(2))
    assert bucket.get(RECORD, tag(1)) == (5, digest(1))
    assert bucket.get(CENTROIDS, tag(1)) == (6, digest(2))
    assert bucket.get(ATTEMPT, tag(1)) is None
    assert bucket.drop(RECORD, tag(1))
    assert not bucket.drop(RECORD, tag(1))
    assert bucket.get(CENTROIDS, tag(1)) == (6, digest(2))


def test_clearing_a_section_leaves_the_others() -> None:
    bucket = Bucket(b"")
    for number in range(3):
        for code in (RECORD, ATTEMPT, CENTROIDS):
            bucket.put(code, tag(number), number, digest(number))
    bucket.clear(ATTEMPT)
    assert [bucket.count(code) for code in (RECORD, ATTEMPT, CENTROIDS)] == [3, 0, 3]


def test_the_digest_of_a_section_changes_with_its_entries_only() -> None:
    bucket = Bucket(b"")
    assert bucket.digest_of(RECORD) == hashlib.sha256(b"").digest()
    bucket.put(RECORD, tag(1), 1, digest(1))
    before = bucket.digest_of(RECORD)
    bucket.put(ATTEMPT, tag(1), 2, digest(2))
    assert bucket.digest_of(RECORD) == before
    bucket.put(RECORD, tag(1), 2, digest(1))  # another version of the same content
    assert bucket.digest_of(RECORD) != before


def test_a_tag_of_another_length_is_refused_and_never_found() -> None:
    bucket = Bucket(b"")
    bucket.put(RECORD, tag(1), 1, digest(1))
    for wrong in (tag(1)[:-1], tag(1) + b"x", b""):
        assert bucket.get(RECORD, wrong) is None
        assert not bucket.drop(RECORD, wrong)
        with pytest.raises(ValueError, match="32 bytes"):
            bucket.put(RECORD, wrong, 1, digest(1))


def test_any_order_of_changes_gives_what_a_dictionary_gives() -> None:
    chance = random.Random(1)
    known: dict[tuple[int, bytes], tuple[int, bytes]] = {}
    bucket = Bucket(b"")
    for version in range(2000):
        code, at = chance.choice((RECORD, ATTEMPT, CENTROIDS)), tag(chance.randrange(60))
        if chance.random() < 0.4:
            assert bucket.drop(code, at) == (known.pop((code, at), None) is not None)
        else:
            bucket.put(code, at, version, digest(version))
            known[code, at] = (version, digest(version))
        assert bucket.get(code, at) == known.get((code, at))
    packed = b"".join(
        struct.pack("<B32sQ32s", *key, *value) for key, value in sorted(known.items())
    )
    assert bucket.packed == packed == Bucket(packed).packed
