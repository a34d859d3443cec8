"""Remember the vault's last state outside the vault, so that an old copy put back is noticed.

There is one small file for each vault, in the user's state folder: the state that was last seen
there. A later state has to continue it: with several machines on one vault, an earlier state
that was put back and changed by another machine has a higher counter, but another log.

The file is read before the vault, and written after a change and after a later state was read.
So it is never ahead of an honest vault; after a crash it may be behind, which only makes it
less strict. It is written before the change and put in place after it, so that a full disk
stops both. It carries no MAC: whoever could edit it could as well delete it.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from mien.errors import VaultDamaged, quote
from mien.files import exclusive_lock, fault_of_owner, read_regular, staged_write, temporary_files
from mien.records import dataclass, replace
from mien.vault.integrity.audit_log import FIRST_LINK

_REMEDIES = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.EROFS: "make its file system writable and try again",
}
_MAX_BYTES = 512
_WORD, _OLD_WORD = "mien-seen-2", "mien-seen-1"  # of mien 0.1, with the id and the counter only
_DELETED = "deleted"

LogContinues = Callable[[int, bytes], bool]
"""Whether the vault's log continues one of this length and last link."""


@dataclass(frozen=True, slots=True)
class VaultState:
    """A state of a vault. counter: of changes. log_head: the last link of its log.

    digest: SHA-256 of the sealed manifest; empty if it is not known. deleted: the vault of this
    state was deleted, which was accepted.
    """

    vault_id: bytes
    counter: int
    log_count: int = 0
    log_head: bytes = FIRST_LINK
    digest: bytes = b""
    deleted: bool = False

    def is_older_than(self, state: VaultState) -> bool:
        """Whether to remember the other state; also if more is known of it, or it is another
        vault's."""
        if self.deleted or self.vault_id != state.vault_id:
            return True
        return (self.counter, self.digest != b"") < (state.counter, state.digest != b"")

    def to_text(self) -> str:
        hexadecimal = (self.log_head.hex(), self.digest.hex() or "-")
        numbers = f"{_WORD} {self.vault_id.hex()} {self.counter} {self.log_count}"
        return " ".join((numbers, *hexadecimal, *([_DELETED] if self.deleted else []))) + "\n"

    @classmethod
    def from_text(cls, text: str) -> VaultState:
        """Read what `to_text`, or mien 0.1, wrote. ValueError for anything else."""
        word, vault_id, counter, *rest = text.split()
        if word == _OLD_WORD and not rest:
            return cls(bytes.fromhex(vault_id), int(counter))
        count, head, digest, *flags = rest
        if word != _WORD or flags not in ([], [_DELETED]):
            raise ValueError(word)
        return cls(
            bytes.fromhex(vault_id),
            int(counter),
            log_count=int(count),
            log_head=bytes.fromhex(head),
            digest=b"" if digest == "-" else bytes.fromhex(digest),
            deleted=bool(flags),
        )


class RollbackGuard:
    """folder: where the files are. place: of the vault, as its store names it."""

    def __init__(self, folder: Path, place: str) -> None:
        self._place = place
        self._path = folder / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.seen"

    def read_last(self) -> VaultState | None:
        """The last state; None where no vault was ever seen. Call it before reading the vault.

        Raises VaultDamaged for a file that mien did not write.
        """
        try:
            text = read_regular(self._path, _MAX_BYTES + 1, expect=self._expect_own)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read") from error
        try:
            if len(text) > _MAX_BYTES:
                raise ValueError("too long")
            return VaultState.from_text(text.decode("ascii"))
        except ValueError as error:  # UnicodeDecodeError is one too
            raise self._unusable("mien did not write it") from error

    def check(self, last: VaultState | None, found: VaultState, continues: LogContinues) -> None:
        """VaultDamaged if this is not the vault last seen, or neither its last state nor a later
        one that continues it."""
        if last is None:
            return
        if last.deleted or last.vault_id != found.vault_id:
            raise self._refused("is not the vault that was last seen there")
        if found.counter < last.counter:
            raise self._refused(
                f"is an old copy: it is at change {found.counter}, and change {last.counter} was"
                " seen"
            )
        if found.counter == last.counter and last.digest in (b"", found.digest):
            return
        if found.counter == last.counter or not continues(last.log_count, last.log_head):
            raise self._refused(
                f"does not continue what was seen at change {last.counter}: an old copy was put"
                " there and changed since, or its log was accepted on another machine"
            )

    def check_never_existed(self, last: VaultState | None) -> None:
        """Where no vault is: VaultDamaged if one was seen, unless its deletion is accepted."""
        if last is not None and not last.deleted:
            raise VaultDamaged(
                f"the vault {quote(self._place)} is gone: it was seen there at change"
                f" {last.counter}; restore it from a backup, or, if you deleted it yourself,"
                " run: mien vault verify --accept"
            )

    def accept_deletion(self) -> None:
        """Note that the vault was deleted on purpose; its old copies are refused as before."""
        with self._locked():
            last = self.read_last()
        if last is not None:
            self.remember(replace(last, deleted=True), accept=True)

    def remember(self, state: VaultState, *, accept: bool = False) -> None:
        """Remember a state that was read. accept: as for `staged`."""
        with self.staged(state, accept=accept) as put_in_place:
            put_in_place()

    @contextmanager
    def staged(self, state: VaultState, *, accept: bool = False) -> Iterator[Callable[[], None]]:
        """Write the new state at once; calling what is yielded makes it the remembered one.

        The vault is committed between the two: where the state cannot be written, the vault
        is not changed. The counter is only raised. accept: also lower it, or remember another
        vault. Raises VaultDamaged; from the call for a change that was made. The lock is not
        held between the two, because whoever changes the vault holds the store's lock.
        """
        with ExitStack() as written:
            with self._locked():
                if not accept:
                    self.read_last()
                try:
                    self._remove_temporary_files()
                    write = staged_write(self._path, state.to_text().encode())
                    put = written.enter_context(write)
                except OSError as error:
                    raise self._unusable(error.strerror or "it cannot be written") from error
            yield lambda: self._remember(state, put, accept=accept)

    def _remember(
        self, state: VaultState, put_in_place: Callable[[], None], *, accept: bool
    ) -> None:
        try:
            with self._locked():
                last = None if accept else self.read_last()
                if last is None or last.is_older_than(state):
                    put_in_place()
        except (OSError, VaultDamaged) as error:
            raise VaultDamaged(
                f"the change was made, but could not be noted in {quote(str(self._path))}: "
                "an older copy of the vault would be accepted until the next change; "
                "make that folder writable"
            ) from error

    def _remove_temporary_files(self) -> None:
        for one in temporary_files(self._path.parent):
            with suppress(FileNotFoundError):
                one.unlink()

    def _expect_own(self, status: os.stat_result) -> None:
        fault = fault_of_owner(status)
        if fault:
            raise self._unusable(fault)

    def _locked(self) -> AbstractContextManager[None]:
        return exclusive_lock(self._path.parent / ".lock", self._unusable)

    def _refused(self, what: str) -> VaultDamaged:
        return VaultDamaged(
            f"{quote(self._place)} {what}; if you put it there yourself, run:"
            " mien vault verify --accept"
        )

    def _unusable(self, why: str) -> VaultDamaged:
        remedy = "make it readable and writable, or run: mien vault verify --accept"
        for number, instead in _REMEDIES.items():  # then there is nothing to be accepted
            if os.strerror(number) in why:
                remedy = instead
        return VaultDamaged(
            f"cannot use {quote(str(self._path))}, which remembers the vault's last state: {why};"
            f" {remedy}"
        )
