"""Read the manifest of format 1, which mien 0.2 wrote, and make the trees of its cells.

    manifest   sealed   counter, log count, log head, the digests of 256 buckets
    bucket     plain    (section, tag) -> version and SHA-256 of the cell; key: the tags' first byte

The cells of all sections shared the buckets.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Mapping

from mien.records import dataclass
from mien.vault.backends.base import Cells, VaultTable
from mien.vault.integrity.bucket import ENTRY_BYTES, Bucket
from mien.vault.integrity.hash_tree import NO_CELLS, HashTree, index_damaged

MAGIC = b"mienIDX1"
_BUCKETS, _DIGEST_BYTES = 256, 32
_HEAD = struct.Struct("<8sQQ32s")


class OldFormat(Exception):
    """The vault has a manifest of format 1: change it in a transaction that writes."""


@dataclass(frozen=True, slots=True)
class OldManifest:
    """What it says of the whole vault, and the digests of its buckets."""

    counter: int
    log_count: int
    log_head: bytes
    digests: bytes

    @classmethod
    def unpack(cls, plain: bytes) -> OldManifest:
        """ValueError for another length."""
        if len(plain) != _HEAD.size + _DIGEST_BYTES * _BUCKETS:
            raise ValueError("it is cut off")
        _, counter, log_count, log_head = _HEAD.unpack_from(plain)
        return cls(counter, log_count, log_head, plain[_HEAD.size :])


def move_index(old: OldManifest, cells: Cells, trees: Mapping[int, HashTree]) -> None:
    """Put every cell of the buckets into the tree of its section, and remove the buckets.

    trees: empty ones, by section code. Raises VaultDamaged for an altered bucket; then the
    transaction must not be committed. The cells themselves are not read.
    """
    buckets = [_bucket(number, old, cells) for number in range(_BUCKETS)]
    cells.clear(VaultTable.BUCKET)
    for bucket in buckets:
        for code, tree in trees.items():
            for tag in bucket.tags(code):
                entry = bucket.get(code, tag)
                assert entry is not None  # its tag was listed
                tree.put(tag, *entry)


def _bucket(number: int, old: OldManifest, cells: Cells) -> Bucket:
    packed = cells.get(VaultTable.BUCKET, bytes([number])) or b""
    digest = hashlib.sha256(packed).digest() if packed else NO_CELLS
    expected = old.digests[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES]
    if not hmac.compare_digest(digest, expected) or len(packed) % ENTRY_BYTES:
        raise index_damaged()
    return Bucket(packed)
