"""One bucket of the manifest: the cells whose tags begin with the same byte, in packed form.

    entry    section code, tag, version, SHA-256 of the cell; sorted by code and tag

An entry is found by bisection and changed in place, so that a bucket of thousands of cells costs
hardly more than one of ten.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_left
from collections.abc import Iterator

TAG_BYTES = 32
_ENTRY = struct.Struct(f"<B{TAG_BYTES}sQ32s")
ENTRY_BYTES = _ENTRY.size
_KEY_BYTES = 1 + TAG_BYTES


class Bucket:
    """packed: as `packed` gave it, which the caller has verified: whole entries, sorted."""

    def __init__(self, packed: bytes) -> None:
        self._packed = bytearray(packed)

    @property
    def packed(self) -> bytes:
        """All entries; empty for none."""
        return bytes(self._packed)

    def get(self, code: int, tag: bytes) -> tuple[int, bytes] | None:
        """(version, SHA-256 of the cell); None if there is none of this section and tag."""
        key = _key(code, tag)
        place = self._place(key)
        if self._key_at(place) != key:
            return None
        _, _, version, digest = _ENTRY.unpack_from(self._packed, place * ENTRY_BYTES)
        return version, digest

    def put(self, code: int, tag: bytes, version: int, digest: bytes) -> None:
        """Add the entry of a cell, or replace it. ValueError for a tag that has not 32 bytes."""
        key = _key(code, tag)
        if len(key) != _KEY_BYTES:
            raise ValueError(f"a tag has {TAG_BYTES} bytes")
        place = self._place(key)
        start = place * ENTRY_BYTES
        end = start + (ENTRY_BYTES if self._key_at(place) == key else 0)
        self._packed[start:end] = _ENTRY.pack(code, tag, version, digest)

    def drop(self, code: int, tag: bytes) -> bool:
        """Remove the entry. False if there was none."""
        key = _key(code, tag)
        place = self._place(key)
        found = self._key_at(place) == key
        if found:
            del self._packed[place * ENTRY_BYTES : (place + 1) * ENTRY_BYTES]
        return found

    def clear(self, code: int) -> None:
        """Remove all entries of a section."""
        start, end = self._section(code)
        del self._packed[start:end]

    def count(self, code: int) -> int:
        """How many entries the section has."""
        start, end = self._section(code)
        return (end - start) // ENTRY_BYTES

    def tags(self, code: int) -> Iterator[bytes]:
        """The tags of the section in order."""
        for at in range(*self._section(code), ENTRY_BYTES):
            yield bytes(self._packed[at + 1 : at + _KEY_BYTES])

    def digest_of(self, code: int) -> bytes:
        """SHA-256 of the section's entries: equal digests mean equal cells."""
        start, end = self._section(code)
        return hashlib.sha256(self._packed[start:end]).digest()

    def _section(self, code: int) -> tuple[int, int]:
        start, end = self._place(bytes([code])), self._place(bytes([code + 1]))
        return start * ENTRY_BYTES, end * ENTRY_BYTES

    def _place(self, key: bytes) -> int:
        """The number of the first entry whose key is not less."""
        return bisect_left(range(len(self._packed) // ENTRY_BYTES), key, key=self._key_at)

    def _key_at(self, place: int) -> bytes:
        at = place * ENTRY_BYTES
        return bytes(self._packed[at : at + _KEY_BYTES])


def _key(code: int, tag: bytes) -> bytes:
    return bytes([code]) + tag
