"""The vault's index: every cell is known to a manifest, so none can be swapped, hidden or put back.

    manifest   sealed   counter, log count, log head, the digests of 256 buckets
    bucket     plain    (space, tag) -> version and SHA-256 of the cell, sorted
    cell       sealed   by whoever writes it

To read one cell takes three reads, whoever else is enrolled, and a cell that is not
there is proven not to be there. A tag is a keyed hash, so a bucket names nobody. Two
levels of a hash tree (Merkle 1987), with the root under the vault's key.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from mien.errors import VaultDamaged
from mien.vault.backends.base import Cells, Section
from mien.vault.crypto.aead import Seals
from mien.vault.integrity.audit_log import FIRST_LINK, broken, link, verify_chain

BUCKETS = 256
TAG_BYTES = 32
MANIFEST_KEY = b"manifest"

_PURPOSE = "manifest"
_HEAD = struct.Struct("<8sQQ32s")
_MAGIC = b"mienIDX1"
_ENTRY = struct.Struct(f"<B{TAG_BYTES}sQ32s")
_SPACES = {Section.RECORD: 1, Section.ATTEMPT: 2, Section.GALLERY: 3}
_EMPTY = bytes(32)
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Cell:
    """What a tag holds. version: the counter of the change that wrote it."""

    version: int
    value: bytes


class Index:
    """The checked view of one transaction. Every method raises VaultDamaged for what does not fit.

    A change is kept when `finish` is called before the transaction ends.
    """

    def __init__(self, cells: Cells, seals: Seals, *, new: bool = False) -> None:
        self._cells = cells
        self._seals = seals
        self._changed: dict[int, dict[tuple[int, bytes], tuple[int, bytes]]] = {}
        self._digests = [_EMPTY] * BUCKETS
        self.counter, self.log_count, self.log_head = 0, 0, FIRST_LINK
        if not new:
            self._read_manifest()

    @property
    def next_version(self) -> int:
        """The version of what this transaction writes."""
        return self.counter + 1

    def get(self, space: Section, tag: bytes) -> Cell | None:
        entry = self._bucket(tag[0]).get((_SPACES[space], tag))
        value = self._cells.get(space, tag)
        return self._checked(entry, value)

    def put(self, space: Section, tag: bytes, value: bytes) -> None:
        """The value must be sealed for `next_version`."""
        digest = hashlib.sha256(value).digest()
        self._edited(tag[0])[_SPACES[space], tag] = (self.next_version, digest)
        self._cells.put(space, tag, value)

    def drop(self, space: Section, tag: bytes) -> bool:
        found = self._edited(tag[0]).pop((_SPACES[space], tag), None) is not None
        return self._cells.drop(space, tag) or found

    def clear(self, space: Section) -> None:
        """Drop all cells of the space, also damaged ones and those that do not belong there."""
        for number in range(BUCKETS):
            for tag in self.tags(space, number):
                del self._edited(number)[_SPACES[space], tag]
        self._cells.clear(space)

    def scan(self, space: Section) -> Iterator[tuple[bytes, Cell]]:
        """All cells of the space by tag; fails at the end if one that belongs here was missing."""
        known = self._known(space)
        after = b""
        while page := self._cells.scan(space, after=after, limit=_PAGE):
            for tag, value in page:
                if tag <= after:  # a tree out of order could lead round and round
                    raise _damaged("its cells are out of order")
                after = tag
                cell = self._checked(known.pop(tag, None), value)
                if cell is not None:
                    yield tag, cell
        if known:
            raise _damaged(f"{len(known)} of its cells are missing")

    def cells_in(self, space: Section, number: int) -> Iterator[tuple[bytes, Cell]]:
        """The cells of one bucket, whose tags begin with this byte, by tag."""
        for tag in sorted(self.tags(space, number)):
            cell = self.get(space, tag)
            assert cell is not None  # `get` raises where the bucket names what is not there
            yield tag, cell

    def digest_of(self, number: int) -> bytes:
        """SHA-256 of one bucket: the same digest is the same cells."""
        return self._digests[number]

    def count(self, space: Section) -> int:
        """How many cells the space has, by the buckets alone."""
        return len(self._known(space))

    def tags(self, space: Section, number: int) -> set[bytes]:
        """The tags of the space in one bucket, whether or not their cells are sound."""
        return {tag for where, tag in self._bucket(number) if where == _SPACES[space]}

    def append_log(self, entry: bytes) -> None:
        """The next entry, sealed at its place in the chain."""
        number = self.log_count + 1
        key = number.to_bytes(8, "big")
        self._cells.put(Section.LOG, key, self._seals.seal(entry, purpose="log", bound_to=[key]))
        self.log_count, self.log_head = number, link(self.log_head, entry)

    def log_entries(self) -> list[bytes]:
        """The whole log, oldest first. VaultDamaged where it was tampered with."""
        entries = []
        last = b""
        while page := self._cells.scan(Section.LOG, after=last, limit=_PAGE):
            for key, sealed in page:
                if len(key) != 8 or key <= last:
                    raise broken("an entry is out of order")
                last = key
                entry = self._entry(key, sealed)
                if entry is None:
                    raise broken(f"entry {int.from_bytes(key, 'big')} was altered")
                entries.append((int.from_bytes(key, "big"), entry))
        verify_chain(entries, head=self.log_head, count=self.log_count)
        return [entry for _, entry in entries]

    def log_remains(self) -> list[bytes]:
        """Of a log that was tampered with, the entries that still open, oldest first.

        Each was written by mien; which are missing, nobody can say.
        """
        entries = []
        last = b""
        with suppress(VaultDamaged):  # what cannot even be listed ends it
            while page := self._cells.scan(Section.LOG, after=last, limit=_PAGE):
                if page[0][0] <= last:
                    break
                last = page[-1][0]
                entries += [self._entry(key, sealed) for key, sealed in page]
        return [entry for entry in entries if entry is not None]

    def finish(self) -> None:
        """Write the buckets that changed, and the manifest with the next counter."""
        for number, entries in self._changed.items():
            packed = b"".join(
                _ENTRY.pack(space, tag, version, digest)
                for (space, tag), (version, digest) in sorted(entries.items())
            )
            self._digests[number] = hashlib.sha256(packed).digest() if packed else _EMPTY
            if packed:
                self._cells.put(Section.BUCKET, bytes([number]), packed)
            else:
                self._cells.drop(Section.BUCKET, bytes([number]))
        self.counter += 1
        head = _HEAD.pack(_MAGIC, self.counter, self.log_count, self.log_head)
        sealed = self._seals.seal(head + b"".join(self._digests), purpose=_PURPOSE, bound_to=[])
        self._cells.put(Section.META, MANIFEST_KEY, sealed)
        self._changed = {}

    def _entry(self, key: bytes, sealed: bytes) -> bytes | None:
        """None where it does not open at its place."""
        with suppress(VaultDamaged):
            return self._seals.open(sealed, purpose="log", bound_to=[key])
        return None

    def _read_manifest(self) -> None:
        sealed = self._cells.get(Section.META, MANIFEST_KEY)
        if sealed is None:
            raise _damaged("its manifest is missing")
        plain = self._seals.open(sealed, purpose=_PURPOSE, bound_to=[])
        if len(plain) != _HEAD.size + 32 * BUCKETS or not plain.startswith(_MAGIC):
            raise _damaged("its manifest is of another format; upgrade mien")
        _, self.counter, self.log_count, self.log_head = _HEAD.unpack_from(plain)
        digests = plain[_HEAD.size :]
        self._digests = [digests[at : at + 32] for at in range(0, len(digests), 32)]

    def _edited(self, number: int) -> dict[tuple[int, bytes], tuple[int, bytes]]:
        if number not in self._changed:
            self._changed[number] = self._bucket(number)
        return self._changed[number]

    def _bucket(self, number: int) -> dict[tuple[int, bytes], tuple[int, bytes]]:
        if number in self._changed:
            return self._changed[number]
        packed = self._cells.get(Section.BUCKET, bytes([number])) or b""
        digest = hashlib.sha256(packed).digest() if packed else _EMPTY
        if not hmac.compare_digest(digest, self._digests[number]) or len(packed) % _ENTRY.size:
            raise _damaged("a part of its index was altered, removed or put back")
        return {
            (space, tag): (version, digest)
            for space, tag, version, digest in _ENTRY.iter_unpack(packed)
        }

    def _known(self, space: Section) -> dict[bytes, tuple[int, bytes]]:
        return {
            tag: entry
            for number in range(BUCKETS)
            for (where, tag), entry in self._bucket(number).items()
            if where == _SPACES[space]
        }

    @staticmethod
    def _checked(entry: tuple[int, bytes] | None, value: bytes | None) -> Cell | None:
        if entry is None and value is None:
            return None
        if entry is None:
            raise _damaged("it holds a cell that mien did not put there")
        if value is None:
            raise _damaged("a cell that belongs there is missing")
        version, digest = entry
        if not hmac.compare_digest(hashlib.sha256(value).digest(), digest):
            raise _damaged("a cell was altered, swapped or put back from an earlier time")
        return Cell(version, value)


def _damaged(what: str) -> VaultDamaged:
    return VaultDamaged(f"the vault is damaged: {what}; restore it from a backup")
