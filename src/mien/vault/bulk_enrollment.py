"""Enroll many people: their records are made outside of the lock, and stored in few transactions.

A door waits while a transaction changes the vault, so each of them is kept short: after one that
held the lock for longer than `LOCK_GOAL_S`, the next one stores fewer people.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal

from mien.errors import UsageError, quote
from mien.records import dataclass
from mien.vault.backends.base import VaultTable
from mien.vault.crypto.aead import VaultCipher
from mien.vault.log_writer import LogWriter
from mien.vault.people import is_enrolled, store_checked_records
from mien.vault.records.new_names import check_new_name
from mien.vault.records.record import Record, already_enrolled, check_user_name
from mien.vault.records.sealed_record import user_tag
from mien.vault.records.template_codec import pack_template
from mien.vault.rotated_space import RotatedSpace
from mien.vault.transaction import Transaction, TransactionManager

if TYPE_CHECKING:
    from mien.results import FloatArray, ModelId

LOCK_GOAL_S = 0.15
LEAST, FIRST, MOST = 50, 100, 1000  # people in one transaction
PAUSE_S = 0.02  # between two: whoever waits in another process asks for the lock every 25 ms or so

BulkOutcome = Literal["enrolled", "replaced", "already_enrolled", "refused"]
Person = tuple[str, "FloatArray"]
"""A name, and the plain unit embeddings (k, d) float32 of that person's photos."""


@dataclass(frozen=True, slots=True)
class EnrolledPerson:
    """How it went with one person.

    user: the name as it was given. outcome: "enrolled"; "replaced" for one who was enrolled before;
    "already_enrolled" for one whose record stays as it was; "refused" for a name that cannot be
    one, or came before in the same call. photos: that were stored. why: nothing was stored; else
    empty.
    """

    user: str
    outcome: BulkOutcome
    photos: int = 0
    why: str = ""


def came_before(name: str) -> UsageError:
    """The error for a name that comes a second time."""
    return UsageError(
        f"{quote(name)} came before, maybe in another spelling; put their photos together"
    )


class BulkEnrollment:
    """See `Vault.enroll_many` for the arguments."""

    def __init__(
        self, transactions: TransactionManager, log: LogWriter, *, model: ModelId, replace: bool
    ) -> None:
        self._transactions, self._log = transactions, log
        self._model, self._replace = model, replace
        self._came: set[str] = set()  # names; two spellings of Unicode can be one

    def run(self, people: Iterable[Person]) -> list[EnrolledPerson]:
        """Everybody, in the order of `people`."""
        left, size, done = iter(people), FIRST, list[EnrolledPerson]()
        while batch := list(islice(left, size)):
            if done:
                time.sleep(PAUSE_S)
            found, held_s = self._enroll(batch)
            done += found
            size = max(LEAST, min(int(len(batch) * LOCK_GOAL_S / held_s), 2 * size, MOST))
        return done

    def _enroll(self, batch: Sequence[Person]) -> tuple[list[EnrolledPerson], float]:
        """In one transaction; and for how many seconds it held the lock."""
        with self._transactions.reading() as before:
            cipher = None if before is None else before.cipher
        made = None if cipher is None else self._records(batch, cipher)
        with self._transactions.writing() as transaction:
            start_s = time.perf_counter()
            # another key since, or a new vault
            if made is None or transaction.cipher is not cipher:
                made = self._records(batch, transaction.cipher)
            found = self._store(batch, made, transaction)
        return found, max(time.perf_counter() - start_s, 1e-6)

    def _records(
        self, batch: Sequence[Person], cipher: VaultCipher
    ) -> list[Record | EnrolledPerson]:
        """The record of each person, or why there is none. ValueError as `Vault.enroll_many`."""
        import numpy as np

        from mien.results import Template

        rows = np.concatenate([Template(vectors, self._model).vectors for _, vectors in batch])
        rotated, start = RotatedSpace(cipher, self._model).protect(rows), 0
        stamp = self._log.stamp()
        made: list[Record | EnrolledPerson] = []
        for user, vectors in batch:
            template = Template(rotated[start : start + len(vectors)], self._model)
            start += len(vectors)
            try:
                name, payload = check_user_name(user), pack_template(template)
                made.append(Record(name, self._model, stamp, payload))
            except UsageError as error:
                made.append(EnrolledPerson(user, "refused", why=str(error)))
        return made

    def _store(
        self,
        batch: Sequence[Person],
        made: Sequence[Record | EnrolledPerson],
        transaction: Transaction,
    ) -> list[EnrolledPerson]:
        found, kept = list[EnrolledPerson](), dict[str, Record]()
        words: list[tuple[str, str]] = []
        names = [one.user for one in made if isinstance(one, Record)]
        tags = [user_tag(name, transaction.cipher) for name in names]
        transaction.manifest.fetch([(VaultTable.RECORD, tag) for tag in tags])
        for (user, vectors), one in zip(batch, made, strict=True):
            if isinstance(one, EnrolledPerson):
                found.append(one)
                continue
            known = is_enrolled(one.user, transaction)
            refusal = self._refusal(user, one.user, known, kept, transaction)
            self._came.add(one.user)
            if refusal is not None:
                found.append(refusal)
                continue
            kept[one.user] = one
            words.append((one.user, "replaced" if known else "done"))
            found.append(EnrolledPerson(user, "replaced" if known else "enrolled", len(vectors)))
        store_checked_records(list(kept.values()), transaction)
        self._log.write_all(transaction, "enroll", words)
        return found

    def _refusal(
        self,
        user: str,
        name: str,
        known: bool,
        kept: dict[str, Record],
        transaction: Transaction,
    ) -> EnrolledPerson | None:
        if name in self._came:
            return EnrolledPerson(user, "refused", why=str(came_before(name)))
        if known and not self._replace:
            error = already_enrolled(name, "remove that person first, or replace the template")
            return EnrolledPerson(user, "already_enrolled", why=str(error))
        if not known:
            try:
                check_new_name(name, lambda one: one in kept or is_enrolled(one, transaction))
            except UsageError as error:
                return EnrolledPerson(user, "refused", why=str(error))
        return None
