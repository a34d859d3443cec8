"""The sealed cells of centroids: read and written one at a time, and verified like the records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mien.errors import VaultDamaged
from mien.vault.backends.base import VaultTable
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.manifest import Cell
from mien.vault.sealed_cells import open_cell, seal_cell
from mien.vault.transaction import Transaction


def get_cell(transaction: Transaction, tag: bytes) -> Cell | None:
    """As it is stored; None if there is none. VaultDamaged says that it is of the centroids."""
    with verified_centroids():
        return transaction.manifest.get(VaultTable.CENTROIDS, tag)


def read_cell(transaction: Transaction, tag: bytes) -> bytes | None:
    """The plain content; None if there is none. Raises VaultDamaged."""
    cell = get_cell(transaction, tag)
    return None if cell is None else open_centroids(tag, cell, transaction.cipher)


def open_centroids(tag: bytes, cell: Cell, cipher: VaultCipher) -> bytes:
    """The plain content of a cell. Raises VaultDamaged."""
    return open_cell(VaultTable.CENTROIDS, cell.value, tag=tag, version=cell.version, cipher=cipher)


def write_cell(transaction: Transaction, tag: bytes, plain: bytes) -> None:
    """Seal the content and store it."""
    version = transaction.manifest.next_version
    sealed = seal_cell(
        VaultTable.CENTROIDS, plain, tag=tag, version=version, cipher=transaction.cipher
    )
    transaction.manifest.put(VaultTable.CENTROIDS, tag, sealed)


@contextmanager
def verified_centroids() -> Iterator[None]:
    """Say of damage that it is of the centroids alone."""
    try:
        yield
    except VaultDamaged as error:
        raise centroids_damaged(
            "a cell of the centroids was altered, removed or put back; the records were not"
        ) from error


def centroids_damaged(what: str) -> VaultDamaged:
    """The error for centroids that can be made again from the records."""
    return VaultDamaged(
        f"{what}; to make them again, run: mien vault centroids off && mien vault centroids on"
    )
