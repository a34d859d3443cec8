"""Seal a cell for its own place, and open it there only.

A cell's section, tag and version are authenticated with its content, so that it cannot be
moved, renamed or put back from an earlier version.
"""

from __future__ import annotations

from collections.abc import Sequence

from mien.vault.backends.base import VaultTable
from mien.vault.crypto.aead import VaultCipher

# part of the derived keys and of the associated data of every stored cell: never change one
_PURPOSES = {
    VaultTable.RECORD: "record",
    VaultTable.ATTEMPT: "attempt",
    VaultTable.CENTROIDS: "gallery",
}


def cell_tag(section: VaultTable, text: str, cipher: VaultCipher) -> bytes:
    """The cell's key in the store, 32 bytes: a keyed hash, which tells nothing of the text."""
    return cipher.tag(_PURPOSES[section], text)


def seal_cell(
    section: VaultTable,
    plain: bytes,
    *,
    tag: bytes,
    version: int,
    cipher: VaultCipher,
    also: Sequence[bytes] = (),
) -> bytes:
    """Encrypt the content of a cell. also: what else it belongs to, such as its model's hash."""
    bound_to = [tag, *also, version.to_bytes(8, "big")]
    return cipher.seal(plain, purpose=_PURPOSES[section], bound_to=bound_to)


def open_cell(
    section: VaultTable,
    sealed: bytes,
    *,
    tag: bytes,
    version: int,
    cipher: VaultCipher,
    also: Sequence[bytes] = (),
) -> bytes:
    """Decrypt what `seal_cell` made with the same arguments. VaultDamaged for anything else."""
    bound_to = [tag, *also, version.to_bytes(8, "big")]
    return cipher.open(sealed, purpose=_PURPOSES[section], bound_to=bound_to)
