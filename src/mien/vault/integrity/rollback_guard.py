"""What the vault looked like last: kept outside it, so that an old copy put back is noticed.

One small file for each vault place, in the user's state folder: the vault's id and the
highest counter seen. It is read before the vault and raised after a change, so it is never
ahead of an honest vault; after a crash it may be behind, which only makes it less strict.
It is written before the change and put in its place after, so that a full disk stops both.
It carries no MAC: who could edit it could as well delete it.
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
class Sighting:
    """The vault's id and its counter, as they were seen."""

    vault_id: bytes
    counter: int


class Witness:
    """folder: where the files lie. place: of the vault, as its store names it."""

    def __init__(self, folder: Path, place: str) -> None:
        self._place = place
        self._path = folder / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.seen"

    @property
    def path(self) -> Path:
        return self._path

    def last(self) -> Sighting | None:
        """Read before the vault is. None where this vault was never seen here.

        Raises VaultDamaged for a file that is not a sighting.
        """
        try:
            text = read_regular(self._path, _MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._damaged(error.strerror or "it cannot be read") from error
        try:
            magic, vault_id, counter = text.decode("ascii").split()
            if magic != "mien-seen-1" or len(text) > _MAX_BYTES:
                raise ValueError(magic)
            return Sighting(bytes.fromhex(vault_id), int(counter))
        except ValueError as error:  # UnicodeDecodeError is one too
            raise self._damaged("it is not as mien writes it") from error

    def expect(self, last: Sighting | None, vault_id: bytes, counter: int) -> None:
        """The vault must be the one last seen, and not an earlier state of it.

        Raises VaultDamaged otherwise, with the way out for somebody who put it back
        on purpose.
        """
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

    def expect_none(self) -> None:
        """Where no vault is, none must have been seen. VaultDamaged otherwise."""
        last = self.last()
        if last is not None:
            raise VaultDamaged(
                f"the vault {quote(self._place)} is gone: it was seen there at change"
                f" {last.counter}; restore it from a backup, or, if you took it away yourself,"
                " run: mien vault verify --accept"
            )

    def forget(self) -> None:
        """The vault that was seen was taken away on purpose."""
        with self._alone():
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                raise self._damaged(error.strerror or "it cannot be removed") from error

    def note(self, vault_id: bytes, counter: int, *, accept: bool = False) -> None:
        """Raise the counter to this one. accept: also take it down, or to another vault."""
        with self.noting(vault_id, counter, accept=accept) as note:
            note()

    @contextmanager
    def noting(
        self, vault_id: bytes, counter: int, *, accept: bool = False
    ) -> Iterator[Callable[[], None]]:
        """`note` in two steps: the sighting is written at once, and noted by the call.

        Between the two the vault is changed for good: where nothing can be remembered, it
        is not changed. Raises VaultDamaged; from the call for a change that was done. The
        lock is not kept between them: whoever changes the vault has locks of its own.
        """
        sighting = Sighting(vault_id, counter)
        with ExitStack() as written:
            with self._alone():
                if not accept:
                    self.last()
                line = f"mien-seen-1 {vault_id.hex()} {counter}\n"
                try:
                    put = written.enter_context(staged_write(self._path, line.encode()))
                except OSError as error:
                    raise self._damaged(error.strerror or "it cannot be written") from error
            yield lambda: self._remember(sighting, put, accept=accept)

    def _remember(
        self, sighting: Sighting, put_in_place: Callable[[], None], *, accept: bool
    ) -> None:
        try:
            with self._alone():
                last = None if accept else self.last()
                same = last is not None and last.vault_id == sighting.vault_id
                if last is None or not same or last.counter < sighting.counter:
                    put_in_place()
        except (OSError, VaultDamaged) as error:
            raise VaultDamaged(
                f"done, but not remembered in {quote(str(self._path))}: an older copy of the vault"
                " would pass until the next change; mend that folder"
            ) from error

    def _alone(self) -> AbstractContextManager[None]:
        return exclusive_lock(self._path.parent / ".lock", self._damaged)

    def _damaged(self, why: str) -> VaultDamaged:
        return VaultDamaged(
            f"cannot use {quote(str(self._path))}, which remembers the vault's last state: {why};"
            " mend it, or run: mien vault verify --accept"
        )
