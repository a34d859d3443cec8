"""The hash tree over the cells of one section (Merkle 1987), whose top is in the sealed manifest.

    top     64 digests, of nodes                     in the manifest
    node    64 digests, of leaves                    key: section code, 1 byte
    leaf    (tag) -> version and SHA-256 of a cell   key: section code, 2 bytes

A cell's leaf is given by the first twelve bits of its tag, and its node by the first six. So a
change of one cell rewrites one leaf and one node, of 4 kB together with 100,000 cells and of 20 kB
with a million. Each section has a tree of its own: an attempt changes nothing of the people.
"""

from __future__ import annotations

import hashlib
import hmac

from mien.errors import VaultDamaged
from mien.vault.backends.base import Cells, VaultTable
from mien.vault.integrity.bucket import ENTRY_BYTES, Bucket

FANOUT = 64  # nodes of a tree, and leaves of a node
LEAVES = FANOUT * FANOUT
BUCKETS = 256  # groups of 16 leaves: the cells whose tags begin with the same byte
DIGEST_BYTES = 32
TOP_BYTES = FANOUT * DIGEST_BYTES
NO_CELLS = bytes(DIGEST_BYTES)  # the digest of a node or leaf that is not there
LEAVES_OF_BUCKET = LEAVES // BUCKETS
_PAGE = 200


class HashTree:
    """code: of the section. top: `TOP_BYTES` digests. count: how many cells the section has.

    Every method raises VaultDamaged for a node or leaf that is not the one of its digest.
    """

    def __init__(self, cells: Cells, code: int, top: bytes, count: int) -> None:
        self._cells, self._code = cells, code
        self._top = bytearray(top)
        self.count = count
        self._nodes: dict[int, bytearray] = {}  # that were read, and verified
        self._leaves: dict[int, Bucket] = {}
        self._changed: set[int] = set()  # the numbers of the leaves to be written

    @property
    def top(self) -> bytes:
        """The digests of the nodes, as of the last `save`."""
        return bytes(self._top)

    def get(self, tag: bytes) -> tuple[int, bytes] | None:
        """(version, SHA-256) of the cell of a tag; None if there is none."""
        return self._leaf(leaf_of(tag)).get(self._code, tag)

    def places_of(self, tag: bytes) -> list[tuple[VaultTable, bytes]]:
        """What `get` of this tag reads."""
        leaf = leaf_of(tag)
        keys = (_node_key(self._code, leaf // FANOUT), _leaf_key(self._code, leaf))
        return [(VaultTable.BUCKET, key) for key in keys]

    def put(self, tag: bytes, version: int, digest: bytes) -> None:
        """Add a cell, or replace it."""
        leaf = self._edited(leaf_of(tag))
        self.count += leaf.get(self._code, tag) is None
        leaf.put(self._code, tag, version, digest)

    def drop(self, tag: bytes) -> bool:
        """Remove a cell. False if there was none."""
        if self.get(tag) is None:
            return False
        self.count -= 1
        return self._edited(leaf_of(tag)).drop(self._code, tag)

    def clear(self) -> None:
        """Remove all cells, and nodes and leaves, also those that do not belong there."""
        after = bytes([self._code])
        while page := self._cells.scan(VaultTable.BUCKET, after=after, limit=_PAGE):
            keys = [key for key, _ in page if key[:1] == bytes([self._code])]
            for key in keys:
                self._cells.drop(VaultTable.BUCKET, key)
            if len(keys) < len(page):
                break
        self._top, self.count = bytearray(TOP_BYTES), 0
        self._nodes, self._leaves, self._changed = {}, {}, set()

    @property
    def node_digests(self) -> list[bytes]:
        """Of the nodes in order, as of the last `save`: equal digests mean equal cells."""
        top = self.top
        return [top[at : at + DIGEST_BYTES] for at in range(0, TOP_BYTES, DIGEST_BYTES)]

    def bucket_digest(self, bucket: int) -> bytes:
        """The digests of the leaves of a bucket, as of the last `save`: if they are equal, so are
        the cells."""
        first = bucket * LEAVES_OF_BUCKET
        if self._digest_in(self._top, first // FANOUT) == NO_CELLS:
            return NO_CELLS * LEAVES_OF_BUCKET
        at = first % FANOUT * DIGEST_BYTES
        return bytes(self._node(first // FANOUT)[at : at + LEAVES_OF_BUCKET * DIGEST_BYTES])

    def bucket_count(self, bucket: int) -> int:
        """How many cells have a tag that begins with this byte."""
        first, digests = bucket * LEAVES_OF_BUCKET, self.bucket_digest(bucket)
        found = 0
        for at in range(LEAVES_OF_BUCKET):
            is_empty = digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES] == NO_CELLS
            if not is_empty or first + at in self._changed:
                found += self._leaf(first + at).count(self._code)
        return found

    def save(self) -> None:
        """Write the leaves that changed, and their nodes."""
        nodes = set[int]()
        for number in sorted(self._changed):
            self._set(self._node(number // FANOUT), number % FANOUT, self._leaves[number].packed)
            self._write(_leaf_key(self._code, number), self._leaves[number].packed)
            nodes.add(number // FANOUT)
        for number in sorted(nodes):
            node = bytes(self._nodes[number])
            packed = node if any(node) else b""
            self._set(self._top, number, packed)
            self._write(_node_key(self._code, number), packed)
        self._changed = set()

    @staticmethod
    def _set(digests: bytearray, number: int, packed: bytes) -> None:
        at = number * DIGEST_BYTES
        digests[at : at + DIGEST_BYTES] = _digest_of(packed)

    def _write(self, key: bytes, packed: bytes) -> None:
        if packed:
            self._cells.put(VaultTable.BUCKET, key, packed)
        else:
            self._cells.drop(VaultTable.BUCKET, key)

    def _edited(self, number: int) -> Bucket:
        leaf = self._leaf(number)
        self._changed.add(number)
        return leaf

    def _leaf(self, number: int) -> Bucket:
        if number not in self._leaves:
            digest = self._digest_in(self._node(number // FANOUT), number % FANOUT)
            packed = self._read(_leaf_key(self._code, number), digest)
            if len(packed) % ENTRY_BYTES:
                raise index_damaged()
            self._leaves[number] = Bucket(packed)
        return self._leaves[number]

    def _node(self, number: int) -> bytearray:
        if number not in self._nodes:
            digest = self._digest_in(self._top, number)
            packed = self._read(_node_key(self._code, number), digest)
            if packed and len(packed) != TOP_BYTES:
                raise index_damaged()
            self._nodes[number] = bytearray(packed or TOP_BYTES)
        return self._nodes[number]

    @staticmethod
    def _digest_in(digests: bytearray, number: int) -> bytes:
        return bytes(digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES])

    def _read(self, key: bytes, digest: bytes) -> bytes:
        packed = self._cells.get(VaultTable.BUCKET, key) or b""
        if not hmac.compare_digest(_digest_of(packed), digest):
            raise index_damaged()
        return packed


def leaf_of(tag: bytes) -> int:
    """The number of the leaf of a tag, 0..4095."""
    return tag[0] << 4 | tag[1] >> 4


def index_damaged() -> VaultDamaged:
    """The error for a part of the tree that was not the one of its digest."""
    return VaultDamaged(
        "the vault is damaged: a part of its index was altered, removed or put back; restore it"
        " from a backup"
    )


def _digest_of(packed: bytes) -> bytes:
    return hashlib.sha256(packed).digest() if packed else NO_CELLS


def _node_key(code: int, number: int) -> bytes:
    return bytes([code, number])


def _leaf_key(code: int, number: int) -> bytes:
    return bytes([code]) + number.to_bytes(2, "big")
