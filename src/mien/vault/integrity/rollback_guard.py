"""Remember the vault's last state outside the vault, so that an old copy put back is noticed.

There is one small file for each vault, in the user's state folder: the vault's id and the
highest counter seen. It is read before the vault and raised after a change, so it is never
ahead of an honest vault; after a crash it may be behind, which only makes it less strict.
It is written before the change and renamed into place after it, so that a full disk stops
both. It carries no MAC: whoever could edit it could as well delete it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mien.errors import VaultDamaged, quote
from mien.files import exclusive_lock, read_regular, staged_write

_MAX_BYTES = 512


@dataclass(frozen=True, slots=True)
class LastState:
    """The id and the counter of the vault when it was last seen."""

    vault_id: bytes
    counter: int


class RollbackGuard:
    """folder: where the files are. place: of the vault, as its store names it."""

    def __init__(self, folder: Path, place: str) -> None:
        self._place = place
        self._path = folder / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.seen"

    def read_last(self) -> LastState | None:
        """The last state; None where this vault was never seen. Call it before reading the vault.

        Raises VaultDamaged for a file that mien did not write.
        """
        try:
            text = read_regular(self._path, _MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read") from error
        try:
            magic, vault_id, counter = text.decode("ascii").split()
            if magic != "mien-seen-1" or len(text) > _MAX_BYTES:
                raise ValueError(magic)
            return LastState(bytes.fromhex(vault_id), int(counter))
        except ValueError as error:  # UnicodeDecodeError is one too
            raise self._unusable("mien did not write it") from error

    def check_not_older(self, last: LastState | None, vault_id: bytes, counter: int) -> None:
        """VaultDamaged if this is not the vault last seen, or an earlier state of it."""
        if last is None:
            return
        if last.vault_id != vault_id:
            raise VaultDamaged(
                f"{quote(self._place)} is not the vault that was last seen there; if you put"
                " it there yourself, run: mien vault verify --accept"
            )
        if counter < last.counter:
            raise VaultDamaged(
                f"{quote(self._place)} is an old copy: it is at change {counter}, and change"
                f" {last.counter} was seen; if you put the copy there yourself, run:"
                " mien vault verify --accept"
            )

    def check_never_existed(self) -> None:
        """Where no vault is, raise VaultDamaged if one was seen."""
        last = self.read_last()
        if last is not None:
            raise VaultDamaged(
                f"the vault {quote(self._place)} is gone: it was seen there at change"
                f" {last.counter}; restore it from a backup, or, if you deleted it yourself,"
                " run: mien vault verify --accept"
            )

    def forget(self) -> None:
        """Forget the last state: the vault was deleted on purpose."""
        with self._locked():
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                raise self._unusable(error.strerror or "it cannot be removed") from error

    @contextmanager
    def staged(
        self, vault_id: bytes, counter: int, *, accept: bool = False
    ) -> Iterator[Callable[[], None]]:
        """Write the new state at once; calling what is yielded makes it the remembered one.

        The vault is committed between the two: where the state cannot be written, the vault
        is not changed. The counter is only raised. accept: also lower it, or remember another
        vault. Raises VaultDamaged; from the call for a change that was made. The lock is not
        held between the two, because whoever changes the vault holds the store's lock.
        """
        state = LastState(vault_id, counter)
        with ExitStack() as written:
            with self._locked():
                if not accept:
                    self.read_last()
                line = f"mien-seen-1 {vault_id.hex()} {counter}\n"
                try:
                    put = written.enter_context(staged_write(self._path, line.encode()))
                except OSError as error:
                    raise self._unusable(error.strerror or "it cannot be written") from error
            yield lambda: self._remember(state, put, accept=accept)

    def _remember(
        self, state: LastState, put_in_place: Callable[[], None], *, accept: bool
    ) -> None:
        try:
            with self._locked():
                last = None if accept else self.read_last()
                same = last is not None and last.vault_id == state.vault_id
                if last is None or not same or last.counter < state.counter:
                    put_in_place()
        except (OSError, VaultDamaged) as error:
            raise VaultDamaged(
                f"the change was made, but could not be noted in {quote(str(self._path))}: "
                "an older copy of the vault would be accepted until the next change; "
                "make that folder writable"
            ) from error

    def _locked(self) -> AbstractContextManager[None]:
        return exclusive_lock(self._path.parent / ".lock", self._unusable)

    def _unusable(self, why: str) -> VaultDamaged:
        return VaultDamaged(
            f"cannot use {quote(str(self._path))}, which remembers the vault's last state: {why};"
            " make it readable and writable, or run: mien vault verify --accept"
        )
