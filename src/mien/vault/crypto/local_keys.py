"""The key sources of this machine: key file, systemd credential, OS keyring, passphrase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mien.errors import KeyUnavailable
from mien.vault.crypto.key_sources import (
    FileKeys,
    KeyringKeys,
    KeySource,
    PassphraseKeys,
    SystemdKeys,
    systemd_credential,
)
from mien.vault.crypto.key_wrap import Kdf

AskPassphrase = Callable[[], str]
"""Gives the passphrase, or raises KeyUnavailable where nobody can be asked."""


class LocalKeys:
    """The `Keys` of this user on this machine; a systemd credential goes before the key file.

    environ: of this process, for systemd's credentials.
    """

    writable_kinds = ("file", "keyring")

    def __init__(
        self,
        key_path: Path,
        *,
        default_kind: str,
        ask_passphrase: AskPassphrase,
        environ: Mapping[str, str],
    ) -> None:
        self.default_kind = default_kind
        self._key_path = key_path
        self._ask_passphrase = ask_passphrase
        self._environ = environ

    def source(self, kind: str, vault_id: bytes, kdf: Kdf | None) -> KeySource:
        """The source of this kind. Raises KeyUnavailable for a kind that mien does not know."""
        if kind == "file":
            credential = systemd_credential(self._environ)
            if credential is not None:
                return SystemdKeys(credential, vault_id)
            return FileKeys(self._key_path, vault_id)
        if kind == "keyring":
            return KeyringKeys(vault_id)
        if kind == "passphrase" and kdf is not None:
            return PassphraseKeys(self._ask_passphrase, kdf)
        raise KeyUnavailable(f"the vault's key is of the kind {kind!r}; upgrade mien")

    def with_passphrase(self, passphrase: str) -> LocalKeys:
        """The same sources with this passphrase, which is not asked for."""
        return LocalKeys(
            self._key_path,
            default_kind=self.default_kind,
            ask_passphrase=lambda: passphrase,
            environ=self._environ,
        )
