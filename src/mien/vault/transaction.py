"""A store with its key: opens to a checked index, and lets no old copy pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from mien.errors import KeyUnavailable, NotEnrolled, VaultDamaged, quote
from mien.vault.backends.base import Cells, Section, Store
from mien.vault.crypto.aead import KEY_BYTES, VAULT_ID_BYTES, Seals
from mien.vault.crypto.key_sources import KeySource
from mien.vault.crypto.key_wrap import KEY_ID_BYTES, Header, Kdf, new_kdf, unwrap, wrap
from mien.vault.integrity.manifest import Index
from mien.vault.integrity.rollback_guard import Sighting, Witness

HEADER_KEY = b"header"


class Keys(Protocol):
    """Where keys are looked for. default_kind: of a vault that is made now."""

    @property
    def default_kind(self) -> str: ...

    @property
    def writable_kinds(self) -> tuple[str, ...]:
        """Kinds whose places hold keys that can be dropped."""
        ...

    def source(self, kind: str, vault_id: bytes, kdf: Kdf | None) -> KeySource:
        """The place of this kind. Raises KeyUnavailable for one that is not to be had here."""
        ...


@dataclass(slots=True, eq=False)
class Opened:
    """One transaction: the checked index, and the seals that its cells are under.

    A rotation puts a new index, seals and header in the place of the old ones.
    """

    index: Index
    seals: Seals
    header: Header
    cells: Cells


class Safe:
    """Transactions on a sealed vault.

    witness: remembers the last state; None for a vault in memory. random: n -> n bytes.
    Raises KeyUnavailable without the key, VaultDamaged for what does not check out.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        witness: Witness | None,
        *,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.store = store
        self.keys = keys
        self.witness = witness
        self.random = random
        self._unlocked: tuple[bytes, Header, Seals] | None = None

    @contextmanager
    def reading(self, *, accept: bool = False) -> Iterator[Opened | None]:
        """The vault as it is now; None where there is none yet.

        accept: also an older copy, or another vault than the one last seen.
        """
        last = None if self.witness is None or accept else self.witness.last()
        with ExitStack() as transaction:
            opened = self._snapshot(transaction)
            if opened is not None:
                self._expect_newest(last, opened)
            yield opened

    def accept(self, note: Callable[[Opened], None]) -> None:
        """Take what lies there for the vault, and let `note` say so in it; nothing if it is."""
        try:
            with self.reading():
                return
        except VaultDamaged:
            with self.writing(create=False, accept=True) as opened:
                note(opened)

    @contextmanager
    def writing(
        self, *, kind: str | None = None, create: bool = True, accept: bool = False
    ) -> Iterator[Opened]:
        """A change, kept when the block ends well.

        kind: where the key of a vault made here goes; None is the default. create: make
        a vault where there is none; otherwise NotEnrolled. accept: as in `reading`, and the
        state after this change is the one to be remembered.
        """
        last = None if self.witness is None or accept else self.witness.last()
        with ExitStack() as noting:
            with self.store.writing() as cells:
                packed = cells.get(Section.META, HEADER_KEY)
                if packed is None:
                    opened = self._made(cells, kind, create=create)
                else:
                    opened = self._open(packed, cells)
                    self._expect_newest(last, opened)
                yield opened
                opened.index.finish()
                # a new vault in the place of one that was taken away starts the sightings anew
                note = noting.enter_context(self._noting(opened, accept=accept or packed is None))
            note()

    def expect_never_seen(self, *, accept: bool = False) -> None:
        """Where no vault is, there must never have been one. VaultDamaged otherwise.

        accept: it was taken away on purpose.
        """
        if self.witness is not None and accept:
            self.witness.forget()
        elif self.witness is not None:
            self.witness.expect_none()

    def new_header(self, data_key: bytes, vault_id: bytes, kind: str) -> tuple[Header, KeySource]:
        """Wrap a data key under a new key, which is in its place when this returns."""
        kdf = new_kdf(self.random) if kind == "passphrase" else None
        source = self.keys.source(kind, vault_id, kdf)
        key_id = self.random(KEY_ID_BYTES)
        kek = source.new_key(key_id, self.random)
        header = wrap(
            data_key,
            kek,
            vault_id=vault_id,
            key_id=key_id,
            kind=kind,
            kdf=kdf,
            random=self.random,
        )
        return header, source

    def _noting(
        self, opened: Opened, *, accept: bool
    ) -> AbstractContextManager[Callable[[], None]]:
        if self.witness is None:
            return nullcontext(lambda: None)
        return self.witness.noting(opened.seals.vault_id, opened.index.counter, accept=accept)

    def _made(self, cells: Cells, kind: str | None, *, create: bool) -> Opened:
        self._expect_empty(cells)
        if not create:
            raise no_vault(self.store.place)
        return self._create(cells, kind or self.keys.default_kind)

    def _create(self, cells: Cells, kind: str) -> Opened:
        vault_id, data_key = self.random(VAULT_ID_BYTES), self.random(KEY_BYTES)
        header, _ = self.new_header(data_key, vault_id, kind)
        packed, seals = header.to_bytes(), Seals(data_key, vault_id)
        cells.put(Section.META, HEADER_KEY, packed)
        self._unlocked = (packed, header, seals)  # who chose a passphrase is not asked again
        return Opened(Index(cells, seals, new=True), seals, header, cells)

    def _snapshot(self, transaction: ExitStack) -> Opened | None:
        cells = transaction.enter_context(self.store.reading())
        packed = cells.get(Section.META, HEADER_KEY)
        if packed is None:
            self._expect_empty(cells)
            return None
        try:
            return self._open(packed, cells)
        except KeyUnavailable:
            # a rotation may have taken the key away since this snapshot: look once more
            transaction.close()
            cells = transaction.enter_context(self.store.reading())
            newer = cells.get(Section.META, HEADER_KEY)
            if newer is None or newer == packed:
                raise
            return self._open(newer, cells)

    def _open(self, packed: bytes, cells: Cells) -> Opened:
        if self._unlocked is None or self._unlocked[0] != packed:
            header = Header.from_bytes(packed)
            source = self.keys.source(header.kind, header.vault_id, header.kdf)
            data_key = unwrap(header, source.load(header.key_id))
            seals = Seals(data_key, header.vault_id)
            self._unlocked = (packed, header, seals)
        _, header, seals = self._unlocked
        return Opened(Index(cells, seals), seals, header, cells)

    def _expect_newest(self, last: Sighting | None, opened: Opened) -> None:
        if self.witness is not None:
            self.witness.expect(last, opened.seals.vault_id, opened.index.counter)

    def _expect_empty(self, cells: Cells) -> None:
        for space in Section:
            if cells.scan(space, after=b"", limit=1):
                raise VaultDamaged(
                    f"the vault {quote(self.store.place)} has lost its header;"
                    " restore it from a backup"
                )


def no_vault(place: str) -> NotEnrolled:
    """The error for a change of a vault that is not there, in the same words everywhere."""
    return NotEnrolled(f"there is no vault at {quote(place)}; run: mien vault init")
