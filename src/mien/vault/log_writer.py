"""Write the entries of the audit log: when, what, who, and on which surface."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timezone

from mien.records import replace
from mien.vault.integrity.audit_log import NONCE_BYTES, Entry
from mien.vault.limits.attempts import Moment
from mien.vault.records.record import utc_stamp
from mien.vault.transaction import Transaction

SURFACES = ("command", "web", "pam", "library")


class LogWriter:
    """surface: one of `SURFACES`; ValueError for another. random: n -> n bytes."""

    def __init__(
        self, surface: str, clock: Callable[[], Moment], random: Callable[[int], bytes]
    ) -> None:
        if surface not in SURFACES:
            raise ValueError(f"the surface must be one of {', '.join(SURFACES)}")
        self._surface, self._clock, self._random = surface, clock, random

    def write(
        self, transaction: Transaction, kind: str, user: str = "", outcome: str = "done"
    ) -> str:
        """Append an entry within the transaction. Returns its time, as `utc_stamp` writes it."""
        return self.write_all(transaction, kind, [(user, outcome)])

    def write_all(
        self, transaction: Transaction, kind: str, entries: Iterable[tuple[str, str]]
    ) -> str:
        """Append an entry for each (user, outcome), all at one time, which is returned."""
        at = self._stamp(self.now(transaction))
        if transaction.follows_deleted and transaction.manifest.log_count == 0:
            self._append(transaction, Entry(at, "accept_copy", "", "deleted", self._surface))
        for user, outcome in entries:
            self._append(transaction, Entry(at, kind, user, outcome, self._surface))
        return at

    def writing(self, kind: str) -> Callable[[Transaction], None]:
        """What appends an entry of this kind, about nobody."""

        def write(transaction: Transaction) -> None:
            self.write(transaction, kind)

        return write

    def now(self, transaction: Transaction) -> Moment:
        """With the database's wall clock, if it has one: all machines then see the same."""
        now, wall_s = self._clock(), transaction.cells.wall_s()
        return now if wall_s is None else replace(now, wall_s=wall_s)

    def stamp(self) -> str:
        """The time by this machine's clock, as `utc_stamp` writes it."""
        return self._stamp(self._clock())

    @staticmethod
    def _stamp(moment: Moment) -> str:
        return utc_stamp(datetime.fromtimestamp(moment.wall_s, timezone.utc))

    def _append(self, transaction: Transaction, entry: Entry) -> None:
        unique = replace(entry, nonce=self._random(NONCE_BYTES).hex())
        transaction.manifest.append_log(unique.to_bytes())
