"""The vault: templates, counts of failed attempts and the audit log, all of them sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from mien.errors import NotEnrolled, Outcome, quote
from mien.vault.admin import migrate_v1, rotation, status, transfer
from mien.vault.admin.centroid_choice import set_centroids
from mien.vault.admin.status import VaultStatus
from mien.vault.admin.transfer import Existing, ImportResult
from mien.vault.attempt import Attempt, charged_attempt
from mien.vault.backends.base import VaultTable
from mien.vault.bulk_enrollment import BulkEnrollment, EnrolledPerson, Person
from mien.vault.cached_reads import CachedReads
from mien.vault.centroids.centroid_marker import CentroidStorage
from mien.vault.centroids.centroid_matches import CentroidSearch
from mien.vault.integrity.audit_log import Entry, merge_attempts
from mien.vault.limits.attempts import Moment, moment_now
from mien.vault.log_export import ExportedEntry, exported_entries
from mien.vault.log_writer import LogWriter
from mien.vault.people import (
    drop_thumbnail,
    find_record,
    is_enrolled,
    record_at,
    remove_record,
    rename_record,
    store_record,
)
from mien.vault.records.record import (
    Record,
    RecordHead,
    already_enrolled,
    check_user_name,
)
from mien.vault.rotated_space import LookupResult, RotatedSpace, SpaceOf, spaces_of
from mien.vault.transaction import TransactionManager

if TYPE_CHECKING:
    from mien.results import ModelId


class Vault:
    """The people, attempts and log of one vault. Safe to use from several threads.

    transactions: on the store, with its key. surface: one of `SURFACES`, for the log. clock:
    gives the present moment.
    Every change is one transaction: it is on the disk when the method returns, and is in
    the log. Names go through `check_user_name`, which raises UsageError. A closed vault raises
    ValueError. Every method raises VaultDamaged for a store that cannot be used or does not
    pass verification, and KeyUnavailable without its key.
    """

    def __init__(
        self,
        transactions: TransactionManager,
        *,
        surface: str = "library",
        clock: Callable[[], Moment] = moment_now,
    ) -> None:
        self._transactions = transactions
        self._log = LogWriter(surface, clock, transactions.random)
        self._cached = CachedReads(transactions)

    @property
    def place(self) -> str:
        """A path or a URL, without any password."""
        return self._transactions.store.place

    # people ----------------------------------------------------------------------------------

    def holds(self, user: str) -> bool:
        """Whether the user is enrolled, by the manifest: the record itself may be damaged."""
        name = check_user_name(user)
        with self._transactions.reading() as transaction:
            return transaction is not None and is_enrolled(name, transaction)

    def is_empty(self) -> bool:
        """Whether nobody is enrolled, by the manifest."""
        with self._transactions.reading() as found:
            return found is None or not found.manifest.count(VaultTable.RECORD)

    def vault_id(self) -> bytes | None:
        """16 random bytes, no secret, that stay the vault's own; None where there is none yet."""
        with self._transactions.reading() as found:
            return None if found is None else found.header.vault_id

    def look_up(self, user: str) -> LookupResult | None:
        """The record of this name and what goes with it; None where there is no vault yet."""
        name = check_user_name(user)
        with self._transactions.reading() as transaction:
            if transaction is None:
                return None
            return LookupResult(
                record=find_record(name, transaction),
                space_of=spaces_of(transaction.cipher),
                decoy_seed=transaction.cipher.tag("decoy", name),
            )

    def list_people(self) -> Sequence[RecordHead]:
        """Who is enrolled, sorted by user name in code point order, at this moment.

        Opens every record once, and later those of what has changed.
        """
        return self._cached.list_people()

    def people_page(self, *, after: str, limit: int) -> tuple[dict[bytes, Record], bool]:
        """Tag -> record of the next names in code point order, and whether there are more.

        after: a name, whether or not it is enrolled; "" for the first page. Opens every record
        once, and later those of the page and what has changed.
        """
        return self._cached.people_page(after, limit)

    def centroids_of(self, model: ModelId) -> tuple[CentroidSearch, RotatedSpace | None]:
        """The centroids of all templates of this model, and their space.

        What was read before and has not changed since is not read again.
        """
        return self._cached.centroids_of(model)

    def record_at(self, tag: bytes) -> Record | None:
        """The record of a tag that `centroids_of` gave; None if it was removed since."""
        return self.records_at([tag])[0]

    def records_at(self, tags: Sequence[bytes]) -> list[Record | None]:
        """As `record_at`, of each tag, in one transaction."""
        with self._transactions.reading() as transaction:
            return [None if transaction is None else record_at(tag, transaction) for tag in tags]

    def update(
        self,
        user: str,
        make: Callable[[Record | None, SpaceOf], Record],
        *,
        replace: bool = False,
        logged: str = "added",
    ) -> Record:
        """Store what `make` returns, in one transaction: of two updates at once, both are kept.

        make: gets the stored record or None, and the space of a model; it should be quick. An
        error that it raises leaves the vault as it was. replace: the stored record is not
        read, so that a damaged one does no harm; `make` gets None. logged: the word of an "enroll"
        of somebody who is enrolled.
        """
        name = check_user_name(user)
        with self._transactions.writing() as transaction:
            known = is_enrolled(name, transaction)
            stored = None if replace else find_record(name, transaction)
            record = make(stored, spaces_of(transaction.cipher))
            store_record(record, transaction)
            word = "done" if not known else "replaced" if replace else logged
            self._log.write(transaction, "enroll", name, word)
        return record

    def enroll_many(
        self, people: Iterable[Person], *, model: ModelId, replace: bool = False
    ) -> list[EnrolledPerson]:
        """Enroll many in transactions of up to 1,000 people, so that no door waits for long.

        people: (name, plain unit embeddings (k, d) float32 of the photos), walked once; after an
        error those of earlier transactions stay enrolled. Nothing is checked of the faces.
        replace: what is stored of a name; else it stays. A name that comes twice is
        refused the second time. Each person is in the log. ValueError for
        rows that are not unit vectors, or not all of one length.
        """
        bulk = BulkEnrollment(self._transactions, self._log, model=model, replace=replace)
        return bulk.run(people)

    def rename(self, old: str, new: str) -> str:
        """Give a person another name, and return it as it was stored.

        The template, the time of enrollment and the count of failed attempts stay. Raises
        NotEnrolled for the old name and AlreadyEnrolled for the new one.
        """
        old_name, new_name = check_user_name(old), check_user_name(new)
        with self._transactions.writing(create=False) as transaction:
            record = find_record(old_name, transaction)
            if record is None:
                raise NotEnrolled(f"{quote(old_name)} is not enrolled; mien list shows who is")
            if is_enrolled(new_name, transaction):
                raise already_enrolled(new_name, "choose another name")
            rename_record(record, new_name, transaction)
            self._log.write(transaction, "rename", old_name)
            self._log.write(transaction, "new_name", new_name)
        return new_name

    def remove(self, user: str) -> bool:
        """Forget the user, also one whose record is damaged. False if there was none."""
        name = check_user_name(user)
        if not self.holds(name):
            return False  # an absent vault is not created by forgetting
        with self._transactions.writing() as transaction:
            removed = remove_record(name, transaction)
            self._log.write(transaction, "forget", name, "done" if removed else "not_enrolled")
        return removed

    def remove_thumbnail(self, user: str) -> bool:
        """Remove the picture of the user's face. False if there was none."""
        name = check_user_name(user)
        with self._transactions.writing(create=False) as transaction:
            return drop_thumbnail(name, transaction)

    def attempt(self, user: str | None) -> AbstractContextManager[Attempt]:
        """One attempt to unlock as this user; the same work whether or not the user exists.

        user: None for an identification, which has a count of its own. The attempt is charged
        before anything is compared, so that a killed process and two racing ones count too.
        UNLOCKED clears the user's failures; a picture without one face to compare, and an
        error, take the charge back; any other outcome, or none, stays a failure.
        A refused attempt is not logged: endless attempts would fill the log.
        Raises TooManyAttempts, which says how long to wait.
        """
        name = None if user is None else check_user_name(user)
        return charged_attempt(
            name, self._transactions, now=self._log.now, write_log=self._log.write
        )

    # the vault as a whole --------------------------------------------------------------------

    def create(
        self, *, key_kind: str | None = None, plain_records: Sequence[Record] = ()
    ) -> VaultStatus:
        """Make the vault. UsageError where there is one.

        key_kind: where its key goes; None is the default. plain_records: to store in it.
        """
        return migrate_v1.create_vault(
            self._transactions, plain_records, key_kind=key_kind, write_log=self._log.write
        )

    def status(self) -> VaultStatus | None:
        """Key, people and counts; None where there is no vault yet. VaultDamaged if it is gone."""
        return status.vault_status(self._transactions)

    def verify(self, *, accept: bool = False) -> VaultStatus | None:
        """Open every record, count and log entry, and let the store check itself.

        accept: an older copy was put back, or the vault was deleted, on purpose; the log notes
        it. Raises VaultDamaged for the first thing that does not pass.
        """
        write_note = self._log.writing("accept_copy") if accept else None
        return status.verify_vault(self._transactions, accept=write_note)

    def rotate(
        self,
        *,
        key_kind: str | None = None,
        new_passphrase: str | None = None,
        accept_log: bool = False,
    ) -> int:
        """Seal everything under a new key, after which the old key opens nothing.

        key_kind: where the new key goes; None keeps the present kind. new_passphrase: for the
        kind "passphrase"; None asks for it. accept_log: keep what is left of a log that was
        tampered with, and note that in the log; False refuses it with VaultDamaged. Returns
        how many records there were. Raises NotEnrolled where there is no vault.
        """
        return rotation.rotate_vault(
            self._transactions,
            key_kind=key_kind,
            new_passphrase=new_passphrase,
            accept_log=self._log.writing("accept_log") if accept_log else None,
            before_commit=self._log.writing("rotate"),
        )

    def export_people(self, path: Path, passphrase: str) -> int:
        """Write all records to a new file under a passphrase, mode 0600. Returns how many.

        Raises NotEnrolled where there is no vault, and UsageError for a short passphrase or a
        file that exists or cannot be written.
        """
        return transfer.export_people(
            self._transactions, path, passphrase, before_commit=self._log.writing("export")
        )

    def import_people(
        self, path: Path, passphrase: str, *, existing: Existing = "refuse"
    ) -> ImportResult:
        """Store the records of an export file, all or none.

        existing: what to do with a name that is enrolled: "refuse" (AlreadyEnrolled), "keep" it
        as it is, or "replace" it. Raises VaultDamaged for an altered file, KeyUnavailable for
        a wrong passphrase, and UsageError for a file that is not an export.
        """
        return transfer.import_people(
            self._transactions,
            path,
            passphrase,
            existing=existing,
            before_commit=self._log.writing("import"),
        )

    def enable_centroids(self, *, readable_in_database: bool = False) -> None:
        """Keep the centroid of each template, for quick identification.

        readable_in_database: also in a table that pgvector compares, as docs/fleet.md says; only
        with PostgreSQL, otherwise UsageError. Raises NotEnrolled where there is no vault.
        """
        storage = CentroidStorage.DATABASE if readable_in_database else CentroidStorage.SEALED
        set_centroids(self._transactions, storage, self._log.write)

    def disable_centroids(self) -> None:
        """Remove all centroids. NotEnrolled where there is no vault."""
        set_centroids(self._transactions, CentroidStorage.OFF, self._log.write)

    def log_unknown_name(self, user: str) -> None:
        """Log an attempt for a name that is not enrolled; nothing where there is no vault yet."""
        name = check_user_name(user)
        with self._transactions.reading() as transaction:
            if transaction is None:
                return
        with self._transactions.writing(create=False) as changed:
            self._log.write(changed, "unlock", name, Outcome.NOT_ENROLLED.value)

    def read_log(self) -> list[Entry]:
        """The whole log, oldest first, with its chain verified; one entry for each attempt."""
        with self._transactions.reading() as transaction:
            entries = [] if transaction is None else transaction.manifest.read_log()
        return merge_attempts(Entry.from_bytes(entry) for entry in entries)

    def export_log(self) -> Iterator[ExportedEntry]:
        """The log as it is now, oldest first, some entries in memory at a time: what another
        system keeps. VaultDamaged, also after the last one, if it was tampered with."""
        return exported_entries(self._transactions)

    def close(self) -> None:
        """Close the store. A second call does nothing."""
        self._transactions.store.close()

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
