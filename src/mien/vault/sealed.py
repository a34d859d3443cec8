"""The vault: who is enrolled, how often the door was tried, and what happened, all sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING

from mien.errors import ExitCode, MienError
from mien.vault.attempts import Moment, moment_now
from mien.vault.door import Charge, charge, settle
from mien.vault.log import Entry, verify_chain
from mien.vault.record import Record, RecordHead, already_enrolled, check_user_name, utc_stamp
from mien.vault.safe import Opened, Safe
from mien.vault.sealed_record import model_hash_of, open_record, seal_record, user_tag
from mien.vault.store import Space

if TYPE_CHECKING:
    from mien.results import FloatArray, ModelId

SURFACES = ("command", "web", "pam", "library")


@dataclass(slots=True)
class Attempt:
    """One try at the door. Whoever tries sets the outcome before the block ends."""

    outcome: ExitCode | None = None


class SealedVault:
    """Templates, attempts and log of one vault. Safe to use from several threads.

    safe: the store with its key. surface: one of `SURFACES`, for the log. clock: what
    time it is.
    Every change is one transaction that is on the disk when the method returns, and is
    in the log. Names go through `check_user_name`; a closed vault raises ValueError.
    Any method raises VaultDamaged for a store that cannot be used or does not check
    out, and KeyUnavailable without its key.
    """

    def __init__(
        self,
        safe: Safe,
        *,
        surface: str = "library",
        clock: Callable[[], Moment] = moment_now,
    ) -> None:
        if surface not in SURFACES:
            raise ValueError(f"a surface is one of {', '.join(SURFACES)}")
        self.safe = safe
        self._surface = surface
        self._clock = clock

    def get(self, user: str) -> Record | None:
        """The user's record; None if there is none, which is proven by the index."""
        name = check_user_name(user)
        with self.safe.reading() as opened:
            return None if opened is None else _record_of(name, opened)

    def update(self, user: str, make: Callable[[Record | None], Record]) -> Record:
        """Store what `make` makes of what is stored, alone: of two at once, both are kept.

        make: gets the record or None, and should be quick. What it raises leaves the
        vault as it was. A damaged record is raised as VaultDamaged: `put` with replace
        does not look at it.
        """
        name = check_user_name(user)
        with self.safe.writing() as opened:
            record = make(_record_of(name, opened))
            self._store(record, opened)
            self._log(opened, "enrol", name, "done")
        return record

    def put(self, record: Record, *, replace: bool) -> None:
        """Keep the record. AlreadyEnrolled if the name is taken and `replace` is false."""
        with self.safe.writing() as opened:
            if not replace and opened.index.get(Space.RECORD, user_tag(record.user, opened.seals)):
                raise already_enrolled(record.user)
            self._store(record, opened)
            self._log(opened, "enrol", record.user, "done")

    def remove(self, user: str) -> bool:
        """Forget the user, also one whose record is damaged. False if there was none."""
        name = check_user_name(user)
        if not self._holds(name):
            return False  # an absent vault is not made by forgetting
        with self.safe.writing() as opened:
            removed = opened.index.drop(Space.RECORD, user_tag(name, opened.seals))
            opened.index.drop(Space.ATTEMPT, opened.seals.tag("attempt", name))
            self._log(opened, "forget", name, "done" if removed else "not_enrolled")
        return removed

    def heads(self) -> list[RecordHead]:
        """Who is enrolled, sorted by user name in code point order. Opens every record."""
        with self.safe.reading() as opened:
            found = [] if opened is None else list(_all_records(opened))
        return sorted((record.head for record in found), key=lambda head: head.user)

    def records(self, model: ModelId) -> Iterator[Record]:
        """All records of this model, sorted by user name."""
        with self.safe.reading() as opened:
            found = [] if opened is None else list(_all_records(opened, model.sha256))
        ours = [record for record in found if record.model == model]
        return iter(sorted(ours, key=lambda record: record.user))

    def protect(self, vectors: FloatArray, model: ModelId) -> FloatArray:
        """Unit vectors (n, d) float32 as this vault stores them: turned by its secret key.

        Cosines stay as they are. A vault that is not there yet is made.
        """
        from mien.vault.transform import Transform

        with self.safe.reading() as opened:
            seals = None if opened is None else opened.seals
        if seals is None:
            with self.safe.writing() as made:
                seals = made.seals
        return Transform(seals.transform_key(model.sha256), vectors.shape[1]).protect(vectors)

    @contextmanager
    def attempt(self, user: str, *, kind: str = "unlock") -> Iterator[Attempt]:
        """One try at this user's door; the same work whether or not there is such a user.

        The try is charged before anything is compared, so that a killed process and two
        racing ones count too. UNLOCKED clears the user's failures, a picture without a
        face to compare and an error give the try back, everything else stays a failure.
        A refused try is not in the log: whoever knocks for ever would fill it.
        Raises TooManyAttempts, which says how long to wait.
        """
        name = check_user_name(user)
        with self.safe.writing() as opened:
            charged = charge(name, opened, self._clock())
        if charged.refused is not None:
            raise charged.refused
        attempt = Attempt()
        try:
            yield attempt
        except MienError as error:
            self._settle(name, kind, error.exit_code, charged, attempted=False)
            raise
        # UNLOCKED is zero, so `or` would take it for no answer
        outcome = ExitCode.NOT_THE_OWNER if attempt.outcome is None else attempt.outcome
        looked = outcome not in (ExitCode.NO_FACE, ExitCode.SEVERAL_FACES)
        self._settle(name, kind, outcome, charged, attempted=looked)

    def log_entries(self) -> list[Entry]:
        """The whole log, oldest first, its chain verified."""
        with self.safe.reading() as opened:
            if opened is None:
                return []
            entries = list(opened.index.log_entries())
            verify_chain(entries, head=opened.index.log_head, count=opened.index.log_count)
        return [Entry.from_bytes(entry) for _, entry in entries]

    def close(self) -> None:
        """Let go of the store. A second call does nothing."""
        self.safe.store.close()

    def __enter__(self) -> SealedVault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _holds(self, name: str) -> bool:
        with self.safe.reading() as opened:
            if opened is None:
                return False
            tag = user_tag(name, opened.seals)
            return tag in opened.index.tags(Space.RECORD, tag[0])

    def _store(self, record: Record, opened: Opened) -> None:
        index = opened.index
        sealed = seal_record(record, opened.seals, version=index.next_version)
        index.put(Space.RECORD, user_tag(record.user, opened.seals), sealed)

    def _settle(
        self, name: str, kind: str, outcome: ExitCode, charged: Charge, *, attempted: bool
    ) -> None:
        with self.safe.writing() as opened:
            unlocked = outcome is ExitCode.UNLOCKED
            now = self._clock()
            settle(name, opened, now, charged, unlocked=unlocked, attempted=attempted)
            self._log(opened, kind, name, outcome.name.lower())

    def _log(self, opened: Opened, kind: str, user: str, outcome: str) -> None:
        at = utc_stamp(datetime.fromtimestamp(self._clock().wall_s, timezone.utc))
        entry = Entry(at=at, kind=kind, user=user, outcome=outcome, where=self._surface)
        opened.index.append_log(entry.to_bytes())


def _record_of(name: str, opened: Opened) -> Record | None:
    tag = user_tag(name, opened.seals)
    cell = opened.index.get(Space.RECORD, tag)
    return None if cell is None else open_record(tag, cell, opened.seals)


def _all_records(opened: Opened, sha256: str | None = None) -> Iterator[Record]:
    for tag, cell in opened.index.scan(Space.RECORD):
        if sha256 is None or model_hash_of(cell) == sha256:
            yield open_record(tag, cell, opened.seals)
