"""From settings to an open vault: which store, which key, which witness."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mien.errors import KeyUnavailable
from mien.settings import Settings
from mien.vault.attempts import Moment, moment_now
from mien.vault.header import Kdf
from mien.vault.keys import (
    FileKeys,
    KeyringKeys,
    KeySource,
    PassphraseKeys,
    SystemdKeys,
    systemd_credential,
)
from mien.vault.safe import Safe
from mien.vault.seal import KEY_BYTES
from mien.vault.sealed import SealedVault
from mien.vault.sqlite_store import SqliteStore
from mien.vault.store import MemoryStore
from mien.vault.takeover import take_over_plain_rows
from mien.vault.witness import Witness

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
    store = SqliteStore(settings.vault_path, create=create)
    keys = KeyPlaces(
        settings.key_path,
        default_kind=settings.vault_key,
        ask=ask,
        environ=os.environ if environ is None else environ,
    )
    safe = Safe(store, keys, Witness(settings.state_dir / "vaults", store.place))
    take_over_plain_rows(store, safe)
    return safe


def open_vault(
    settings: Settings,
    *,
    create: bool,
    surface: str,
    ask: Ask = no_prompt,
    clock: Callable[[], Moment] = moment_now,
    environ: Mapping[str, str] | None = None,
) -> SealedVault:
    """The vault of these settings.

    create: make it at the first change where there is none; otherwise an absent vault
    reads as empty. surface: who asks, for the log. Raises UsageError for a place that
    cannot be a vault.
    """
    safe = open_safe(settings, create=create, ask=ask, environ=environ)
    return SealedVault(safe, surface=surface, clock=clock)


def open_memory_vault(*, clock: Callable[[], Moment] = moment_now) -> SealedVault:
    """A vault that forgets when the program ends, under a key that nobody else has."""
    return SealedVault(Safe(MemoryStore(), _MemoryKeys(), None), clock=clock)


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
        return self._keys[key_id]

    def new_key(self, key_id: bytes, random: Callable[[int], bytes]) -> bytes:
        self._keys[key_id] = random(KEY_BYTES)
        return self._keys[key_id]

    def keep_only(self, key_id: bytes) -> None:
        self._keys = {key_id: self._keys[key_id]}
