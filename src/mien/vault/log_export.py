"""The log for another system to keep: every entry with its place in the chain, some at a time."""

from __future__ import annotations

from collections.abc import Iterator

from mien.errors import VaultDamaged
from mien.records import dataclass
from mien.vault.integrity.audit_log import FIRST_LINK, Entry, link, log_damaged
from mien.vault.transaction import TransactionManager

AT_ONCE = 500  # entries that are read in one transaction, and held in memory


@dataclass(frozen=True, slots=True)
class ExportedEntry:
    """number: 1 for the first entry of the log. link: after this entry, in hexadecimal."""

    number: int
    entry: Entry
    link: str

    def to_dict(self) -> dict[str, object]:
        """For one line of JSON. The names of these fields do not change."""
        one = self.entry
        return {
            "number": self.number,
            "at": one.at,
            "kind": one.kind,
            "user": one.user,
            "outcome": one.outcome,
            "where": one.where,
            "nonce": one.nonce,
            "link": self.link,
        }


def exported_entries(transactions: TransactionManager) -> Iterator[ExportedEntry]:
    """The entries that the log has now, oldest first: of an attempt its start and its outcome.

    What is logged meanwhile is left out. Raises VaultDamaged for a log that was tampered with; for
    one that only its end gives away, after the last entry.
    """
    with transactions.reading() as transaction:
        if transaction is None:
            return
        count, head = transaction.manifest.log_count, transaction.manifest.log_head
    last = FIRST_LINK
    for start in range(0, count, AT_ONCE):
        with transactions.reading() as transaction:
            if transaction is None:
                raise VaultDamaged("the vault was removed while its log was read; restore it")
            page = transaction.manifest.read_log_page(start, min(AT_ONCE, count - start))
        for number, packed in enumerate(page, start + 1):
            last = link(last, packed)
            yield ExportedEntry(number, Entry.from_bytes(packed), last.hex())
    if last != head:
        raise log_damaged("an entry was edited")
