"""Centroids in a table that the database itself compares: readable there, and opt-in.

They are written in the transaction of their records, beside the sealed ones. Whoever can change
the table can hide people from a search, and no more: it only points to records.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from mien.errors import UsageError, VaultDamaged
from mien.vault.backends.base import MAKE_VECTORS_AGAIN, VectorTable
from mien.vault.transaction import Transaction

if TYPE_CHECKING:
    from mien.results import FloatArray

_PAGE = 1000


def table_of(transaction: Transaction) -> VectorTable:
    """The table of vectors. UsageError for a store that cannot have one."""
    table = transaction.cells.vectors
    if table is None:
        raise UsageError(
            "pgvector needs a vault in PostgreSQL; set MIEN_VAULT to postgresql://USER@HOST/DATABASE"
        )
    return table


def create(transaction: Transaction) -> None:
    """Make the table where there is none. UsageError and VaultDamaged as `VectorTable.create`."""
    table_of(transaction).create()


def put(
    transaction: Transaction, parts: Mapping[tuple[str, int], Mapping[bytes, FloatArray]]
) -> None:
    """Add or replace unit rows (d,), by tag, by (the hash of their model, the number of a leaf)."""
    import numpy as np

    table = table_of(transaction)
    for sha256, its in groupby(sorted(parts), key=lambda part: part[0]):
        rows = {tag: row for part in its for tag, row in parts[part].items()}
        tags = list(rows)
        for start in range(0, len(tags), _PAGE):
            some = tags[start : start + _PAGE]
            table.put(bytes.fromhex(sha256), some, np.stack([rows[tag] for tag in some]))


def remove(transaction: Transaction, tag: bytes) -> None:
    """Remove the row of a tag, if there is one."""
    table_of(transaction).remove(tag)


def clear(transaction: Transaction, *, required: bool) -> None:
    """Remove all rows, also where the vault does not say that there are any.

    required: it says so. Else nothing is done with a table that was not granted to this role.
    """
    table = transaction.cells.vectors
    if table is not None:
        table.clear(required=required)


def verify(transaction: Transaction, expected: Mapping[tuple[str, bytes], FloatArray]) -> None:
    """VaultDamaged if the table has other rows than these, by the model's hash and the tag."""
    import numpy as np

    table, after, left = table_of(transaction), b"", len(expected)
    while page := table.scan(after=after, limit=_PAGE):
        for group, tag, row in page:
            known, after = expected.get((group.hex(), tag)), tag
            left -= 1
            if known is None or not np.array_equal(known.astype(np.float16), row):
                raise vectors_damaged()
    if left:
        raise vectors_damaged()


def vectors_damaged() -> VaultDamaged:
    """The error for a table of vectors that is not as mien wrote it."""
    return VaultDamaged(
        "the table of vectors does not agree with the records, which are sound; to make it again,"
        f" run: {MAKE_VECTORS_AGAIN}"
    )
