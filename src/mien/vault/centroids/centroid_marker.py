"""How a vault keeps centroids: a sealed cell says it, and of which models there are any."""

from __future__ import annotations

import json
from enum import Enum

from mien.errors import VaultDamaged
from mien.vault.backends.base import VaultTable
from mien.vault.centroids.centroid_cells import get_cell, read_cell, write_cell
from mien.vault.sealed_cells import cell_tag
from mien.vault.transaction import Transaction

_MARKER = "which models"
_OFF = b"null"  # turned off by the user


class CentroidStorage(Enum):
    """The value is the word of the command."""

    OFF = "off"
    SEALED = "on"
    DATABASE = "pgvector"
    """Sealed, and also where the database can read and compare them."""


def read_marker(transaction: Transaction) -> tuple[CentroidStorage, set[str]]:
    """How centroids are kept now, and the hashes of the models that have any.

    VaultDamaged if that cannot be known any more.
    """
    plain = read_cell(transaction, _tag(transaction))
    if plain in (None, _OFF):
        return CentroidStorage.OFF, set()
    found = json.loads(plain)
    if isinstance(found, dict):
        return CentroidStorage.DATABASE, set(found["pgvector"])
    return CentroidStorage.SEALED, set(found)


def stored_as(transaction: Transaction) -> CentroidStorage:
    """How centroids are kept now. Raises VaultDamaged."""
    return read_marker(transaction)[0]


def are_kept(transaction: Transaction) -> bool:
    """Whether there are centroids. Raises VaultDamaged."""
    return stored_as(transaction) is not CentroidStorage.OFF


def choice_of(transaction: Transaction) -> CentroidStorage | None:
    """How they are kept, OFF if they were turned off, None while nothing was chosen.

    By the number of cells where the marker is damaged.
    """
    cells = transaction.manifest.count(VaultTable.CENTROIDS)
    if not cells:
        return None
    try:
        return stored_as(transaction)
    except VaultDamaged:
        return CentroidStorage.SEALED


def is_chosen(transaction: Transaction) -> bool:
    """Whether centroids are kept, or were turned off by the user."""
    return get_cell(transaction, _tag(transaction)) is not None


def write_marker(
    transaction: Transaction, storage: CentroidStorage, models: set[str] | None = None
) -> None:
    """models: that have centroids; none where they are off."""
    found: object = sorted(models or ())
    if storage is CentroidStorage.DATABASE:
        found = {"pgvector": found}
    plain = _OFF if storage is CentroidStorage.OFF else json.dumps(found).encode()
    write_cell(transaction, _tag(transaction), plain)


def _tag(transaction: Transaction) -> bytes:
    return cell_tag(VaultTable.CENTROIDS, _MARKER, transaction.cipher)
