"""The manifest of a vault: no cell can be altered, swapped, hidden, added or put back unnoticed.

    manifest   sealed   counter, log count, log head, the digests of 256 buckets
    bucket     plain    (section, tag) -> version and SHA-256 of the cell, sorted
    cell       sealed   see `sealed_cells`

Reading one cell takes three reads, however many people are enrolled, and a cell that is
absent is proven absent. A tag is a keyed hash, so a bucket names nobody. It is a hash tree
of two levels (Merkle 1987), with the root under the vault's key.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from contextlib import suppress

from mien.errors import VaultDamaged
from mien.records import dataclass
from mien.vault.backends.base import Cells, VaultTable
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.audit_log import FIRST_LINK, link, log_damaged, verify_chain
from mien.vault.integrity.bucket import ENTRY_BYTES, Bucket

BUCKETS = 256
MANIFEST_KEY = b"manifest"

_PURPOSE = "manifest"
_HEAD = struct.Struct("<8sQQ32s")
_MAGIC = b"mienIDX1"
_SECTION_CODES = {VaultTable.RECORD: 1, VaultTable.ATTEMPT: 2, VaultTable.CENTROIDS: 3}
_DIGEST_BYTES = 32
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Cell:
    """The content of a cell. version: the counter of the change that wrote it."""

    version: int
    value: bytes


class Manifest:
    """The verified view of one transaction. Every method raises VaultDamaged for a mismatch.

    A change is kept only if `save` is called before the transaction ends.
    """

    def __init__(self, cells: Cells, cipher: VaultCipher, *, new: bool = False) -> None:
        self._cells = cells
        self._cipher = cipher
        self._buckets: dict[int, Bucket] = {}  # that were read, and verified
        self._changed: set[int] = set()  # the numbers of those to be written
        self._digests = bytearray(_DIGEST_BYTES * BUCKETS)  # of all buckets, in a row
        self.counter, self.log_count, self.log_head = 0, 0, FIRST_LINK
        self.digest = b""  # SHA-256 of the sealed manifest; empty before the first `save`
        if not new:
            self._read_manifest()

    @property
    def next_version(self) -> int:
        """The version of the cells that this transaction writes."""
        return self.counter + 1

    def get(self, section: VaultTable, tag: bytes) -> Cell | None:
        """The verified cell; None if there is none."""
        entry = self._bucket(tag[0]).get(_SECTION_CODES[section], tag)
        value = self._cells.get(section, tag)
        return self._verified(entry, value)

    def holds(self, section: VaultTable, tag: bytes) -> bool:
        """Whether there is such a cell, by the bucket alone: the cell may be damaged."""
        return self._bucket(tag[0]).get(_SECTION_CODES[section], tag) is not None

    def put(self, section: VaultTable, tag: bytes, value: bytes) -> None:
        """Store a cell. The value must be sealed for `next_version`."""
        digest = hashlib.sha256(value).digest()
        self._edited(tag[0]).put(_SECTION_CODES[section], tag, self.next_version, digest)
        self._cells.put(section, tag, value)

    def drop(self, section: VaultTable, tag: bytes) -> bool:
        """Remove a cell, also a damaged one. False if there was none."""
        found = self._edited(tag[0]).drop(_SECTION_CODES[section], tag)
        return self._cells.drop(section, tag) or found

    def clear(self, section: VaultTable) -> None:
        """Remove all cells of the section, also damaged ones and those that do not belong there."""
        for number in range(BUCKETS):
            if self._bucket(number).count(_SECTION_CODES[section]):
                self._edited(number).clear(_SECTION_CODES[section])
        self._cells.clear(section)

    def scan(self, section: VaultTable) -> Iterator[tuple[bytes, Cell]]:
        """All cells of the section by tag; raises at the end if one of them is missing."""
        missing = self.count(section)
        for tag, value in self._scan_from(section, b""):
            yield tag, self._found(section, tag, value)
            missing -= 1
        if missing:
            raise _damaged(f"{missing} of its cells are missing")

    def scan_bucket(self, section: VaultTable, number: int) -> Iterator[tuple[bytes, Cell]]:
        """The cells of one bucket, whose tags begin with this byte, by tag."""
        first = bytes([number])
        missing = self._bucket(number).count(_SECTION_CODES[section])
        for tag, value in self._scan_from(section, first) if missing else ():
            if tag[:1] != first:
                break
            yield tag, self._found(section, tag, value)
            missing -= 1
        if missing:
            raise _damaged(f"{missing} of its cells are missing")

    def bucket_digest(self, number: int) -> bytes:
        """SHA-256 of one bucket: equal digests mean equal cells."""
        return bytes(self._digests[_place_of(number)])

    def section_digest(self, section: VaultTable, number: int) -> bytes:
        """SHA-256 of the section's entries in one bucket: equal digests mean equal cells."""
        return self._bucket(number).digest_of(_SECTION_CODES[section])

    def count(self, section: VaultTable) -> int:
        """How many cells the section has, by the buckets alone."""
        code = _SECTION_CODES[section]
        return sum(self._bucket(number).count(code) for number in range(BUCKETS))

    def is_empty(self, section: VaultTable) -> bool:
        """Whether the section has no cell, by the buckets alone."""
        code = _SECTION_CODES[section]
        return not any(self._bucket(number).count(code) for number in range(BUCKETS))

    def append_log(self, entry: bytes) -> None:
        """Seal the entry at the next place of the log's chain."""
        number = self.log_count + 1
        key = number.to_bytes(8, "big")
        sealed = self._cipher.seal(entry, purpose="log", bound_to=[key])
        self._cells.put(VaultTable.LOG, key, sealed)
        self.log_count, self.log_head = number, link(self.log_head, entry)

    def read_log(self) -> list[bytes]:
        """The whole log, oldest first. VaultDamaged if it was tampered with."""
        entries = []
        last = b""
        while page := self._cells.scan(VaultTable.LOG, after=last, limit=_PAGE):
            for key, sealed in page:
                if len(key) != 8 or key <= last:
                    raise log_damaged("an entry is out of order")
                last = key
                entry = self._open_log_entry(key, sealed)
                if entry is None:
                    raise log_damaged(f"entry {int.from_bytes(key, 'big')} was altered")
                entries.append((int.from_bytes(key, "big"), entry))
        verify_chain(entries, head=self.log_head, count=self.log_count)
        return [entry for _, entry in entries]

    def log_continues(self, count: int, head: bytes) -> bool:
        """Whether the log continues one of `count` entries whose last link is `head`.

        Reads the entries after these only. VaultDamaged if one of them was altered.
        """
        last = head
        for number in range(count + 1, self.log_count + 1):
            key = number.to_bytes(8, "big")
            sealed = self._cells.get(VaultTable.LOG, key)
            entry = None if sealed is None else self._open_log_entry(key, sealed)
            if entry is None:
                raise log_damaged(f"entry {number} was altered or removed")
            last = link(last, entry)
        return count <= self.log_count and last == self.log_head

    def salvage_log(self) -> list[bytes]:
        """The entries of a log that was tampered with that still open, oldest first.

        mien wrote each of them; which entries are missing cannot be known.
        """
        entries = []
        last = b""
        with suppress(VaultDamaged):  # stop where the store can list no further
            while page := self._cells.scan(VaultTable.LOG, after=last, limit=_PAGE):
                if page[0][0] <= last:
                    break
                last = page[-1][0]
                entries += [self._open_log_entry(key, sealed) for key, sealed in page]
        return [entry for entry in entries if entry is not None]

    def save(self) -> None:
        """Write the buckets that changed, and the manifest with the next counter."""
        for number in sorted(self._changed):
            packed = self._buckets[number].packed
            self._digests[_place_of(number)] = _digest_of(packed)
            if packed:
                self._cells.put(VaultTable.BUCKET, bytes([number]), packed)
            else:
                self._cells.drop(VaultTable.BUCKET, bytes([number]))
        self.counter += 1
        head = _HEAD.pack(_MAGIC, self.counter, self.log_count, self.log_head)
        sealed = self._cipher.seal(head + self._digests, purpose=_PURPOSE, bound_to=[])
        self._cells.put(VaultTable.META, MANIFEST_KEY, sealed)
        self.digest = hashlib.sha256(sealed).digest()
        self._changed = set()

    def _open_log_entry(self, key: bytes, sealed: bytes) -> bytes | None:
        """None if it does not open at its place."""
        with suppress(VaultDamaged):
            return self._cipher.open(sealed, purpose="log", bound_to=[key])
        return None

    def _read_manifest(self) -> None:
        sealed = self._cells.get(VaultTable.META, MANIFEST_KEY)
        if sealed is None:
            raise _damaged("its manifest is missing")
        plain = self._cipher.open(sealed, purpose=_PURPOSE, bound_to=[])
        if len(plain) != _HEAD.size + _DIGEST_BYTES * BUCKETS or not plain.startswith(_MAGIC):
            raise _damaged("its manifest has another format; upgrade mien")
        _, self.counter, self.log_count, self.log_head = _HEAD.unpack_from(plain)
        self.digest = hashlib.sha256(sealed).digest()
        self._digests = bytearray(plain[_HEAD.size :])

    def _edited(self, number: int) -> Bucket:
        self._changed.add(number)
        return self._bucket(number)

    def _bucket(self, number: int) -> Bucket:
        if number in self._buckets:
            return self._buckets[number]
        packed = self._cells.get(VaultTable.BUCKET, bytes([number])) or b""
        known = hmac.compare_digest(_digest_of(packed), self.bucket_digest(number))
        if not known or len(packed) % ENTRY_BYTES:
            raise _damaged("a part of its index was altered, removed or put back")
        self._buckets[number] = Bucket(packed)
        return self._buckets[number]

    def _scan_from(self, section: VaultTable, after: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The cells of the store whose tags are greater, in order; not verified."""
        while page := self._cells.scan(section, after=after, limit=_PAGE):
            for tag, value in page:
                if tag <= after:  # a damaged tree could lead round and round
                    raise _damaged("its cells are out of order")
                after = tag
                yield tag, value

    def _found(self, section: VaultTable, tag: bytes, value: bytes) -> Cell:
        cell = self._verified(self._bucket(tag[0]).get(_SECTION_CODES[section], tag), value)
        assert cell is not None  # there is a value
        return cell

    @staticmethod
    def _verified(entry: tuple[int, bytes] | None, value: bytes | None) -> Cell | None:
        if entry is None and value is None:
            return None
        if entry is None:
            raise _damaged("it has a cell that mien did not write")
        if value is None:
            raise _damaged("a cell is missing")
        version, digest = entry
        if not hmac.compare_digest(hashlib.sha256(value).digest(), digest):
            raise _damaged("a cell was altered, swapped or put back from an earlier time")
        return Cell(version, value)


def _place_of(number: int) -> slice:
    """Of a bucket's digest."""
    return slice(_DIGEST_BYTES * number, _DIGEST_BYTES * (number + 1))


def _digest_of(packed: bytes) -> bytes:
    """SHA-256 of a bucket; zeros for an empty one."""
    return hashlib.sha256(packed).digest() if packed else bytes(_DIGEST_BYTES)


def _damaged(what: str) -> VaultDamaged:
    return VaultDamaged(f"the vault is damaged: {what}; restore it from a backup")
