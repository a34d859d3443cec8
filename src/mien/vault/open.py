"""Open or make the vault that the settings name: its store, its key and its rollback guard."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from mien.errors import KeyUnavailable, UsageError, quote_path
from mien.files import exclusive_lock
from mien.settings import Settings
from mien.vault.admin.migrate_v1 import (
    check_never_sealed,
    new_file_beside,
    read_plain_records,
    replace_plain_vault,
)
from mien.vault.admin.status import VaultStatus
from mien.vault.backends.base import Store
from mien.vault.backends.postgres import PostgresStore
from mien.vault.backends.sqlite import SqliteStore
from mien.vault.centroids.sealed_centroids import divide_old_blocks
from mien.vault.crypto.local_keys import AskPassphrase, LocalKeys
from mien.vault.integrity.rollback_guard import RollbackGuard
from mien.vault.limits.attempts import Moment, moment_now
from mien.vault.records.record import Record
from mien.vault.transaction import TransactionManager
from mien.vault.vault import Vault

SEALING_WAIT_S = 60.0  # for another process that seals the vault of an older mien


def no_prompt() -> str:
    """Nobody can be asked for a passphrase. Raises KeyUnavailable."""
    raise KeyUnavailable(
        "the vault needs its passphrase and there is no prompt for it;"
        " put it into a file and set MIEN_VAULT_PASSPHRASE_FILE, or use another key:"
        " mien vault rotate --key file"
    )


def open_vault(
    settings: Settings,
    *,
    create: bool,
    surface: str,
    ask_passphrase: AskPassphrase = no_prompt,
    clock: Callable[[], Moment] = moment_now,
    environ: Mapping[str, str] | None = None,
) -> Vault:
    """The vault of these settings. Its key is looked for when the vault is first read.

    create: make it at the first change where there is none; otherwise an absent vault
    reads as empty. surface: one of `SURFACES`, for the log. Raises UsageError for a place
    that cannot be a vault.
    """
    store = _open_store(settings, create=create)
    keys = _keys_of(settings, ask_passphrase, environ)
    transactions = _transactions(store, keys, _guard_of(settings, store.place))
    return Vault(transactions, surface=surface, clock=clock)


def make_vault(
    settings: Settings,
    *,
    key_kind: str | None = None,
    surface: str,
    ask_passphrase: AskPassphrase = no_prompt,
    clock: Callable[[], Moment] = moment_now,
    environ: Mapping[str, str] | None = None,
) -> VaultStatus:
    """Make an empty vault, or seal the plain templates of an older mien.

    key_kind: where its key goes; None is the one of the settings. UsageError where there is a
    vault already, VaultDamaged for a plain file where a sealed vault was seen before.
    """
    plain = None if settings.vault_url else read_plain_records(settings.vault_path)
    if plain is not None:
        keys = _keys_of(settings, ask_passphrase, environ)
        with _sealing_alone(settings):
            plain = read_plain_records(settings.vault_path)
            if plain is not None:  # else another process has sealed it meanwhile
                return _seal_plain_vault(
                    settings, plain, keys, key_kind, surface=surface, clock=clock
                )
    with open_vault(
        settings,
        create=True,
        surface=surface,
        ask_passphrase=ask_passphrase,
        clock=clock,
        environ=environ,
    ) as vault:
        return vault.create(key_kind=key_kind)


def _sealing_alone(settings: Settings) -> AbstractContextManager[None]:
    """Two processes would write the new file, and put it in place half written, at once."""

    def refused(reason: str) -> UsageError:
        return UsageError(f"cannot seal the vault {quote_path(settings.vault_path)}: {reason}")

    return exclusive_lock(settings.state_dir / "sealing.lock", refused, wait_s=SEALING_WAIT_S)


def _seal_plain_vault(
    settings: Settings,
    plain: list[Record],
    keys: LocalKeys,
    key_kind: str | None,
    *,
    surface: str,
    clock: Callable[[], Moment],
) -> VaultStatus:
    place = SqliteStore(settings.vault_path, create=False).place
    guard = _guard_of(settings, place)
    check_never_sealed(guard, place)
    made = new_file_beside(settings.vault_path)
    transactions = _transactions(SqliteStore(made, create=True), keys, None)
    with Vault(transactions, surface=surface, clock=clock) as vault:
        status = vault.create(key_kind=key_kind, plain_records=plain)
        with transactions.reading() as transaction:
            assert transaction is not None  # it was made just now
            state = transaction.state
    with guard.staged(state) as remember:
        replace_plain_vault(made, settings.vault_path)
        remember()
    return status


def _transactions(store: Store, keys: LocalKeys, guard: RollbackGuard | None) -> TransactionManager:
    return TransactionManager(store, keys, guard, migrate=divide_old_blocks)


def _open_store(settings: Settings, *, create: bool) -> Store:
    if settings.vault_url is None:
        return SqliteStore(settings.vault_path, create=create)
    return PostgresStore(settings.vault_url)


def _keys_of(
    settings: Settings, ask_passphrase: AskPassphrase, environ: Mapping[str, str] | None
) -> LocalKeys:
    return LocalKeys(
        settings.key_path,
        default_kind=settings.vault_key,
        ask_passphrase=ask_passphrase,
        environ=os.environ if environ is None else environ,
    )


def _guard_of(settings: Settings, place: str) -> RollbackGuard:
    return RollbackGuard(settings.state_dir / "vaults", place)
