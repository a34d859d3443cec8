"""Choose how a vault keeps centroids."""

from __future__ import annotations

from mien.vault.attempt import WriteLog
from mien.vault.centroids import sealed_centroids
from mien.vault.centroids.centroid_marker import CentroidStorage, choice_of
from mien.vault.transaction import TransactionManager


def set_centroids(
    transactions: TransactionManager, storage: CentroidStorage, write_log: WriteLog
) -> None:
    """Make them anew, or remove them. NotEnrolled where there is no vault.

    That the database can read them from now on, or no longer, is logged.
    """
    with transactions.writing(create=False) as transaction:
        before = choice_of(transaction)
        if storage is CentroidStorage.OFF:
            sealed_centroids.disable(transaction)
        else:
            sealed_centroids.enable(transaction, storage)
        if before is not storage and CentroidStorage.DATABASE in (before, storage):
            now_readable = storage is CentroidStorage.DATABASE
            write_log(transaction, "vault", "", "readable" if now_readable else "not_readable")
