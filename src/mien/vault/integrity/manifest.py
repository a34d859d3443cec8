"""The manifest of a vault: no cell can be altered, swapped, hidden, added or put back unnoticed.

    manifest   sealed   counter, log count, log head; of each section the number of its cells and
                        the top of its hash tree
    node, leaf plain    see `hash_tree`
    cell       sealed   see `sealed_cells`

Reading one cell takes four reads, however many people are enrolled, and a cell that is absent
is proven absent. A tag is a keyed hash, so a leaf names nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress

from mien.errors import VaultDamaged
from mien.records import dataclass
from mien.vault.backends.base import Cells, VaultTable
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.audit_log import FIRST_LINK, link, log_damaged, verify_chain
from mien.vault.integrity.format1 import MAGIC as OLD_MAGIC
from mien.vault.integrity.format1 import OldFormat, OldManifest, move_index
from mien.vault.integrity.hash_tree import BUCKETS, TOP_BYTES, HashTree

__all__ = ["BUCKETS", "MANIFEST_KEY", "Cell", "Manifest"]

MANIFEST_KEY = b"manifest"

_PURPOSE = "manifest"
_HEAD = struct.Struct("<8sQQ32s")
_MAGIC = b"mienIDX2"
_SECTION_CODES = {VaultTable.RECORD: 1, VaultTable.ATTEMPT: 2, VaultTable.CENTROIDS: 3}
_TREE = struct.Struct(f"<Q{TOP_BYTES}s")  # of each section, by its code: count and top
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Cell:
    """The content of a cell. version: the counter of the change that wrote it."""

    version: int
    value: bytes


class Manifest:
    """The verified view of one transaction. Every method raises VaultDamaged for a mismatch.

    new: of a vault that has none yet. migrate: also take one of format 1, and put what it lists
    into the trees; otherwise OldFormat. A change is kept only if `save` is called before the
    transaction ends.
    """

    def __init__(
        self, cells: Cells, cipher: VaultCipher, *, new: bool = False, migrate: bool = False
    ) -> None:
        self._cells = cells
        self._cipher = cipher
        self._trees = {
            code: HashTree(cells, code, bytes(TOP_BYTES), 0) for code in _SECTION_CODES.values()
        }
        self.counter, self.log_count, self.log_head = 0, 0, FIRST_LINK
        self.digest = b""  # SHA-256 of the sealed manifest; empty before the first `save`
        if not new:
            self._read_manifest(migrate=migrate)

    @property
    def next_version(self) -> int:
        """The version of the cells that this transaction writes."""
        return self.counter + 1

    def get(self, section: VaultTable, tag: bytes) -> Cell | None:
        """The verified cell; None if there is none."""
        self.fetch([(section, tag)])
        entry = self._tree(section).get(tag)
        value = self._cells.get(section, tag)
        return self._verified(entry, value)

    def fetch(self, cells: Iterable[tuple[VaultTable, bytes]]) -> None:
        """Say which cells, (section, tag), will be read, so that a server is asked once."""
        places = list(cells)
        for section, tag in tuple(places):
            places += self._tree(section).places_of(tag)
        self._cells.fetch(places)

    def holds(self, section: VaultTable, tag: bytes) -> bool:
        """Whether there is such a cell, by the tree alone: the cell may be damaged."""
        return self._tree(section).get(tag) is not None

    def put(self, section: VaultTable, tag: bytes, value: bytes) -> None:
        """Store a cell. The value must be sealed for `next_version`."""
        self._tree(section).put(tag, self.next_version, hashlib.sha256(value).digest())
        self._cells.put(section, tag, value)

    def drop(self, section: VaultTable, tag: bytes) -> bool:
        """Remove a cell, also a damaged one. False if there was none."""
        found = self._tree(section).drop(tag)
        return self._cells.drop(section, tag) or found

    def clear(self, section: VaultTable) -> None:
        """Remove all cells of the section, also damaged ones and those that do not belong there."""
        self._tree(section).clear()
        self._cells.clear(section)

    def scan(self, section: VaultTable) -> Iterator[tuple[bytes, Cell]]:
        """All cells of the section by tag; raises at the end if one of them is missing."""
        missing = self.count(section)
        for tag, value in self._scan_from(section, b"", _PAGE):
            yield tag, self._found(section, tag, value)
            missing -= 1
        if missing:
            raise _damaged(f"{missing} of its cells are missing")

    def scan_bucket(self, section: VaultTable, number: int) -> Iterator[tuple[bytes, Cell]]:
        """The cells of one bucket, whose tags begin with this byte, by tag."""
        first = bytes([number])
        missing = self._tree(section).bucket_count(number)
        # one more than there should be, to find a cell that was added
        page = min(missing + 1, _PAGE)
        for tag, value in self._scan_from(section, first, page) if missing else ():
            if tag[:1] != first:
                break
            yield tag, self._found(section, tag, value)
            missing -= 1
        if missing:
            raise _damaged(f"{missing} of its cells are missing")

    def node_digests(self, section: VaultTable) -> list[bytes]:
        """Of equally many buckets each, in order: equal ones mean equal cells in these buckets."""
        return self._tree(section).node_digests

    def bucket_digest(self, section: VaultTable, bucket: int) -> bytes:
        """Equal ones mean equal cells in the bucket."""
        return self._tree(section).bucket_digest(bucket)

    def count(self, section: VaultTable) -> int:
        """How many cells the section has, by the manifest alone."""
        return self._tree(section).count

    def append_log(self, entry: bytes) -> None:
        """Seal the entry at the next place of the log's chain."""
        number = self.log_count + 1
        key = number.to_bytes(8, "big")
        sealed = self._cipher.seal(entry, purpose="log", bound_to=[key])
        self._cells.put(VaultTable.LOG, key, sealed)
        self.log_count, self.log_head = number, link(self.log_head, entry)

    def read_log_page(self, after: int, most: int) -> list[bytes]:
        """So many entries after that number. VaultDamaged if one of them was altered or removed."""
        page = dict(self._cells.scan(VaultTable.LOG, after=after.to_bytes(8, "big"), limit=most))
        entries = []
        for number in range(after + 1, after + 1 + most):
            key = number.to_bytes(8, "big")
            if key not in page:
                raise log_damaged(f"entry {number} was removed")
            entry = self._open_log_entry(key, page[key])
            if entry is None:
                raise log_damaged(f"entry {number} was altered")
            entries.append(entry)
        return entries

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
            if (number - count) % _PAGE == 1:
                some = range(number, min(number + _PAGE, self.log_count + 1))
                self._cells.fetch([(VaultTable.LOG, one.to_bytes(8, "big")) for one in some])
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
        """Write what changed in the trees, and the manifest with the next counter."""
        for tree in self._trees.values():
            tree.save()
        self.counter += 1
        head = _HEAD.pack(_MAGIC, self.counter, self.log_count, self.log_head)
        tops = b"".join(_TREE.pack(tree.count, tree.top) for tree in self._trees.values())
        sealed = self._cipher.seal(head + tops, purpose=_PURPOSE, bound_to=[])
        self._cells.put(VaultTable.META, MANIFEST_KEY, sealed)
        self.digest = hashlib.sha256(sealed).digest()

    def _open_log_entry(self, key: bytes, sealed: bytes) -> bytes | None:
        """None if it does not open at its place."""
        with suppress(VaultDamaged):
            return self._cipher.open(sealed, purpose="log", bound_to=[key])
        return None

    def _read_manifest(self, *, migrate: bool) -> None:
        sealed = self._cells.get(VaultTable.META, MANIFEST_KEY)
        if sealed is None:
            raise _damaged("its manifest is missing")
        plain = self._cipher.open(sealed, purpose=_PURPOSE, bound_to=[])
        try:
            if plain.startswith(OLD_MAGIC):
                self._take_old(OldManifest.unpack(plain), migrate=migrate)
            else:
                self._take(plain)
        except (ValueError, struct.error) as error:
            raise _damaged("its manifest has another format; upgrade mien") from error
        self.digest = hashlib.sha256(sealed).digest()

    def _take(self, plain: bytes) -> None:
        if not plain.startswith(_MAGIC):
            raise ValueError("another format")
        _, self.counter, self.log_count, self.log_head = _HEAD.unpack_from(plain)
        tops = plain[_HEAD.size :]
        if len(tops) != _TREE.size * len(self._trees):
            raise ValueError("it is cut off")
        found = zip(self._trees, _TREE.iter_unpack(tops), strict=True)
        self._trees = {code: HashTree(self._cells, code, top, n) for code, (n, top) in found}

    def _take_old(self, old: OldManifest, *, migrate: bool) -> None:
        if not migrate:
            raise OldFormat
        self.counter, self.log_count, self.log_head = old.counter, old.log_count, old.log_head
        move_index(old, self._cells, self._trees)

    def _tree(self, section: VaultTable) -> HashTree:
        return self._trees[_SECTION_CODES[section]]

    def _scan_from(
        self, section: VaultTable, after: bytes, page_size: int
    ) -> Iterator[tuple[bytes, bytes]]:
        """The cells of the store whose tags are greater, in order; not verified."""
        while page := self._cells.scan(section, after=after, limit=page_size):
            for tag, value in page:
                if tag <= after:  # a damaged tree could lead round and round
                    raise _damaged("its cells are out of order")
                after = tag
                yield tag, value

    def _found(self, section: VaultTable, tag: bytes, value: bytes) -> Cell:
        cell = self._verified(self._tree(section).get(tag), value)
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


def _damaged(what: str) -> VaultDamaged:
    return VaultDamaged(f"the vault is damaged: {what}; restore it from a backup")
