"""The vault: who is enrolled, how often the door was tried, and what happened, all sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING

from mien.errors import ExitCode, MienError
from mien.vault.backends.base import Section
from mien.vault.crypto.aead import Seals
from mien.vault.integrity.audit_log import Entry
from mien.vault.integrity.manifest import BUCKETS
from mien.vault.limits.attempts import Moment, moment_now
from mien.vault.limits.counters import Charge, charge, settle
from mien.vault.records.record import (
    Record,
    RecordHead,
    already_enrolled,
    check_user_name,
    utc_stamp,
)
from mien.vault.records.sealed_record import model_hash_of, open_record, seal_record, user_tag
from mien.vault.transaction import Opened, Safe

if TYPE_CHECKING:
    from mien.results import FloatArray, ModelId
    from mien.vault.crypto.template_rotation import Transform
    from mien.vault.records.centroids import Centres

SURFACES = ("command", "web", "pam", "library")
ANYBODY = "/identify"  # attempts to be recognised; no user has a slash in the name


@dataclass(slots=True)
class Attempt:
    """One try at the door. Whoever tries sets the outcome before the block ends.

    user: who tried; to be recognised, nobody until it is set.
    """

    outcome: ExitCode | None = None
    user: str = ""


class RotatedSpace:
    """The space that one model's templates lie in: turned by a secret of the vault.

    Good as long as the vault is not rotated: take it in the transaction that reads.
    """

    def __init__(self, seals: Seals, model: ModelId) -> None:
        self._key = seals.transform_key(model.sha256)
        self._transform: Transform | None = None

    def protect(self, vectors: FloatArray) -> FloatArray:
        """Plain unit vectors (n, d) float32 as the vault stores them. Cosines stay as they are."""
        return self._of(vectors).protect(vectors)

    def reveal(self, vectors: FloatArray) -> FloatArray:
        """The way back."""
        return self._of(vectors).reveal(vectors)

    def _of(self, vectors: FloatArray) -> Transform:
        if self._transform is None or self._transform.dims != vectors.shape[1]:
            from mien.vault.crypto.template_rotation import Transform

            self._transform = Transform(self._key, vectors.shape[1])
        return self._transform


SpaceOf = Callable[["ModelId"], RotatedSpace]
"""A model -> the space of its templates, in the transaction at hand."""


@dataclass(frozen=True, slots=True, eq=False)
class LookupResult:
    """record: None for a name that nobody has. decoy: 32 secret bytes, ever the same for a name."""

    record: Record | None
    space_of: SpaceOf
    decoy: bytes = field(repr=False)


class Vault:
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
        self._centres: dict[tuple[bytes, str], dict[int, tuple[bytes, Centres]]] = {}

    def get(self, user: str) -> Record | None:
        """The user's record; None if there is none, which is proven by the index."""
        name = check_user_name(user)
        with self.safe.reading() as opened:
            return None if opened is None else _record_of(name, opened)

    def look_up(self, user: str) -> LookupResult | None:
        """What there is of this name, in one transaction; None where there is no vault yet."""
        name = check_user_name(user)
        with self.safe.reading() as opened:
            if opened is None:
                return None
            seals = opened.seals
            return LookupResult(
                record=_record_of(name, opened),
                space_of=lambda model: RotatedSpace(seals, model),
                decoy=seals.tag("decoy", name),
            )

    def holds(self, user: str) -> bool:
        """Whether the user is enrolled, by the index: the record itself may be damaged."""
        return self._holds(check_user_name(user))

    def holds_anybody(self) -> bool:
        """Whether anybody is enrolled, by the index."""
        with self.safe.reading() as opened:
            return opened is not None and opened.index.count(Section.RECORD) > 0

    def update(
        self,
        user: str,
        make: Callable[[Record | None, SpaceOf], Record],
        *,
        replace: bool = False,
    ) -> Record:
        """Store what `make` makes of what is stored, alone: of two at once, both are kept.

        make: gets the record or None, and the space of a model; it should be quick. What
        it raises leaves the vault as it was. replace: what is stored is not looked at, so
        that a damaged record does no harm; make gets None.
        """
        name = check_user_name(user)
        with self.safe.writing() as opened:
            stored = None if replace else _record_of(name, opened)
            record = make(stored, lambda model: RotatedSpace(opened.seals, model))
            self._store(record, opened)
            self._log(opened, "enroll", name, "done")
        return record

    def put(self, record: Record, *, replace: bool) -> None:
        """Keep the record. AlreadyEnrolled if the name is taken and `replace` is false."""
        with self.safe.writing() as opened:
            if not replace and opened.index.get(
                Section.RECORD, user_tag(record.user, opened.seals)
            ):
                raise already_enrolled(record.user)
            self._store(record, opened)
            self._log(opened, "enroll", record.user, "done")

    def remove(self, user: str) -> bool:
        """Forget the user, also one whose record is damaged. False if there was none."""
        name = check_user_name(user)
        if not self._holds(name):
            return False  # an absent vault is not made by forgetting
        with self.safe.writing() as opened:
            tag = user_tag(name, opened.seals)
            removed = opened.index.drop(Section.RECORD, tag)
            from mien.vault.records import centroids

            centroids.forget(opened, tag)
            opened.index.drop(Section.ATTEMPT, opened.seals.tag("attempt", name))
            self._log(opened, "forget", name, "done" if removed else "not_enrolled")
        return removed

    def heads(self) -> list[RecordHead]:
        """Who is enrolled, sorted by user name in code point order. Opens every record."""
        with self.safe.reading() as opened:
            found = [] if opened is None else list(_all_records(opened))
        return sorted((record.head for record in found), key=lambda head: head.user)

    def everybody(self, model: ModelId) -> tuple[list[Record], RotatedSpace | None]:
        """All records of this model, sorted by user name, and the space of their templates.

        Nobody, and no space, where there is no vault yet.
        """
        with self.safe.reading() as opened:
            if opened is None:
                return [], None
            found = [one for one in _all_records(opened, model.sha256) if one.model == model]
            return sorted(found, key=lambda one: one.user), RotatedSpace(opened.seals, model)

    def centres(self, model: ModelId) -> tuple[Centres, RotatedSpace | None]:
        """The centres of all templates of this model, and their space, for one matrix product.

        What was read before and has not changed since is not read again.
        """
        from mien.vault.records.centroids import Centres, centres_in

        with self.safe.reading() as opened:
            if opened is None:
                return Centres.joined([]), None
            known = self._centres.setdefault((opened.seals.vault_id, model.sha256), {})
            for number in range(BUCKETS):
                digest = opened.index.digest_of(number)
                if number not in known or known[number][0] != digest:
                    known[number] = (digest, centres_in(opened, model, number))
            parts = [known[number][1] for number in range(BUCKETS)]
            return Centres.joined(parts), RotatedSpace(opened.seals, model)

    def record_at(self, tag: bytes) -> Record | None:
        """The record of a tag that `centres` gave; None if it was removed since."""
        with self.safe.reading() as opened:
            cell = None if opened is None else opened.index.get(Section.RECORD, tag)
            return None if opened is None or cell is None else open_record(tag, cell, opened.seals)

    def set_gallery(self, on: bool) -> None:
        """Keep a gallery from now on, or no more. NotEnrolled where there is no vault."""
        from mien.vault.records import centroids

        with self.safe.writing(create=False) as opened:
            centroids.turn_on(opened) if on else centroids.turn_off(opened)

    @contextmanager
    def attempt(self, user: str | None) -> Iterator[Attempt]:
        """One try at this user's door; the same work whether or not there is such a user.

        user: None for a try to be recognised, which has a count of its own. The try is
        charged before anything is compared, so that a killed process and two racing ones
        count too. UNLOCKED clears the user's failures, a picture without a face to compare
        and an error give the try back, everything else stays a failure.
        A refused try is not in the log: whoever knocks for ever would fill it.
        Raises TooManyAttempts, which says how long to wait.
        """
        name = ANYBODY if user is None else check_user_name(user)
        with self.safe.writing() as opened:
            charged = charge(name, opened, self._now(opened))
        if charged.refused is not None:
            raise charged.refused
        attempt = Attempt(user="" if user is None else name)
        try:
            yield attempt
        except MienError as error:
            self._settle(name, attempt, error.exit_code, charged, attempted=False)
            raise
        # UNLOCKED is zero, so `or` would take it for no answer
        outcome = ExitCode.NOT_THE_OWNER if attempt.outcome is None else attempt.outcome
        looked = outcome not in (ExitCode.NO_FACE, ExitCode.SEVERAL_FACES)
        self._settle(name, attempt, outcome, charged, attempted=looked)

    def noted(self, kind: str) -> Callable[[Opened], None]:
        """What a change of the whole vault does last: an entry of this kind in the log."""
        return lambda opened: self._log(opened, kind, "", "done")

    def log_entries(self) -> list[Entry]:
        """The whole log, oldest first, its chain verified."""
        with self.safe.reading() as opened:
            if opened is None:
                return []
            entries = opened.index.log_entries()
        return [Entry.from_bytes(entry) for entry in entries]

    def close(self) -> None:
        """Let go of the store. A second call does nothing."""
        self.safe.store.close()

    def __enter__(self) -> Vault:
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
            return tag in opened.index.tags(Section.RECORD, tag[0])

    def _store(self, record: Record, opened: Opened) -> None:
        index = opened.index
        sealed = seal_record(record, opened.seals, version=index.next_version)
        index.put(Section.RECORD, user_tag(record.user, opened.seals), sealed)
        from mien.vault.records import centroids

        centroids.keep(opened, record)

    def _settle(
        self, name: str, attempt: Attempt, outcome: ExitCode, charged: Charge, *, attempted: bool
    ) -> None:
        with self.safe.writing() as opened:
            unlocked = outcome is ExitCode.UNLOCKED
            now = self._now(opened)
            settle(name, opened, now, charged, unlocked=unlocked, attempted=attempted)
            kind = "identify" if name == ANYBODY else "unlock"
            self._log(opened, kind, attempt.user, outcome.name.lower())

    def _now(self, opened: Opened) -> Moment:
        """With the wall clock of the database, where there is one: all machines see the same."""
        now, wall_s = self._clock(), opened.cells.wall_s()
        return now if wall_s is None else replace(now, wall_s=wall_s)

    def _log(self, opened: Opened, kind: str, user: str, outcome: str) -> None:
        at = utc_stamp(datetime.fromtimestamp(self._now(opened).wall_s, timezone.utc))
        entry = Entry(at=at, kind=kind, user=user, outcome=outcome, where=self._surface)
        opened.index.append_log(entry.to_bytes())


def _record_of(name: str, opened: Opened) -> Record | None:
    tag = user_tag(name, opened.seals)
    cell = opened.index.get(Section.RECORD, tag)
    return None if cell is None else open_record(tag, cell, opened.seals)


def _all_records(opened: Opened, sha256: str | None = None) -> Iterator[Record]:
    for tag, cell in opened.index.scan(Section.RECORD):
        if sha256 is None or model_hash_of(cell) == sha256:
            yield open_record(tag, cell, opened.seals)
