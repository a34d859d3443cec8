"""From settings to an open vault: which store, which key, which witness."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mien.errors import KeyUnavailable, UsageError, VaultDamaged, quote
from mien.settings import Settings
from mien.vault.admin.migrate_v1 import plain_records, put_in_place
from mien.vault.admin.rotation import turned_anew
from mien.vault.admin.status import VaultStatus, vault_status
from mien.vault.backends.base import MemoryStore, Section, Store
from mien.vault.backends.sqlite import SqliteStore
from mien.vault.backends.sqlite_path import COMPANION_SUFFIXES
from mien.vault.crypto.aead import KEY_BYTES
from mien.vault.crypto.key_sources import (
    FileKeys,
    KeyringKeys,
    KeySource,
    PassphraseKeys,
    SystemdKeys,
    systemd_credential,
)
from mien.vault.crypto.key_wrap import Kdf
from mien.vault.integrity.rollback_guard import Witness
from mien.vault.limits.attempts import Moment, moment_now
from mien.vault.records.record import Record
from mien.vault.records.sealed_record import seal_record, user_tag
from mien.vault.transaction import Safe
from mien.vault.vault import Vault

Ask = Callable[[], str]


def no_prompt() -> str:
    """Where nobody can be asked. Raises KeyUnavailable."""
    raise KeyUnavailable(
        "the vault needs its passphrase and nobody is there to be asked;"
        " put it into a file and set MIEN_VAULT_PASSPHRASE_FILE, or use another key:"
        " mien vault rotate --key file"
    )


class KeyPlaces:
    """The places of a key on this machine; a systemd credential goes before the key file.

    ask: gives the passphrase. environ: of this process, for systemd's credentials.
    """

    writable_kinds = ("file", "keyring")

    def __init__(
        self, key_path: Path, *, default_kind: str, ask: Ask, environ: Mapping[str, str]
    ) -> None:
        self.default_kind = default_kind
        self._key_path = key_path
        self._ask = ask
        self._environ = environ

    def source(self, kind: str, vault_id: bytes, kdf: Kdf | None) -> KeySource:
        """The place of this kind. Raises KeyUnavailable for a kind that mien does not know."""
        if kind == "file":
            credential = systemd_credential(self._environ)
            if credential is not None:
                return SystemdKeys(credential, vault_id)
            return FileKeys(self._key_path, vault_id)
        if kind == "keyring":
            return KeyringKeys(vault_id)
        if kind == "passphrase" and kdf is not None:
            return PassphraseKeys(self._ask, kdf)
        raise KeyUnavailable(f"the vault's key is of the kind {kind!r}; upgrade mien")


def open_safe(
    settings: Settings,
    *,
    create: bool,
    ask: Ask = no_prompt,
    environ: Mapping[str, str] | None = None,
) -> Safe:
    """The store with its key and witness. The key is looked for when the vault is first read."""
    store = _open_store(settings, create=create)
    return Safe(store, keys_of(settings, ask, environ), _witness(settings, store.place))


def open_vault(
    settings: Settings,
    *,
    create: bool,
    surface: str,
    ask: Ask = no_prompt,
    clock: Callable[[], Moment] = moment_now,
    environ: Mapping[str, str] | None = None,
) -> Vault:
    """The vault of these settings.

    create: make it at the first change where there is none; otherwise an absent vault
    reads as empty. surface: who asks, for the log. Raises UsageError for a place that
    cannot be a vault.
    """
    safe = open_safe(settings, create=create, ask=ask, environ=environ)
    return Vault(safe, surface=surface, clock=clock)


def make_vault(
    settings: Settings,
    *,
    kind: str | None = None,
    surface: str,
    ask: Ask = no_prompt,
    clock: Callable[[], Moment] = moment_now,
    environ: Mapping[str, str] | None = None,
) -> VaultStatus:
    """Make an empty vault, or seal what an older mien kept in the clear.

    kind: where its key goes; None is the one of the settings. UsageError where there is a
    vault already, VaultDamaged for a plain file where a sealed vault was seen before.
    """
    keys = keys_of(settings, ask, environ)
    plain = None if settings.vault_url else plain_records(settings.vault_path)
    if plain is None:
        store = _open_store(settings, create=True)
        safe = Safe(store, keys, _witness(settings, store.place))
        with Vault(safe, surface=surface, clock=clock) as vault:
            return _filled(vault, [], kind)
    place = SqliteStore(settings.vault_path, create=False).place
    witness = _witness(settings, place)
    if witness.last() is not None:
        raise VaultDamaged(
            f"{quote(place)} holds faces in the clear, and a sealed vault was seen there before:"
            " somebody may have put it there; restore the vault from a backup"
        )
    made = settings.vault_path.with_name(settings.vault_path.name + ".sealing")
    for suffix in ("", *COMPANION_SUFFIXES):  # left by a try that was killed
        made.with_name(made.name + suffix).unlink(missing_ok=True)
    safe = Safe(SqliteStore(made, create=True), keys, None)
    with Vault(safe, surface=surface, clock=clock) as vault:
        facts = _filled(vault, plain, kind)
        with vault.safe.reading() as opened:
            assert opened is not None  # it was made just now
            vault_id = opened.seals.vault_id
    with witness.noting(vault_id, facts.counter) as note:
        put_in_place(made, settings.vault_path)
        note()
    return facts


def _filled(vault: Vault, plain: list[Record], kind: str | None) -> VaultStatus:
    with vault.safe.writing(kind=kind) as opened:
        if opened.index.counter:
            raise UsageError(
                f"there is a vault at {quote(vault.safe.store.place)} already;"
                " mien vault status says more"
            )
        vault.noted("vault")(opened)
        for record in plain:
            turned = turned_anew(record, None, opened.seals)
            sealed = seal_record(turned, opened.seals, version=opened.index.next_version)
            opened.index.put(Section.RECORD, user_tag(turned.user, opened.seals), sealed)
        if plain:
            vault.noted("import")(opened)
    facts = vault_status(vault.safe)
    assert facts is not None  # it was made just now
    return facts


def _open_store(settings: Settings, *, create: bool) -> Store:
    if settings.vault_url is None:
        return SqliteStore(settings.vault_path, create=create)
    from mien.vault.backends.postgres import PostgresStore

    return PostgresStore(settings.vault_url)


def keys_of(settings: Settings, ask: Ask, environ: Mapping[str, str] | None = None) -> KeyPlaces:
    """Where this user's keys lie."""
    return KeyPlaces(
        settings.key_path,
        default_kind=settings.vault_key,
        ask=ask,
        environ=os.environ if environ is None else environ,
    )


def _witness(settings: Settings, place: str) -> Witness:
    return Witness(settings.state_dir / "vaults", place)


def open_memory_vault(*, clock: Callable[[], Moment] = moment_now) -> Vault:
    """A vault that forgets when the program ends, under a key that nobody else has."""
    return Vault(Safe(MemoryStore(), _MemoryKeys(), None), clock=clock)


class _MemoryKeys:
    """Keys that are kept with the vault, in memory."""

    default_kind = "memory"
    writable_kinds = ("memory",)
    where = "memory"

    def __init__(self) -> None:
        self._keys: dict[bytes, bytes] = {}

    def source(self, kind: str, vault_id: bytes, kdf: Kdf | None) -> KeySource:
        return self

    def load(self, key_id: bytes) -> bytes:
        if key_id not in self._keys:
            raise KeyUnavailable("the key of this vault is not in memory; it was altered")
        return self._keys[key_id]

    def new_key(self, key_id: bytes, random: Callable[[int], bytes]) -> bytes:
        self._keys[key_id] = random(KEY_BYTES)
        return self._keys[key_id]

    def others(self, key_id: bytes) -> int:
        return len(self._keys.keys() - {key_id})

    def keep_only(self, key_id: bytes) -> None:
        self._keys = {key_id: self._keys[key_id]}
