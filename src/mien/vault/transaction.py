"""Transactions on a sealed vault: unlock it with its key, verify it, and refuse an old copy."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Protocol

from mien.errors import KeyUnavailable, NotEnrolled, VaultDamaged, quote
from mien.records import dataclass
from mien.vault.backends.base import Cells, Store, VaultTable
from mien.vault.crypto.aead import KEY_BYTES, VAULT_ID_BYTES, VaultCipher
from mien.vault.crypto.key_sources import KeySource
from mien.vault.crypto.key_wrap import KEY_ID_BYTES, Header, Kdf, new_kdf, unwrap, wrap
from mien.vault.integrity.format1 import OldFormat
from mien.vault.integrity.manifest import MANIFEST_KEY, Manifest
from mien.vault.integrity.rollback_guard import RollbackGuard, VaultState

HEADER_KEY = b"header"


class Keys(Protocol):
    """Where the vault's key may be kept. default_kind: for a new vault."""

    @property
    def default_kind(self) -> str: ...

    @property
    def writable_kinds(self) -> tuple[str, ...]:
        """The kinds of source that keep keys and can remove them."""
        ...

    def source(self, kind: str, vault_id: bytes, kdf: Kdf | None) -> KeySource:
        """The source of this kind. Raises KeyUnavailable for a kind that is not known here."""
        ...

    def with_passphrase(self, passphrase: str) -> Keys:
        """The same sources with this passphrase, which is not asked for."""
        ...


@dataclass(slots=True, eq=False)
class Transaction:
    """One open transaction: the verified manifest, and the cipher that its cells are under.

    A key rotation replaces manifest, cipher and header. follows_deleted: the vault is new, in the
    place of one whose deletion was accepted. is_old: it is of format 1, and is being migrated.
    """

    manifest: Manifest
    cipher: VaultCipher
    header: Header
    cells: Cells
    follows_deleted: bool = False
    is_old: bool = False

    @property
    def state(self) -> VaultState:
        """What the rollback guard remembers: as it was read, or saved last."""
        manifest = self.manifest
        return VaultState(
            self.cipher.vault_id,
            manifest.counter,
            manifest.log_count,
            manifest.log_head,
            manifest.digest,
        )


class TransactionManager:
    """Opens transactions on one vault.

    guard: remembers the last state; None for a vault in memory. random: n -> n bytes.
    migrate: changes the cells of a vault of format 1 whose index was moved.
    Every method raises KeyUnavailable without the key, and VaultDamaged for a vault that
    does not pass verification.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        guard: RollbackGuard | None,
        *,
        migrate: Callable[[Transaction], None],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.store = store
        self.keys = keys
        self.guard = guard
        self.random = random
        self._migrate_cells = migrate
        self._unlocked: tuple[bytes, Header, VaultCipher] | None = None
        self._unlocking = threading.Lock()

    @contextmanager
    def reading(self, *, accept: bool = False) -> Iterator[Transaction | None]:
        """The vault as it is now; None where there is none yet.

        accept: also take an older copy, or another vault than the one last seen.
        """
        last = self._last_state(accept=accept)
        with ExitStack() as stack:
            try:
                transaction = self._snapshot(stack)
            except OldFormat:
                stack.close()
                self._migrate(accept=accept)
                last = self._last_state(accept=accept)
                transaction = self._snapshot(stack)
            if transaction is None:
                self._check_never_existed(last)
            elif self.guard is not None and not accept:
                self.guard.check(last, transaction.state, transaction.manifest.log_continues)
                if last is None or last.is_older_than(transaction.state):
                    self.guard.remember(transaction.state)
            yield transaction

    def accept(self, write_note: Callable[[Transaction], None]) -> None:
        """Accept an older or another vault, and note it there; nothing for the one last seen."""
        try:
            with self.reading():
                return
        except VaultDamaged:
            with self.writing(create=False, accept=True) as transaction:
                write_note(transaction)

    @contextmanager
    def writing(
        self,
        *,
        key_kind: str | None = None,
        create: bool = True,
        accept: bool = False,
        accept_log: bool = False,
    ) -> Iterator[Transaction]:
        """A change, committed when the block ends without an error.

        key_kind: where the key of a vault made here goes; None is the default. create: make
        a vault where there is none; otherwise NotEnrolled. accept: as in `reading`; the
        state after this change becomes the one that is remembered. accept_log: the log need not
        continue the one that was seen.
        """
        last = self._last_state(accept=accept)
        if last is not None and self._unlocked is None:
            with self.reading():  # a vault that is gone is not made anew
                pass
        with ExitStack() as staged:
            with self.store.writing() as cells:
                packed = _header_in(cells)
                if packed is None:
                    self._check_never_existed(last)
                    transaction = self._new_vault(cells, key_kind, create=create)
                    transaction.follows_deleted = last is not None
                else:
                    transaction = self._unlock_to_write(packed, cells)
                    self._check_continues(last, transaction, accept_log=accept_log)
                    if transaction.is_old:
                        self._migrate_cells(transaction)
                yield transaction
                transaction.manifest.save()
                # a new vault in the place of one that was deleted restarts the memory
                forget_last = accept or accept_log or packed is None
                remember = staged.enter_context(self._staged(transaction, accept=forget_last))
            remember()

    def accept_deletion(self) -> None:
        """Where no vault is: the one that was seen was deleted on purpose."""
        if self.guard is not None:
            self.guard.accept_deletion()

    def new_header(
        self, data_key: bytes, vault_id: bytes, kind: str, *, keys: Keys | None = None
    ) -> Header:
        """Wrap a data key under a new key, which is stored when this returns.

        keys: where the new key goes, if not into the sources of this vault.
        """
        kdf = new_kdf(self.random) if kind == "passphrase" else None
        source = (keys or self.keys).source(kind, vault_id, kdf)
        key_id = self.random(KEY_ID_BYTES)
        kek = source.new_key(key_id, self.random)
        return wrap(
            data_key,
            kek,
            vault_id=vault_id,
            key_id=key_id,
            kind=kind,
            kdf=kdf,
            random=self.random,
        )

    def _last_state(self, *, accept: bool) -> VaultState | None:
        """Read before the vault, so that it is never ahead of it."""
        return None if self.guard is None or accept else self.guard.read_last()

    def _staged(
        self, transaction: Transaction, *, accept: bool
    ) -> AbstractContextManager[Callable[[], None]]:
        if self.guard is None:
            return nullcontext(lambda: None)
        return self.guard.staged(transaction.state, accept=accept)

    def _check_never_existed(self, last: VaultState | None) -> None:
        if self.guard is not None:
            self.guard.check_never_existed(last)

    def _check_continues(
        self, last: VaultState | None, transaction: Transaction, *, accept_log: bool
    ) -> None:
        if self.guard is not None:
            continues = transaction.manifest.log_continues
            self.guard.check(
                last, transaction.state, (lambda count, head: True) if accept_log else continues
            )

    def _new_vault(self, cells: Cells, key_kind: str | None, *, create: bool) -> Transaction:
        self._check_empty(cells)
        if not create:
            raise no_vault(self.store.place)
        vault_id, data_key = self.random(VAULT_ID_BYTES), self.random(KEY_BYTES)
        header = self.new_header(data_key, vault_id, key_kind or self.keys.default_kind)
        packed, cipher = header.to_bytes(), VaultCipher(data_key, vault_id)
        cells.put(VaultTable.META, HEADER_KEY, packed)
        self._unlocked = (packed, header, cipher)  # a new passphrase is not asked for again
        return Transaction(Manifest(cells, cipher, new=True), cipher, header, cells)

    def _snapshot(self, stack: ExitStack) -> Transaction | None:
        cells = stack.enter_context(self.store.reading())
        packed = _header_in(cells)
        if packed is None:
            self._check_empty(cells)
            return None
        try:
            return self._unlock(packed, cells)
        except KeyUnavailable:
            # a rotation may have removed the key since this snapshot: look once more
            stack.close()
            cells = stack.enter_context(self.store.reading())
            newer = _header_in(cells)
            if newer is None or newer == packed:
                raise
            return self._unlock(newer, cells)

    def _migrate(self, *, accept: bool) -> None:
        """Bring a vault of format 1 to the present one, in a transaction of its own.

        accept: also one that is refused; it is accepted, and noted in the log, after this.
        """
        if not accept:
            with self.writing(create=False):
                return
        with self.store.writing() as cells:
            packed = _header_in(cells)
            if packed is None:
                return  # removed since
            transaction = self._unlock_to_write(packed, cells)
            if transaction.is_old:
                self._migrate_cells(transaction)
                transaction.manifest.save()

    def _unlock_to_write(self, packed: bytes, cells: Cells) -> Transaction:
        try:
            return self._unlock(packed, cells)
        except OldFormat:
            return self._unlock(packed, cells, migrate=True)

    def _unlock(self, packed: bytes, cells: Cells, *, migrate: bool = False) -> Transaction:
        with self._unlocking:  # nobody is asked twice for a passphrase
            if self._unlocked is None or self._unlocked[0] != packed:
                header = Header.from_bytes(packed)
                source = self.keys.source(header.kind, header.vault_id, header.kdf)
                data_key = unwrap(header, source.load(header.key_id))
                self._unlocked = (packed, header, VaultCipher(data_key, header.vault_id))
            _, header, cipher = self._unlocked
        manifest = Manifest(cells, cipher, migrate=migrate)
        return Transaction(manifest, cipher, header, cells, is_old=migrate)

    def _check_empty(self, cells: Cells) -> None:
        for section in VaultTable:
            if cells.scan(section, after=b"", limit=1):
                raise VaultDamaged(
                    f"the vault {quote(self.store.place)} has lost its header;"
                    " restore it from a backup"
                )


def _header_in(cells: Cells) -> bytes | None:
    cells.fetch([(VaultTable.META, HEADER_KEY), (VaultTable.META, MANIFEST_KEY)])
    return cells.get(VaultTable.META, HEADER_KEY)


def no_vault(place: str) -> NotEnrolled:
    """The error for a change of a vault that does not exist."""
    return NotEnrolled(f"there is no vault at {quote(place)}; run: mien vault init")
